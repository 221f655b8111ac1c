/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the hmm_notifier tests have in common above lib/: this is the layer that
 * asserts.
 */
#ifndef HMM_NOTIFIER_H
#define HMM_NOTIFIER_H

#include <errno.h>
#include <sched.h>

#include "core/consent.h"
#include "core/dmirror.h"
#include "core/fail_point.h"
#include "core/kmsg.h"
#include "core/rule.h"
#include "core/scene.h"
#include "core/victim.h"
#include "core/warn.h"
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
#define BUG_MPROTECT_AT_0 \
	"known bug: mm/mprotect: end the invalidation of a mapping at address 0"
#define BUG_OOM_THREADS_FROZEN \
	"known bug: mm/oom_kill: thaw the entire OOM victim process"

/* Set from begin_scene() on: the log knows of the test. */
static bool in_scene;

static void log_result(const struct __test_metadata *_metadata);

/*
 * 6.1's harness has no exit codes and so no XFAIL; our judge takes a SKIP with
 * such a reason for one.
 */
#ifdef XFAIL_ADD
#define TEST_HAS_FAILED() (_metadata->exit_code == KSFT_FAIL)
#define TEST_IS_PASSING() (_metadata->exit_code == KSFT_PASS)
#define TEST_XFAIL() (_metadata->exit_code = KSFT_XFAIL)
#define TEST_SETTLE()
#else
#define TEST_HAS_FAILED() (!_metadata->passed)
#define TEST_IS_PASSING() (_metadata->passed && !_metadata->skip)
#define TEST_XFAIL() (_metadata->skip = 1)
/* A skip would win over what failed after KNOWN_BUG. */
#define TEST_SETTLE() (_metadata->skip &= _metadata->passed)

/*
 * Nor does a SKIP in FIXTURE_SETUP keep it from running the test. 255 is what
 * the child of a skipped test exits with.
 */
#undef SKIP
#define SKIP(statement, fmt, ...) do {					\
	snprintf(_metadata->results->reason,				\
		 sizeof(_metadata->results->reason), fmt, ##__VA_ARGS__); \
	log_result(_metadata);						\
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

/* Writes the test's name to the kernel's log, so that its splats stand below it. */
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

/* Writes a skip or a known bug to the log too: the judge compares it with the KTAP. */
static inline void log_result(const struct __test_metadata *_metadata)
{
	if (in_scene && !TEST_HAS_FAILED() && *_metadata->results->reason)
		kmsg_write("hmm_notifier: result %s\n",
			   _metadata->results->reason);
}

/* For FIXTURE_SETUP behind SCENE_BEGIN: there is no teardown then, to log the reason. */
#define SETUP_SKIP(reason) SKIP(log_result(_metadata); return, reason)

/* For FIXTURE_SETUP, before anything else: skips with the reason */
#define SETUP_OR_SKIP(node) do {					\
	const char *why_not = dmirror_why_not(node);			\
									\
	if (why_not)							\
		SKIP(return, "%s", why_not);				\
	if (warn_sites_are_for())					\
		SKIP(return, "not built from the source of this kernel"); \
} while (0)

/* After SETUP_OR_SKIP(): skips unless @consent, a consent_why_not_*(), is NULL. */
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

/* How many WARNs one callback of @notifier leads to */
static inline unsigned int warns_of(const struct rule_notifier *notifier,
				    enum rule_context context)
{
	struct rule_result result;

	rule_predict(notifier, 1, context, &result);
	return sum_warns(result.warns);
}

/* From here on, all that the kernel logs belongs to this test. */
static inline void begin_scene(struct __test_metadata *_metadata,
			       const void *variant, struct scene *scene)
{
	ASSERT_EQ(0, scene_begin(scene));
	mark_test(_metadata, variant, "begin");
	in_scene = true;
	if (*warn_missing(&scene->watch))
		TH_LOG("not cross-checked, this kernel lacks: %s",
		       warn_missing(&scene->watch));
}

/* Checks that what came is what was expected so far, and that all detectors agree. */
static inline void check_scene(struct __test_metadata *_metadata,
			       struct scene *scene)
{
	const struct scene_due *expected = &scene->due;
	const struct warn_report *report = &scene->report;

	EXPECT_EQ(0, scene_look(scene)) {
		TH_LOG("%s", report->why);
	}
	EXPECT_EQ(expected->others, report->others) {
		TH_LOG("%s", report->first_other);
	}
	EXPECT_EQ(expected->warns[RULE_SITE_INTERVAL_RELEASE],
		  report->warns[RULE_SITE_INTERVAL_RELEASE]);
	EXPECT_EQ(expected->warns[RULE_SITE_INTERVAL],
		  report->warns[RULE_SITE_INTERVAL]);
	EXPECT_EQ(expected->warns[RULE_SITE_HLIST],
		  report->warns[RULE_SITE_HLIST]);
	EXPECT_EQ(expected->warns[RULE_SITE_HLIST_END],
		  report->warns[RULE_SITE_HLIST_END]);
	EXPECT_EQ(expected->messages, report->messages);
}

/*
 * Ends the victim, its mm and the device, with the checks that are possible only now.
 * A test that goes on after that calls it itself.
 */
static inline void leave_scene(struct __test_metadata *_metadata,
			       struct scene *scene)
{
	int sound = scene_soundness(scene);
	bool hangs = sound == -ETIMEDOUT;

	if (hangs && scene->may_hang)
		KNOWN_BUG(BUG_INTERVAL_TREE_NOT_ENDED);
	else
		EXPECT_EQ(0, sound);
	EXPECT_EQ(0, victim_finish(&scene->victim));
	/* A task that hangs holds the device's lock. */
	if (!hangs)
		EXPECT_TRUE(scene_is_paired(scene)) {
			TH_LOG("%s", scene->unpaired);
		}
	/* The last close would hang as well; it is left to the keeper. */
	if (hangs && scene->may_hang)
		scene->victim.device = -1;
	EXPECT_EQ(0, victim_close(&scene->victim));
}

/*
 * Compares what came up to the mark "end". What comes later belongs to no test, for the
 * judge as well.
 */
static inline void end_scene(struct __test_metadata *_metadata,
			     const void *variant, struct scene *scene)
{
	leave_scene(_metadata, scene);
	EXPECT_EQ(0, scene_account(scene));
	log_result(_metadata);
	mark_test(_metadata, variant, "end");
	check_scene(_metadata, scene);
	warn_close(&scene->watch);
	TEST_SETTLE();
}

/* In FIXTURE_SETUP and at the start of a TEST that has no fixture */
#define SCENE_BEGIN(scene) begin_scene(_metadata, variant, scene)

/* The same, and starts a victim that opens @node and has @mappings mappings. */
#define SCENE_BEGIN_VICTIM(scene, node, mappings) do {			\
	SCENE_BEGIN(scene);						\
	ASSERT_EQ(0, victim_start(&(scene)->victim, node));		\
	ASSERT_EQ(0, victim_populate(&(scene)->victim, mappings));	\
} while (0)

#define SCENE_CHECK(scene) check_scene(_metadata, scene)
#define SCENE_END(scene) end_scene(_metadata, variant, scene)
#define SCENE_LEAVE(scene) leave_scene(_metadata, scene)

/* Instead of FIXTURE_TEARDOWN */
#define SCENE_TEARDOWN(fixture_name)					\
FIXTURE_TEARDOWN(fixture_name)						\
{									\
	end_scene(_metadata, variant, &self->scene);			\
}

#endif
