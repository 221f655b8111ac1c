// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "stress/expected_warns.h"

static const char * const site_names[RULE_NR_SITES] = {
	[RULE_SITE_INTERVAL_RELEASE] = "the interval release WARN",
	[RULE_SITE_INTERVAL] = "the interval WARN",
	[RULE_SITE_HLIST] = "the hlist WARN",
	[RULE_SITE_HLIST_END] = "the hlist WARN about range_end",
};

/* One return value for each class that the device counts separately */
static int representative(enum rule_kind kind, bool again)
{
	if (rule_is_interval(kind))
		return !again;
	return again ? -EAGAIN : -ENOMEM;
}

static void add_failures(struct expected_warns *expected, enum rule_kind kind,
			 enum rule_context context, bool again, bool release,
			 uint64_t nr)
{
	int ret = representative(kind, again);
	const struct rule_outcome *outcome =
		rule_expect(kind, release ? RULE_RELEASE : context, ret);
	unsigned int site;

	for (site = 0; site < RULE_NR_SITES; site++)
		if (site != expected->forgets)
			expected->warns[site] += outcome->warns[site] * nr;
	expected->messages[context][again] += outcome->message * nr;
	expected->failures[kind][context][again] += nr;
}

void expected_warns_add(struct expected_warns *expected, enum rule_kind kind,
			const struct hmm_dmirror_counts *now,
	       const struct hmm_dmirror_counts *before)
{
	unsigned int context, event;

	for (context = 0; context < 2; context++)
		for (event = 0; event < HMM_DMIRROR_NR_EVENTS; event++) {
			bool release = rule_is_interval(kind) &&
				       event == HMM_DMIRROR_EVENT_RELEASE;

			add_failures(expected, kind, context, true, release,
				     now->again[context][event] -
				     before->again[context][event]);
			add_failures(expected, kind, context, false, release,
				     now->other[context][event] -
				     before->other[context][event]);
			expected->calls[kind][context] +=
				now->calls[context][event] -
				before->calls[context][event];
			expected->ends += now->ends[context][event] -
				       before->ends[context][event];
		}
}

void expected_warns_merge(struct expected_warns *expected, const struct expected_warns *other)
{
	unsigned int site, kind, i, j;

	for (site = 0; site < RULE_NR_SITES; site++)
		expected->warns[site] += other->warns[site];
	for (i = 0; i < 2; i++)
		for (j = 0; j < 2; j++)
			expected->messages[i][j] += other->messages[i][j];
	for (kind = 0; kind < EXPECTED_WARNS_NR_KINDS; kind++)
		for (i = 0; i < 2; i++) {
			expected->calls[kind][i] += other->calls[kind][i];
			for (j = 0; j < 2; j++)
				expected->failures[kind][i][j] +=
					other->failures[kind][i][j];
		}
	expected->ends += other->ends;
}

bool expected_warns_agrees(const struct expected_warns *expected,
			   const struct warn_report *said, char *why,
			   size_t size)
{
	enum rule_context context;
	unsigned int site, again;

	for (site = 0; site < RULE_NR_SITES; site++)
		if (expected->warns[site] != said->warns[site]) {
			snprintf(why, size, "%s: %" PRIu64 " predicted, %u came",
				 site_names[site], expected->warns[site],
				 said->warns[site]);
			return false;
		}
	for (context = RULE_NON_BLOCKABLE; context <= RULE_BLOCKABLE; context++)
		for (again = 0; again < 2; again++) {
			uint64_t predicted = expected->messages[context][again];
			unsigned int came = said->messages_by[context][again];

			if (predicted == came)
				continue;
			snprintf(why, size,
				 "messages of %s, %sblockable: %" PRIu64 " predicted, %u came",
				 again ? "-EAGAIN" : "other values",
				 context == RULE_BLOCKABLE ? "" : "non-", predicted, came);
			return false;
		}
	return true;
}

void expected_warns_noise(enum rule_kind kind, unsigned int contexts, int ret,
			  unsigned int *warns, unsigned int *messages)
{
	enum rule_context context;
	unsigned int site, sum;

	*warns = 0;
	*messages = 0;
	for (context = RULE_NON_BLOCKABLE; context <= RULE_BLOCKABLE; context++) {
		const struct rule_outcome *outcome =
			rule_expect(kind, context, ret);

		if (!(contexts & 1 << context))
			continue;
		for (sum = 0, site = 0; site < RULE_NR_SITES; site++)
			sum += outcome->warns[site];
		*warns = sum > *warns ? sum : *warns;
		*messages = outcome->message ? 1 : *messages;
	}
}

uint64_t expected_warns_failures(const struct expected_warns *expected)
{
	const uint64_t *failures = &expected->failures[0][0][0];
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < sizeof(expected->failures) / sizeof(*failures); i++)
		sum += failures[i];
	return sum;
}

uint64_t expected_warns_warns(const struct expected_warns *expected)
{
	unsigned int site;
	uint64_t sum = 0;

	for (site = 0; site < RULE_NR_SITES; site++)
		sum += expected->warns[site];
	return sum;
}
