/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All changes, by name, for a test to make its variants from.
 */
#ifndef HMM_NOTIFIER_CHANGES_H
#define HMM_NOTIFIER_CHANGES_H

#include "change.h"

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
	X(uffd_wp) X(uffd_move) X(pagemap_scan)

/* Ends of an mm: nothing can be left out of them. changes_vma.c */
#define CHANGES_ENDING(X)						\
	X(exit) X(exec)

/* Made from outside, of a victim that stands still. changes_vma.c */
#define CHANGES_FROZEN(X)						\
	X(reap)

#define CHANGE_DECLARE(name) extern const struct change change_##name;
CHANGES(CHANGE_DECLARE)
CHANGES_ENDING(CHANGE_DECLARE)
CHANGES_FROZEN(CHANGE_DECLARE)

/* The name under which main() is called by change_exec, and is to exit at once */
#define CHANGE_EXECED "hmm_notifier_execed"

#endif
