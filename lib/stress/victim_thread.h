/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One of several threads of a victim, so that its mm changes in several places
 * at a time.
 */
#ifndef HMM_NOTIFIER_STRESS_VICTIM_THREAD_H
#define HMM_NOTIFIER_STRESS_VICTIM_THREAD_H

#include "core/victim.h"

struct hand {
	int orders, answers;
	uint64_t ordered;	/* as in struct victim */
	int bound_ms;
};

/* Starts a thread in the victim. Returns 0 or -errno. */
int hand_start(struct hand *hand, struct victim *victim);
void hand_close(struct hand *hand);

/*
 * As victim_call(). Also -EPIPE when @gone gets readable: a frozen victim does
 * not hang up.
 */
int hand_call(struct hand *hand, int gone,
	      long (*fn)(const struct victim_args *),
	      const struct victim_args *args, long *result);

#endif
