// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of transparent huge pages, of anonymous memory and shmem.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"
#include "core/consent.h"
#include "core/machine_state.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define THP "/sys/kernel/mm/transparent_hugepage/"

/* What a change may take in all spans, and one more; and so many that nobody need try */
#define WANTED	(CHANGE_SPANS + 1)
#define PLENTY	64

/* /proc/buddyinfo counts the free blocks of each order, a line for each zone. */
static unsigned long free_huge_pages(void)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	unsigned long size, nr, pages = 0;
	char line[512], zone[16], *at;
	int node, len;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %d, zone %15s%n", &node, zone, &len) != 2)
			continue;
		at = line + len;
		for (size = CHANGE_PAGE; sscanf(at, "%lu%n", &nr, &len) == 1; size *= 2) {
			pages += size / CHANGE_HUGE * nr;
			at += len;
		}
	}
	if (file)
		fclose(file);
	return pages;
}

static bool get_huge_pages(unsigned int wanted)
{
	size_t size = (wanted + 1) * CHANGE_HUGE;
	char *room = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t at = ((uintptr_t)room + CHANGE_HUGE - 1) & -CHANGE_HUGE;
	bool got = room != MAP_FAILED && !madvise(room, size, MADV_HUGEPAGE);

	for (; wanted && got; wanted--, at += CHANGE_HUGE) {
		*(volatile char *)at = 1;
		got = change_pagemap(at + CHANGE_PAGE) & PAGEMAP_PRESENT;
	}
	if (room != MAP_FAILED)
		munmap(room, size);
	return got;
}

/* Where memory is short, tries. Elsewhere that a huge page is not to be had is a failure. */
const char *change_why_not_huge(void)
{
	if (sysfile_number(THP "hpage_pmd_size") < 0)
		return "no CONFIG_TRANSPARENT_HUGEPAGE";
	if (sysfile_has(THP "enabled", "[never]"))
		return "transparent_hugepage/enabled is never";
	return free_huge_pages() >= PLENTY || get_huge_pages(WANTED) ? NULL :
		"too little memory for huge pages";
}

static const char *why_not_collapse(void)
{
	return kernel_version() < LINUX_VERSION(6, 1) ?
		"no MADV_COLLAPSE (Linux 6.1 and later)" : change_why_not_huge();
}

static bool is_huge(uintptr_t at)
{
	return change_smaps(at, "AnonHugePages") == (long)CHANGE_HUGE / 1024;
}

static bool is_shmem_huge(uintptr_t at)
{
	return change_smaps(at, "ShmemPmdMapped") == (long)CHANGE_HUGE / 1024;
}

static long unmap_part(uintptr_t at)
{
	return munmap((void *)at, CHANGE_SIZE) ? -errno : 0;
}

static long part_is_unmapped(uintptr_t at)
{
	if (is_huge(at + CHANGE_SIZE))
		return -EBADMSG;
	return change_unmapped(at, CHANGE_SIZE) ?:
	       change_filled(at + CHANGE_SIZE, CHANGE_HUGE - CHANGE_SIZE);
}

const struct change change_thp_munmap = {
	.why_not = change_why_not_huge,
	.prepare = change_map_huge,
	.act = unmap_part,
	.check = part_is_unmapped,
	.size = CHANGE_HUGES(1),
	.calls = {
		/* when the mapping is cut, not when its part is unmapped */
		CHANGE_CALL("__split_huge_pmd", CLEAR, CHANGE_SPLIT, 0, CHANGE_HUGES(1)),
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

static long protect_part(uintptr_t at)
{
	return mprotect((void *)at, CHANGE_SIZE, PROT_READ) ? -errno : 0;
}

static long is_split(uintptr_t at)
{
	return is_huge(at) ? -EBADMSG : change_filled(at, CHANGE_HUGE);
}

const struct change change_thp_mprotect = {
	.why_not = change_why_not_huge,
	.prepare = change_map_huge,
	.act = protect_part,
	.check = is_split,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("__split_huge_pmd", CLEAR, CHANGE_SPLIT, 0, CHANGE_HUGES(1)),
		CHANGE_CALL("change_pud_range", PROTECTION_VMA, CHANGE_READONLY,
			    0, CHANGE_PAGES(4)),
	},
};

static long drop_part(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_DONTNEED) ? -errno : 0;
}

static long part_is_zero(uintptr_t at)
{
	return change_zero(at, CHANGE_SIZE) ?:
					      change_filled(at + CHANGE_SIZE,
							    CHANGE_HUGE - CHANGE_SIZE);
}

