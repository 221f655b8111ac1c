/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of all changes: tests make variants of them.
 */
#ifndef HMM_NOTIFIER_CHANGE_CHANGES_H
#define HMM_NOTIFIER_CHANGE_CHANGES_H

#include "change/change.h"

#define CHANGES(X)							\
	/* changes_vma.c */						\
	X(munmap) X(map_fixed) X(brk) X(mremap_shrink)			\
	X(mremap_move) X(mremap_dontunmap)				\
	X(mprotect) X(soft_dirty) X(fork)				\
	X(cow_after_fork) X(cow_zero_page) X(cow_private_file)		\
	/* changes_zap.c */						\
	X(dontneed) X(free) X(remove) X(truncate) X(punch_hole)		\
	X(guard_install)						\
	/* changes_uffd.c */						\
	X(uffd_wp) X(uffd_move) X(uffd_move_huge) X(pagemap_scan)		\
	/* changes_thp.c */						\
	X(thp_munmap) X(thp_mprotect) X(thp_dontneed)			\
	X(thp_split_folio) X(collapse) X(khugepaged)			\
	X(collapse_shmem) X(collapse_mapped) X(cow_huge_zero)		\
	/* changes_hugetlb.c */						\
	X(hugetlb_fork) X(hugetlb_cow) X(hugetlb_mremap)		\
	X(hugetlb_mprotect) X(hugetlb_truncate) X(hugetlb_unshare)	\
	/* changes_numa.c */						\
	X(move_pages) X(mbind) X(migrate_pages) X(numa_hinting)		\
	/* changes_reclaim.c */						\
	X(pageout) X(write_back) X(pageout_file) X(merge)		\
	/* changes_uprobe.c */						\
	X(uprobe_insert) X(uprobe_remove)				\
	/* changes_device.c */						\
	X(migrate_to_device) X(migrate_hole_to_device)			\
	X(migrate_to_system) X(device_fault)				\
	X(exclusive) X(exclusive_fault)

/* Ends of an mm: no span can be spared. changes_vma.c */
#define CHANGES_ENDING(X)						\
	X(exit) X(exec)

/* Made by the test, to a frozen victim. changes_vma.c */
#define CHANGES_FROZEN(X)						\
	X(reap)

#define CHANGE_DECLARE(name) extern const struct change change_##name;
CHANGES(CHANGE_DECLARE)
CHANGES_ENDING(CHANGE_DECLARE)
CHANGES_FROZEN(CHANGE_DECLARE)

/* change_exec calls our own program by that argv[0]; main() then exits at once. */
#define CHANGE_EXECED "hmm_notifier_execed"

#endif
