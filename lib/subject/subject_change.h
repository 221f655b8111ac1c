/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes of a subject's memory, from outside. The names are those of lib/change/changes.h,
 * where each has the functions of the kernel that it calls; those that are not here need
 * more than a few pages of memory that is private, or the victim's own code.
 */
#ifndef HMM_NOTIFIER_SUBJECT_SUBJECT_CHANGE_H
#define HMM_NOTIFIER_SUBJECT_SUBJECT_CHANGE_H

#include "subject/subject.h"

struct subject_change {
	const char *(*why_not)(void);	/* or NULL */
	int (*act)(struct subject *subject, uintptr_t at);	/* 0 or -errno */
	/* Makes the page one that can be read and written again; may be NULL. */
	int (*restore)(struct subject *subject, uintptr_t at);
	bool wants_own;		/* it writes, or the kernel refuses it for what is lent */
};

#define SUBJECT_CHANGES(X)						\
	X(munmap) X(map_fixed) X(mremap_move) X(mremap_dontunmap)	\
	X(mprotect) X(soft_dirty) X(fork) X(cow_after_fork)		\
	X(dontneed) X(free) X(guard_install)				\
	X(move_pages) X(migrate_pages) X(pageout)

/* One of each kind: the page goes, stays, is another one, is read-only, or moves */
#define SUBJECT_CHANGES_WHILE_BUSY(X)					\
	X(munmap) X(mremap_move) X(mprotect) X(cow_after_fork)		\
	X(dontneed) X(move_pages)

/* After these nobody may read what was there. */
#define SUBJECT_CHANGES_FORBIDDING(X)					\
	X(munmap) X(mremap_move) X(mprotect)

#define SUBJECT_CHANGE_DECLARE(name)					\
	extern const struct subject_change subject_change_##name;
SUBJECT_CHANGES(SUBJECT_CHANGE_DECLARE)

/* Why the change can't be made here, or NULL */
const char *subject_change_why_not(const struct subject_change *change,
				   const struct subject *subject);

/* The page that is changed: the second of the first mirror, if it has more than one. */
uintptr_t subject_change_at(const struct subject *subject);

#endif
