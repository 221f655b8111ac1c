/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The WARNs and messages that must follow from what the device counted: rule.h applied to
 * counts.
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

	/* The counts behind it; for interval notifiers, false counts as -EAGAIN. */
	uint64_t calls[EXPECTED_WARNS_NR_KINDS][2];
	uint64_t failures[EXPECTED_WARNS_NR_KINDS][2][2];
	uint64_t ends;

	/*
	 * WARNs of this site are not expected, to prove that the comparison finds
	 * such a fault. RULE_NR_SITES: none.
	 */
	enum rule_site forgets;
};

/* Adds what a notifier of @kind has counted from @before to @now. */
void expected_warns_add(struct expected_warns *expected, enum rule_kind kind,
			const struct hmm_dmirror_counts *now,
			const struct hmm_dmirror_counts *before);

/* Adds all that @other has. */
void expected_warns_merge(struct expected_warns *expected, const struct expected_warns *other);

/* Whether the log has exactly that. If not, @why gets the first difference. */
bool expected_warns_agrees(const struct expected_warns *expected,
			   const struct warn_report *said, char *why,
			   size_t size);

/* The most WARNs and messages that one failure can lead to, in these contexts */
void expected_warns_noise(enum rule_kind kind, unsigned int contexts, int ret,
			  unsigned int *warns, unsigned int *messages);

/* The sums over all kinds: of failures, and of WARNs */
uint64_t expected_warns_failures(const struct expected_warns *expected);
uint64_t expected_warns_warns(const struct expected_warns *expected);

#endif
