/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has to say about all that a device counted: the rule of
 * rule.h, summed up.
 */
#ifndef HMM_NOTIFIER_STRESS_EXPECTED_WARNS_H
#define HMM_NOTIFIER_STRESS_EXPECTED_WARNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dmirror.h"
#include "core/rule.h"
#include "core/warn.h"

#define EXPECTED_WARNS_NR_KINDS (RULE_IDLE + 1)

struct expected_warns {
	uint64_t warns[RULE_NR_SITES];
	uint64_t messages[2][2];	/* [context][with -EAGAIN] */

	/* What that comes from; -EAGAIN is false for interval notifiers. */
	uint64_t calls[EXPECTED_WARNS_NR_KINDS][2];
	uint64_t failures[EXPECTED_WARNS_NR_KINDS][2][2];
	uint64_t ends;

	/*
	 * A WARN that it does not know of, to see that the comparison and what
	 * comes after it work. RULE_NR_SITES: none.
	 */
	enum rule_site forgets;
};

/* Adds what @now has more than @before; both of one notifier of @kind. */
void expected_warns_add(struct expected_warns *expected, enum rule_kind kind,
			const struct hmm_dmirror_counts *now,
	       const struct hmm_dmirror_counts *before);

/* Adds all that @other has. */
void expected_warns_merge(struct expected_warns *expected, const struct expected_warns *other);

/* Whether the log says just that; if not, @why tells the first difference. */
bool expected_warns_agrees(const struct expected_warns *expected,
			   const struct warn_report *said, char *why,
			   size_t size);

/* WARNs and messages that one failure leads to at most, in these contexts */
void expected_warns_noise(enum rule_kind kind, unsigned int contexts, int ret,
			  unsigned int *warns, unsigned int *messages);

uint64_t expected_warns_failures(const struct expected_warns *expected);
uint64_t expected_warns_warns(const struct expected_warns *expected);

#endif
