/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread of a victim. With several, its mm changes in several places at a time.
 */
#ifndef HMM_NOTIFIER_CORE_VICTIM_THREAD_H
#define HMM_NOTIFIER_CORE_VICTIM_THREAD_H

#include "core/victim.h"

struct victim_thread {
	int orders, answers;
	uint64_t ordered;	/* number of the last order */
	int bound_ms;
};

/* Starts a thread in the victim. Returns 0 or -errno. */
int victim_thread_start(struct victim_thread *victim_thread, struct victim *victim);
void victim_thread_close(struct victim_thread *victim_thread);

/* As victim_order(), for who does not read the answer. Returns 0 or -errno. */
int victim_thread_order(struct victim_thread *victim_thread,
			long (*fn)(const struct victim_args *),
			const struct victim_args *args);

/*
 * As victim_call(), but also returns -EPIPE when @gone gets readable: a frozen victim
 * does not close its pipes.
 */
int victim_thread_call(struct victim_thread *victim_thread, int gone,
		       long (*fn)(const struct victim_args *),
		       const struct victim_args *args, long *result);

#endif