const struct change change_thp_dontneed = {
	.why_not = change_why_not_huge,
	.prepare = change_map_huge,
	.act = drop_part,
	.check = part_is_zero,
	.size = CHANGE_HUGES(1),
	.calls = {
		/* the one inside the other */
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    0, CHANGE_PAGES(4)),
		CHANGE_CALL("__split_huge_pmd", CLEAR, CHANGE_SPLIT, 0, CHANGE_HUGES(1)),
	},
};

static const char *why_not_split(void)
{
	return change_why_not_huge() ?:
	       (access("/sys/kernel/debug/split_huge_pages", W_OK) ?
		"no CONFIG_DEBUG_FS" : NULL);
}

static long split_folio(uintptr_t at)
{
	char text[96];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(), at, at + CHANGE_HUGE);
	return machine_write("/sys/kernel/debug/split_huge_pages", text);
}

const struct change change_thp_split_folio = {
	.why_not = why_not_split,
	.prepare = change_map_huge,
	.act = split_folio,
	.check = is_split,
	.size = CHANGE_HUGES(1),
	.calls = {
		/* 6.16 and later split the PMD without telling once more. */
		CHANGE_CALL("__split_huge_pmd", CLEAR, CHANGE_SPLIT, 0, CHANGE_HUGES(1),
			    .until = LINUX_VERSION(6, 16)),
		CHANGE_CALL("try_to_migrate_one", CLEAR, CHANGE_GONE, 0, CHANGE_HUGES(1)),
	},
};

/*
 * Four small pages in a mapping for a huge one. khugepaged must not collapse them before
 * the test does.
 */
static long map_room(uintptr_t at)
{
	long err = change_map_advised(at, MADV_NOHUGEPAGE);

	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

static long allow_huge(uintptr_t at)
{
	return madvise((void *)at, CHANGE_HUGE, MADV_HUGEPAGE) ? -errno : 0;
}

/*
 * -EAGAIN, see madvise(2): a page was locked, or somebody else had a reference to it. One
 * that stays so is a failure.
 */
static long collapse(uintptr_t at)
{
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		if (!madvise((void *)at, CHANGE_HUGE, MADV_COLLAPSE))
			return 0;
		if (errno != EAGAIN)
			break;
		usleep(1000);
	}
	return -errno;
}

static long collapse_room(uintptr_t at)
{
	return allow_huge(at) ?: collapse(at);
}

static long is_collapsed(uintptr_t at)
{
	if (!is_huge(at))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE) ?:
		       change_zero(at + CHANGE_SIZE, CHANGE_HUGE - CHANGE_SIZE);
}

const struct change change_collapse = {
	.why_not = why_not_collapse,
	.prepare = map_room,
	.act = collapse_room,
	.check = is_collapsed,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("collapse_huge_page", CLEAR, CHANGE_GONE, 0, CHANGE_HUGES(1)),
	},
};

#define PERIOD THP "khugepaged/scan_sleep_millisecs"

static long say_if_huge(uintptr_t at)
{
	return is_huge(at) ? 0 : -EAGAIN;
}

static bool all_are_huge(void)
{
	return !change_each(say_if_huge);
}

static bool khugepaged_waits(void)
{
	return sysfile_kthread_waits("khugepaged");
}

/*
 * Wakes khugepaged, which vm_settings.c has parked: each write of its period does. Seen
 * to take 10 to 60 ms; the bound is 5 s. The second write restores the period, and the
 * scan that this starts must be over before the next test has memory to collapse. With a
 * period of 0 it never sleeps.
 */
static long have_khugepaged_collapse(uintptr_t at)
{
	int err, parked;

	(void)at;
	err = change_each(allow_huge);
	err = err ?: machine_set_for_now(PERIOD, "1");
	if (err)
		return err;
	err = change_wait(all_are_huge);
	parked = machine_put_back(PERIOD);
	if (!parked && sysfile_number(PERIOD))
		parked = change_wait(khugepaged_waits);
	return err ?: parked;
}

static const char *why_not_khugepaged(void)
{
	return change_why_not_huge() ?: consent_why_not_machine();
}

const struct change change_khugepaged = {
	.why_not = why_not_khugepaged,
	.prepare = map_room,
	.act = have_khugepaged_collapse,
	.check = is_collapsed,
	.flags = CHANGE_AT_ONCE | CHANGE_REPEATS,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("collapse_huge_page", CLEAR, CHANGE_GONE, 0, CHANGE_HUGES(1)),
	},
};

