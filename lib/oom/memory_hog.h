/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a victim of an OOM kill does in its own process: use up memory, under
 * the memory policy that it gave itself.
 */
#ifndef HMM_NOTIFIER_OOM_MEMORY_HOG_H
#define HMM_NOTIFIER_OOM_MEMORY_HOG_H

#include "core/victim.h"

/* The NUMA node to use up: not the first one, which the kernel itself needs; or -1 */
int memory_hog_node(void);

/* numa_bind() of the victim to memory_hog_node(); 0 or -errno */
int memory_hog_bind(struct victim *victim);

/* Has the victim write @bytes of new private memory. Returns 0 or -errno. */
int memory_hog_take(struct victim *victim, size_t bytes);

enum memory_hog_kind {
	MEMORY_HOG_SMALL,		/* page by page, for a small limit */
	MEMORY_HOG_HUGE,	/* by huge pages: ten times as fast */
	MEMORY_HOG_HUGE_MBIND,	/* the same, and all from memory_hog_node() */
};

/*
 * Has the victim write twice as much memory as the machine has, and does not wait
 * for that. Returns 0 or -errno.
 */
int memory_hog_take_all(struct victim *victim, enum memory_hog_kind kind);

/*
 * Has the victim start a thread, or a process that shares its mm. Both just wait.
 * Returns its tid or pid, or -errno.
 */
pid_t memory_hog_start_thread(struct victim *victim);
pid_t memory_hog_start_sharer(struct victim *victim);

#endif
