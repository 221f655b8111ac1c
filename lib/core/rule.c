// SPDX-License-Identifier: GPL-2.0
#include "core/rule.h"

enum rule_class {
	RULE_SUCCESS,
	RULE_AGAIN,	/* -EAGAIN, or false from an interval notifier */
	RULE_OTHER,	/* any other value, positive ones too */
	RULE_NR_CLASSES,
};

/*
 * The rule. A notifier may fail only when it was told not to block, and then only with
 * -EAGAIN. One that has ->invalidate_range_end may not fail at all: its end is called
 * although its start failed, and nothing tells it so.
 */
#define WARN_AT(site)	.warns[RULE_SITE_##site] = 1

/* [kind][context][class] */
static const struct rule_outcome
table[][RULE_NR_CONTEXTS][RULE_NR_CLASSES] = {
	[RULE_INTERVAL] = {
		{ [RULE_AGAIN] = { .fails = 1 } },
		{ [RULE_AGAIN] = { WARN_AT(INTERVAL) } },
		{ [RULE_AGAIN] = { WARN_AT(INTERVAL_RELEASE) } },
	},
	[RULE_HLIST] = {
		{
			[RULE_AGAIN] = { .message = 1, .fails = 1 },
			[RULE_OTHER] = { .message = 1, .fails = 1,
					 WARN_AT(HLIST) },
		}, {
			[RULE_AGAIN] = { .message = 1, WARN_AT(HLIST) },
			[RULE_OTHER] = { .message = 1, WARN_AT(HLIST) },
		},
	},
	[RULE_HLIST_END] = {
		{
			[RULE_AGAIN] = { .message = 1, .fails = 1,
					 WARN_AT(HLIST_END) },
			[RULE_OTHER] = { .message = 1, .fails = 1,
					 WARN_AT(HLIST), WARN_AT(HLIST_END) },
		}, {
			[RULE_AGAIN] = { .message = 1,
					 WARN_AT(HLIST), WARN_AT(HLIST_END) },
			[RULE_OTHER] = { .message = 1,
					 WARN_AT(HLIST), WARN_AT(HLIST_END) },
		},
	},
	[RULE_INTERVAL_TWO_PASS] = {
		{
			[RULE_SUCCESS] = { .finishes = 1 },
			[RULE_AGAIN] = { .fails = 1 },
		}, {
			[RULE_SUCCESS] = { .finishes = 1 },
			[RULE_AGAIN] = { WARN_AT(INTERVAL) },
		}, {
			[RULE_SUCCESS] = { .finishes = 1 },
			[RULE_AGAIN] = { WARN_AT(INTERVAL_RELEASE) },
		},
	},
	[RULE_IDLE] = {},
};

/* EAGAIN of include/uapi/asm-generic/errno-base.h, the same everywhere */
#define RULE_EAGAIN 11

static enum rule_class rule_class(enum rule_kind kind, int ret)
{
	if (rule_is_interval(kind))
		return ret ? RULE_SUCCESS : RULE_AGAIN;
	if (!ret)
		return RULE_SUCCESS;
	return ret == -RULE_EAGAIN ? RULE_AGAIN : RULE_OTHER;
}

int rule_is_interval(enum rule_kind kind)
{
	return kind == RULE_INTERVAL || kind == RULE_INTERVAL_TWO_PASS;
}

const struct rule_outcome *rule_expect(enum rule_kind kind, int context,
				       int ret)
{
	return &table[kind][context][rule_class(kind, ret)];
}

void rule_predict(const struct rule_notifier *notifiers, unsigned int nr,
		  int context, struct rule_result *result)
{
	const struct rule_outcome *outcome;
	unsigned int i, site;

	*result = (struct rule_result) {};
	for (i = 0; i < nr; i++) {
		/* At the end of an mm, hlist notifiers get ->release instead. */
		if (context == RULE_RELEASE &&
		    !rule_is_interval(notifiers[i].kind))
			break;
		if (notifiers[i].kind == RULE_IDLE)
			continue;
		outcome = rule_expect(notifiers[i].kind, context,
				      notifiers[i].ret);
		result->calls[i] = 1;
		for (site = 0; site < RULE_NR_SITES; site++)
			result->warns[site] += outcome->warns[site];
		result->messages += outcome->message;
		result->fails |= outcome->fails;
		result->finishes[i] = outcome->finishes &&
				      !notifiers[i].no_finish;
		/* The interval pass stops there, and the hlist is not called. */
		if (outcome->fails && rule_is_interval(notifiers[i].kind))
			break;
	}

	/*
	 * Each notifier that was called gets one end: from the caller, or, if the
	 * start failed, from mn_hlist_invalidate_range_start().
	 */
	for (i = 0; i < nr; i++)
		result->ends[i] = notifiers[i].kind == RULE_HLIST_END &&
				  result->calls[i];
}