/* Small pages, whatever the machine's setting for huge pages in shmem is */
static long map_shmem_room(uintptr_t at)
{
	int err, fd = memfd_create("hmm_notifier", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, CHANGE_HUGE))
		return -errno;
	err = change_map(at, CHANGE_HUGE, MAP_SHARED, fd);
	close(fd);
	if (!err && madvise((void *)at, CHANGE_HUGE, MADV_NOHUGEPAGE))
		err = -errno;
	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

static long is_shmem_collapsed(uintptr_t at)
{
	if (!is_shmem_huge(at))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE) ?:
		       change_zero(at + CHANGE_SIZE, CHANGE_HUGE - CHANGE_SIZE);
}

const struct change change_collapse_shmem = {
	.why_not = why_not_collapse,
	.prepare = map_shmem_room,
	.act = collapse_room,
	.check = is_shmem_collapsed,
	.size = CHANGE_HUGES(1),
	.calls = {
		/* each small page that is mapped, then the page table */
		CHANGE_CALL("try_to_unmap_one", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(4),
			    .step = CHANGE_PAGES(1)),
		CHANGE_CALL("retract_page_tables", CLEAR, CHANGE_NO_TABLE, 0, CHANGE_HUGES(1)),
	},
};

/*
 * A huge page of a file, mapped by PTEs: a mapping smaller than a huge page gets PTEs, and
 * keeps them when it is merged into a larger one.
 */
static long map_shmem_small(uintptr_t at)
{
	long err = map_shmem_room(at);

	err = err ?: collapse_room(at);
	if (err)
		return err;
	if (madvise((void *)at, CHANGE_HUGE, MADV_NOHUGEPAGE) ||
	    mprotect((void *)at, CHANGE_SIZE, PROT_READ))
		return -errno;
	err = change_filled(at, CHANGE_SIZE);
	if (mprotect((void *)at, CHANGE_SIZE, PROT_READ | PROT_WRITE))
		return -errno;
	return err ?: is_shmem_huge(at) ? -EBADMSG : 0;
}

const struct change change_collapse_mapped = {
	.why_not = why_not_collapse,
	.prepare = map_shmem_small,
	.act = collapse_room,
	.check = is_shmem_collapsed,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("try_collapse_pte_mapped_thp", CLEAR, CHANGE_GONE,
			    0, CHANGE_HUGES(1),
			    .since = LINUX_VERSION(6, 6)),
		/* by collapse_and_free_pmd(), as all others there */
		CHANGE_CALL("retract_page_tables", CLEAR, CHANGE_NO_TABLE, 0, CHANGE_HUGES(1),
			    .until = LINUX_VERSION(6, 6)),
	},
};

static const char *why_not_huge_zero(void)
{
	return change_why_not_huge() ?:
	       (sysfile_number(THP "use_zero_page") == 1 ? NULL :
		"no transparent_hugepage/use_zero_page");
}

static long map_huge_zero(uintptr_t at)
{
	long err = change_map_advised(at, MADV_HUGEPAGE);

	err = err ?: change_zero(at, CHANGE_HUGE);
	if (!err && madvise((void *)at, CHANGE_HUGE, MADV_NOHUGEPAGE))
		err = -errno;
	return err;
}

static long write_first(uintptr_t at)
{
	change_fill(at, CHANGE_PAGE);
	return 0;
}

static long rest_is_zero(uintptr_t at)
{
	/* Up to 6.12 it is split, and one small page is copied. */
	if (kernel_version() >= LINUX_VERSION(6, 13) && !is_huge(at))
		return -EBADMSG;
	return change_filled(at, CHANGE_PAGE) ?:
		       change_zero(at + CHANGE_PAGE, CHANGE_HUGE - CHANGE_PAGE);
}

const struct change change_cow_huge_zero = {
	.why_not = why_not_huge_zero,
	.prepare = map_huge_zero,
	.act = write_first,
	.check = rest_is_zero,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("__split_huge_pmd", CLEAR, CHANGE_SPLIT, 0, CHANGE_HUGES(1),
			    .until = LINUX_VERSION(6, 13)),
		CHANGE_CALL("wp_page_copy", CLEAR, CHANGE_ANOTHER, 0, CHANGE_PAGES(1),
			    .until = LINUX_VERSION(6, 13)),
		CHANGE_CALL("do_huge_zero_wp_pmd", CLEAR, CHANGE_ANOTHER,
			    0, CHANGE_HUGES(1),
			    .since = LINUX_VERSION(6, 13)),
	},
};
