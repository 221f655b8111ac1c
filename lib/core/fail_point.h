/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failures in one of a victim's mappings alone: the kernel invalidates its stack and
 * libc too, and nothing is to fail there.
 */
#ifndef HMM_NOTIFIER_CORE_FAIL_POINT_H
#define HMM_NOTIFIER_CORE_FAIL_POINT_H

#include <stdbool.h>

#include "core/dmirror.h"
#include "core/rule.h"
#include "core/victim.h"

/* The id of the notifier that mm_soundness() inserts. No test may use it. */
#define MAPPING_PROBE_ID	(HMM_DMIRROR_NR_NOTIFIERS - 1)

/*
 * A fail point for all calls in @mapping: fail_point_in() returns it, for dmirror_arm();
 * fail_point_arm() arms it, and returns 0 or -errno.
 */
struct hmm_dmirror_fail_point fail_point_in(unsigned int mapping,
					    enum rule_context context, unsigned int id,
					    int ret);
int fail_point_arm(int device, unsigned int mapping, enum rule_context context,
		   unsigned int id, int ret);

/* Adds a notifier; an interval one over mappings 0 to 7. Returns 0 or -errno. */
int fail_point_add_notifier(int device, unsigned int id,
			    const struct rule_notifier *notifier);

/* How often one notifier was called, in one mapping and context */
struct calls_seen {
	unsigned int calls;
	unsigned int hits;
	unsigned int ends;
	unsigned int finishes;
	int ret;		/* what the last hit returned */
};

struct calls_seen calls_seen(const struct hmm_dmirror_call *calls, int nr,
			     unsigned int id, enum rule_context context,
			     unsigned int mapping);

/* The starts and second passes there, in order, by id: "start1 start2 finish1 " */
void calls_sequence(const struct hmm_dmirror_call *calls, int nr,
		    enum rule_context context, unsigned int mapping, char *text,
		    size_t size);

/*
 * Whether the mm is as usable as before: inserts an interval notifier, calls
 * mmu_interval_read_begin() on all of them, removes it. Returns 0, -ETIMEDOUT if one of
 * these hangs, or -errno. The mm counts as one with interval notifiers ever after.
 */
int mm_soundness(int device);

#endif
