// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that moves from one NUMA node to another, or gets hints for that. Uses system
 * calls, not libnuma, which in a static program wants a resolver.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "change/changes.h"
#include "core/consent.h"
#include "core/machine_state.h"

#define PAGES CHANGE_NR_PAGES

#define NODES "/sys/devices/system/node/has_memory"

/*
 * The first two nodes that have memory, of a list like "0-1,4"; returns false if
 * there are none.
 */
static bool two_nodes(int *from, int *to)
{
	char list[64];

	if (sysfile_read(NODES, list, sizeof(list)))
		return false;
	if (sscanf(list, "%d,%d", from, to) == 2)
		return true;
	if (sscanf(list, "%d-", from) != 1 || !strchr(list, '-'))
		return false;
	*to = *from + 1;
	return true;
}

static const char *why_not_nodes(void)
{
	int from, to;

	return two_nodes(&from, &to) ? NULL : "no two NUMA nodes with memory";
}

static void list_pages(uintptr_t at, void *pages[PAGES])
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		pages[i] = (void *)(at + i * CHANGE_PAGE);
}

/* Whether all pages are on that node */
static bool all_on(uintptr_t at, int node)
{
	int status[PAGES] = {};
	void *pages[PAGES];
	unsigned int i;

	list_pages(at, pages);
	if (syscall(SYS_move_pages, 0, PAGES, pages, NULL, status, 0))
		return false;
	for (i = 0; i < PAGES; i++)
		if (status[i] != node)
			return false;
	return true;
}

/* Memory on the first node, by a policy that is gone afterwards */
static long map_on_first(uintptr_t at)
{
	unsigned long mask;
	int from, to, err;

	if (!two_nodes(&from, &to))
		return -ENODEV;
	err = change_map(at, CHANGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (err)
		return err;
	mask = 1UL << from;
	if (syscall(SYS_mbind, at, CHANGE_SIZE, MPOL_BIND, &mask, sizeof(mask) * 8, 0))
		return -errno;
	change_fill(at, CHANGE_SIZE);
	if (syscall(SYS_mbind, at, CHANGE_SIZE, MPOL_DEFAULT, NULL, 0, 0))
		return -errno;
	return all_on(at, from) ? 0 : -ENOMEM;
}

static long is_on_second(uintptr_t at)
{
	int from, to;

	if (!two_nodes(&from, &to) || !all_on(at, to))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

/* Each page is moved by itself, in any order. */
#define MOVES {								\
		CHANGE_CALL("try_to_migrate_one", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(4), \
			    .step = CHANGE_PAGES(1)),			\
	}

static long move(uintptr_t at)
{
	int from, to, nodes[PAGES], status[PAGES];
	void *pages[PAGES];
	unsigned int i;

	if (!two_nodes(&from, &to))
		return -ENODEV;
	list_pages(at, pages);
	for (i = 0; i < PAGES; i++)
		nodes[i] = to;
	return syscall(SYS_move_pages, 0, PAGES, pages, nodes, status,
		       MPOL_MF_MOVE) ?
		-errno : 0;
}

const struct change change_move_pages = {
	.why_not = why_not_nodes,
	.prepare = map_on_first,
	.act = move,
	.check = is_on_second,
	.calls = MOVES,
};

static long bind(uintptr_t at)
{
	unsigned long mask;
	int from, to;

	if (!two_nodes(&from, &to))
		return -ENODEV;
	mask = 1UL << to;
	return syscall(SYS_mbind, at, CHANGE_SIZE, MPOL_BIND, &mask, sizeof(mask) * 8,
		       MPOL_MF_MOVE | MPOL_MF_STRICT) ? -errno : 0;
}

const struct change change_mbind = {
	.why_not = why_not_nodes,
	.prepare = map_on_first,
	.act = bind,
	.check = is_on_second,
	.calls = MOVES,
};

/* Moves all private memory of the victim off the first node. */
static long migrate(uintptr_t at)
{
	unsigned long old, new;
	int from, to;

	(void)at;
	if (!two_nodes(&from, &to))
		return -ENODEV;
	old = 1UL << from;
	new = 1UL << to;
	return syscall(SYS_migrate_pages, 0, sizeof(old) * 8, &old, &new) < 0 ?
		-errno : 0;
}

const struct change change_migrate_pages = {
	.why_not = why_not_nodes,
	.prepare = map_on_first,
	.act = migrate,
	.check = is_on_second,
	.flags = CHANGE_ALL_PAGES | CHANGE_AT_ONCE,
	.calls = MOVES,
};

#define BALANCING "/proc/sys/kernel/numa_balancing"

const char *change_why_not_numa_scan(void)
{
	if (sysfile_number(BALANCING) < 0)
		return "no CONFIG_NUMA_BALANCING";
	if (sysfile_number("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms") < 0)
		return "no debugfs sched/numa_balancing (CONFIG_SCHED_DEBUG)";
	return why_not_nodes() ?: consent_why_not_machine();
}

/*
 * The kernel has a task scan its own mm after some CPU time, which vm_settings.c has set
 * to the minimum. Seen to take 20 to 80 ms; the bound is 5 s of CPU time.
 */
long change_numa_scan(void)
{
	long err, before, now = -1;
	struct timespec spent;

	before = sysfile_counter("/proc/self/sched", "mm->numa_scan_seq");
	err = machine_set_for_now(BALANCING, "1");
	if (err)
		return err;
	while (!err && now <= before) {
		volatile unsigned int spin = 100000;

		while (spin)
			spin--;
		now = sysfile_counter("/proc/self/sched", "mm->numa_scan_seq");
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
		if (spent.tv_sec >= 5)
			err = -ETIMEDOUT;
	}
	return machine_put_back(BALANCING) ?: err;
}

static long scan_with_default_policy(uintptr_t at)
{
	long err;

	(void)at;
	/* dmirror.c has set one that balancing leaves alone. */
	if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0))
		return -errno;
	err = change_numa_scan();
	return syscall(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0) ? -errno : err;
}

const struct change change_numa_hinting = {
	.why_not = change_why_not_numa_scan,
	.prepare = map_on_first,
	.act = scan_with_default_policy,
	.check = change_all_filled,
	.flags = CHANGE_AT_ONCE | CHANGE_REPEATS,
	.calls = {
		CHANGE_CALL("change_pud_range", PROTECTION_VMA, CHANGE_NOTHING,
			    0, CHANGE_PAGES(4)),
	},
};
