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

#define MODEL_NR_KINDS (RULE_IDLE + 1)

struct model {
	uint64_t warns[RULE_NR_SITES];
	uint64_t messages[2][2];	/* [blockable][with -EAGAIN] */

	/* What that comes from; -EAGAIN is false for interval notifiers. */
	uint64_t calls[MODEL_NR_KINDS][2];
	uint64_t failures[MODEL_NR_KINDS][2][2];
	uint64_t ends;

	/*
	 * A WARN that it does not know of, to see that the comparison and what
	 * comes after it work. RULE_NR_SITES: none.
	 */
	enum rule_site forgets;
};

/* Adds what @now has more than @before; both of one notifier of @kind. */
void model_add(struct model *model, enum rule_kind kind,
	       const struct hmm_dmirror_counts *now,
	       const struct hmm_dmirror_counts *before);

/* Adds all that @other has. */
void model_merge(struct model *model, const struct model *other);

/* Whether the log says just that; if not, @why tells the first difference. */
bool model_agrees(const struct model *model, const struct warn_report *said,
		  char *why, size_t size);

/* WARNs and messages that one failure leads to at most, in these contexts */
void model_noise(enum rule_kind kind, unsigned int contexts, int ret,
		 unsigned int *warns, unsigned int *messages);

uint64_t model_failures(const struct model *model);
uint64_t model_warns(const struct model *model);

#endif
