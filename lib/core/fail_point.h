/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failures in one of a victim's mappings: the rest of its address space, stack
 * and libc and all, is reaped and changed without anybody's doing.
 */
#ifndef HMM_NOTIFIER_CORE_FAIL_POINT_H
#define HMM_NOTIFIER_CORE_FAIL_POINT_H

#include <stdbool.h>

#include "core/dmirror.h"
#include "core/rule.h"
#include "core/victim.h"

/* What mm_soundness() inserts; not one that a test uses */
#define MAPPING_PROBE_ID	(HMM_DMIRROR_NR_NOTIFIERS - 1)

/* A fail point for all calls in @mapping, to be changed or armed as it is */
struct hmm_dmirror_fail_point fail_point_in(unsigned int mapping,
					    enum rule_context context, unsigned int id,
						int ret);
int fail_point_arm(int device, unsigned int mapping, enum rule_context context,
		   unsigned int id, int ret);

/* Adds a notifier; an interval one over mappings 0 to 7. */
int fail_point_add_notifier(int device, unsigned int id,
			    const struct rule_notifier *notifier);

/* What one notifier was called for, in one mapping and context */
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

/* Which starts and second passes came there, by id: "start1 start2 finish1 " */
void calls_sequence(const struct hmm_dmirror_call *calls, int nr,
		    enum rule_context context, unsigned int mapping, char *text,
		     size_t size);

/*
 * Whether the mm is as usable as before: an interval can be inserted, all can
 * be read and it can be removed. 0, -ETIMEDOUT if one of these hangs, or
 * -errno. The mm has an interval notifier once and for all after that.
 */
int mm_soundness(int device);

#endif
