// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/consent.h"
#include "core/ledger.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "core/vm_settings.h"

#define MM "/sys/kernel/mm/"
#define NUMA "/sys/kernel/debug/sched/numa_balancing/"
/* holds an aligned huge page, wherever it is mapped */
#define ROOM (getpagesize() / 4UL * getpagesize())

/* Where this kernel lacks one of the files, the tests that need it skip. */
static const struct {
	const char *path;
	const char *value;
} settings[] = {
	/* No NUMA hint, collapse or KSM scan but those that a test asks for */
	{ "/proc/sys/kernel/numa_balancing", "0" },
	{ MM "transparent_hugepage/shmem_enabled", "advise" },
	{ MM "transparent_hugepage/khugepaged/scan_sleep_millisecs", "3600000" },
	{ MM "ksm/run", "0" },
	/* Those that a test asks for come soon, and do all in one pass. */
	{ MM "transparent_hugepage/khugepaged/pages_to_scan", "65536" },
	{ MM "ksm/sleep_millisecs", "1" },
	{ MM "ksm/pages_to_scan", "1000" },
	{ MM "ksm/use_zero_pages", "0" },
	{ NUMA "scan_delay_ms", "1" },
	{ NUMA "scan_period_min_ms", "1" },
	{ NUMA "scan_period_max_ms", "1" },
};

/*
 * khugepaged sleeps for its period only while it has some mm to scan; with none, the
 * first new one wakes it at once. So it always gets the guardian's mm.
 */
static void keep_khugepaged_busy(void)
{
	void *room = mmap(NULL, ROOM, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room != MAP_FAILED)
		madvise(room, ROOM, MADV_HUGEPAGE);
}

/* 16 pages, or half of the memory: with 128 MiB that is still enough for all tests */
static void reserve_huge_pages(pid_t program)
{
	unsigned long huge = getpagesize() / 8UL * getpagesize();
	unsigned long most = sysconf(_SC_PHYS_PAGES) / 2 * getpagesize() / huge;
	char text[8];

	snprintf(text, sizeof(text), "%lu", most < 16 ? most : 16);
	ledger_set(program, "/proc/sys/vm/nr_hugepages", text);
}

static int apply(pid_t program)
{
	unsigned int i;

	/* Who boots it with never gets it without huge pages. */
	if (!sysfile_has("/proc/cmdline", "transparent_hugepage=never"))
		ledger_set(program, MM "transparent_hugepage/enabled", "madvise");
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		ledger_set(program, settings[i].path, settings[i].value);
	reserve_huge_pages(program);
	keep_khugepaged_busy();
	return 0;
}

void vm_settings_start(void)
{
	if (!consent_why_not_machine())
		machine_once(apply);
}
