// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <sys/mman.h>

#include "change.h"
#include "disk.h"
#include "sysfile.h"
#include "tuning.h"

#define MM "/sys/kernel/mm/"
#define NUMA "/sys/kernel/debug/sched/numa_balancing/"

/* A file that this kernel has not is what some test skips for. */
static const struct {
	const char *path;
	const char *value;
} settings[] = {
	/* No hint, no collapse and no scan but those that a test is about */
	{ "/proc/sys/kernel/numa_balancing", "0" },
	{ MM "transparent_hugepage/enabled", "madvise" },
	{ MM "transparent_hugepage/shmem_enabled", "advise" },
	{ MM "transparent_hugepage/khugepaged/scan_sleep_millisecs", "3600000" },
	{ MM "ksm/run", "0" },
	/* What they do when a test has them do it */
	{ MM "transparent_hugepage/khugepaged/pages_to_scan", "65536" },
	{ MM "ksm/sleep_millisecs", "1" },
	{ MM "ksm/pages_to_scan", "1000" },
	{ MM "ksm/use_zero_pages", "0" },
	{ NUMA "scan_delay_ms", "1" },
	{ NUMA "scan_period_min_ms", "1" },
	{ NUMA "scan_period_max_ms", "1" },
	{ "/proc/sys/vm/nr_hugepages", "16" },
};

#define NR (sizeof(settings) / sizeof(settings[0]))

static char before[NR][128];

/* "always [madvise] never" has the present value in brackets. */
static void keep_value(char *text)
{
	char *open = strchr(text, '['), *end = strchr(text, ']');

	if (!open || !end)
		return;
	*end = '\0';
	memmove(text, open + 1, end - open);
}

/*
 * khugepaged waits for its period only as long as it has some mm to look at; the
 * first one that it gets wakes it at once. So it always has ours.
 */
static void keep_khugepaged_busy(void)
{
	void *room = mmap(NULL, 2 * HUGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (room != MAP_FAILED)
		madvise(room, 2 * HUGE, MADV_HUGEPAGE);
}

void tuning_start(void)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		sysfile_swap(settings[i].path, settings[i].value, before[i],
			     sizeof(before[i]));
		keep_value(before[i]);
	}
	keep_khugepaged_busy();
	disk_start();
}

void tuning_stop(void)
{
	unsigned int i;

	disk_stop();
	for (i = NR; i-- > 0;)
		if (*before[i])
			sysfile_write(settings[i].path, before[i]);
}
