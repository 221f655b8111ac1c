/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the hmm_notifier tests have in common above lib/: this is the layer that
 * asserts.
 */
#ifndef HMM_NOTIFIER_H
#define HMM_NOTIFIER_H

#include <sched.h>

#include "../lib/consent.h"
#include "../lib/dmirror.h"
#include "../lib/kmsg.h"
#include "../lib/region.h"
#include "../lib/rule.h"
#include "../lib/victim.h"
#include "../lib/warn.h"
#include "kselftest_harness.h"

/*
 * Bugs of today's kernels, each named by its fix in kernel-patches/. A test
 * says KNOWN_BUG only for exactly what the bug does; anything else that is
 * wrong in the same test makes it a failure.
 */
#define BUG_INTERVAL_TREE_NOT_ENDED \
	"known bug: mm/mmu_notifier: end the interval tree when an hlist start fails"
#define BUG_RANGE_END_TWICE \
	"known bug: mm/mmu_notifier: don't run range_end twice after a blockable failure"
#define BUG_HMM_WRONG_PAGE \
	"known bug: mm/hmm: count the pages of a huge device page from the range's start"

/*
 * 6.1's harness has no exit codes and so no XFAIL; our judge takes a SKIP with
 * such a reason for one.
 */
#ifdef XFAIL_ADD
#define TEST_HAS_FAILED() (_metadata->exit_code == KSFT_FAIL)
#define TEST_IS_PASSING() (_metadata->exit_code == KSFT_PASS)
#define TEST_XFAIL() (_metadata->exit_code = KSFT_XFAIL)
#else
#define TEST_HAS_FAILED() (!_metadata->passed)
#define TEST_IS_PASSING() (_metadata->passed && !_metadata->skip)
#define TEST_XFAIL() (_metadata->skip = 1)

/*
 * Nor does a SKIP in FIXTURE_SETUP keep it from running the test. 255 is what
 * the child of a skipped test exits with.
 */
#undef SKIP
#define SKIP(statement, fmt, ...) do {					\
	snprintf(_metadata->results->reason,				\
		 sizeof(_metadata->results->reason), fmt, ##__VA_ARGS__); \
	_exit(255);							\
	statement;							\
} while (0)
#endif

#define KNOWN_BUG(text) do {						\
	if (TEST_IS_PASSING()) {					\
		snprintf(_metadata->results->reason,			\
			 sizeof(_metadata->results->reason), "%s", text); \
		TEST_XFAIL();						\
	}								\
} while (0)

/*
 * For a constructor of a program whose processes wait for each other in turn:
 * on one CPU none of them has to be woken on another one. Under TCG that takes
 * half the time and a third of the CPU time.
 */
static inline void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Splats bear the name of the test that caused them, for who reads the log. */
static inline void mark_test(const struct __test_metadata *_metadata,
			     const void *variant, const char *what)
{
	struct __fixture_variant_metadata *v = _metadata->fixture->variant;

	while (v && v->data != variant)
		v = v->next;
	kmsg_write("hmm_notifier: %s %s:%s%s%s.%s\n", what,
		   program_invocation_short_name, _metadata->fixture->name,
		   v ? "." : "", v ? v->name : "", _metadata->name);
}

/* For FIXTURE_SETUP: skips with the reason, or goes on with a watch on splats */
#define SETUP_OR_SKIP(node, watch) do {					\
	const char *why_not = dmirror_why_not(node);			\
									\
	if (why_not)							\
		SKIP(return, "%s", why_not);				\
	if (warn_sites_are_for())					\
		SKIP(return, "not built from the source of this kernel"); \
	mark_test(_metadata, variant, "begin");				\
	ASSERT_EQ(0, warn_start(watch));				\
	if (*warn_missing(watch))					\
		TH_LOG("not cross-checked, this kernel lacks: %s",	\
		       warn_missing(watch));				\
} while (0)

/* After the above, before anything that does what has to be asked for */
#define ASK_OR_SKIP(consent) do {					\
	const char *why_not = consent;					\
									\
	if (why_not)							\
		SKIP(return, "%s", why_not);				\
} while (0)

static inline unsigned int sum_warns(const unsigned int warns[RULE_NR_SITES])
{
	unsigned int site, sum = 0;

	for (site = 0; site < RULE_NR_SITES; site++)
		sum += warns[site];
	return sum;
}

/* Of one callback of @notifier */
static inline unsigned int warns_of(const struct rule_notifier *notifier,
				    bool blockable)
{
	struct rule_result result;

	rule_predict(notifier, 1, blockable, &result);
	return sum_warns(result.warns);
}

/* All detectors agree, and nothing came that the rule does not know. */
#define EXPECT_NO_OTHER_SPLAT(watch, report) do {			\
	EXPECT_EQ(0, warn_stop(watch, report)) {			\
		TH_LOG("%s", (report)->why);				\
	}								\
	EXPECT_EQ(0, (report)->others) {				\
		TH_LOG("%s", (report)->first_other);			\
	}								\
} while (0)

#define EXPECT_WARNS(expected, report) do {				\
	EXPECT_EQ((expected)[RULE_SITE_INTERVAL_RELEASE],		\
		  (report)->warns[RULE_SITE_INTERVAL_RELEASE]);		\
	EXPECT_EQ((expected)[RULE_SITE_INTERVAL],			\
		  (report)->warns[RULE_SITE_INTERVAL]);			\
	EXPECT_EQ((expected)[RULE_SITE_HLIST],				\
		  (report)->warns[RULE_SITE_HLIST]);			\
	EXPECT_EQ((expected)[RULE_SITE_HLIST_END],			\
		  (report)->warns[RULE_SITE_HLIST_END]);		\
} while (0)

#endif
