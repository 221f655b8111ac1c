// SPDX-License-Identifier: GPL-2.0
/*
 * What a notifier's return value leads to: kind x context x value, alone and
 * beside others. lib/core/rule.c says what is expected.
 *
 * The blockable context is a munmap() by the victim. The non-blockable one is
 * process_mrelease() of the victim while it stands still in do_exit(), which
 * runs the OOM reaper's code with no race. Not tested here: failing now and
 * then, or here and there (hmm_notifier_some_fail), the reaper itself
 * (hmm_notifier_oom), other callers (hmm_notifier_mmap).
 */
#include <errno.h>
#include <limits.h>

#include "hmm_notifier.h"

#define MAX_NOTIFIERS	3

/*
 * One invalidation that meets one, two or three notifiers.
 */
FIXTURE(rule) {
	struct scene scene;
};

FIXTURE_VARIANT(rule) {
	enum rule_context context;
	unsigned int nr;
	/* in the order in which they are added */
	struct rule_notifier notifiers[MAX_NOTIFIERS];
};

#define VALUE(kind, KIND, name, value)					\
	FIXTURE_VARIANT_ADD(rule, kind##_nonblock_##name) {		\
		RULE_NON_BLOCKABLE, 1, { { RULE_##KIND, value } } };	\
	FIXTURE_VARIANT_ADD(rule, kind##_block_##name) {		\
		RULE_BLOCKABLE, 1, { { RULE_##KIND, value } } }

#define VALUES(kind, KIND)						\
	VALUE(kind, KIND, 0, 0);					\
	VALUE(kind, KIND, eagain, -EAGAIN);				\
	VALUE(kind, KIND, eintr, -EINTR);				\
	VALUE(kind, KIND, enomem, -ENOMEM);				\
	VALUE(kind, KIND, ebusy, -EBUSY);				\
	VALUE(kind, KIND, einval, -EINVAL);				\
	VALUE(kind, KIND, minus_1, -1);					\
	VALUE(kind, KIND, plus_1, 1);					\
	VALUE(kind, KIND, int_min, INT_MIN)

VALUES(hlist, HLIST);
VALUES(hlist_end, HLIST_END);
VALUE(interval, INTERVAL, true, true);
VALUE(interval, INTERVAL, false, false);
VALUE(two_pass, INTERVAL_TWO_PASS, true, true);
VALUE(two_pass, INTERVAL_TWO_PASS, false, false);

/* Beside others; the names tell kinds and values in the order of adding. */
#define BESIDE(name, nr, ...)						\
	FIXTURE_VARIANT_ADD(rule, nonblock_##name) {			\
		RULE_NON_BLOCKABLE, nr, { __VA_ARGS__ } };			\
	FIXTURE_VARIANT_ADD(rule, block_##name) {			\
		RULE_BLOCKABLE, nr, { __VA_ARGS__ } }

#define H(ret)	{ RULE_HLIST, ret }
#define E(ret)	{ RULE_HLIST_END, ret }
#define I(ret)	{ RULE_INTERVAL, ret }
#define T(ret)	{ RULE_INTERVAL_TWO_PASS, ret }
#define N(ret)	{ RULE_INTERVAL_TWO_PASS, ret, .no_finish = 1 }
#define IDLE	{ RULE_IDLE }

BESIDE(hlist_eagain_hlist, 2, H(-EAGAIN), H(0));
BESIDE(hlist_hlist_eagain, 2, H(0), H(-EAGAIN));
BESIDE(hlist_enomem_hlist_eagain, 2, H(-ENOMEM), H(-EAGAIN));
BESIDE(hlist_eagain_end, 2, H(-EAGAIN), E(0));
BESIDE(end_hlist_eagain, 2, E(0), H(-EAGAIN));
BESIDE(end_hlist_enomem, 2, E(0), H(-ENOMEM));
BESIDE(end_enomem_hlist, 2, E(-ENOMEM), H(0));
BESIDE(end_eagain_end, 2, E(-EAGAIN), E(0));
BESIDE(end_end_eagain, 2, E(0), E(-EAGAIN));
BESIDE(hlist_eagain_end_end, 3, H(-EAGAIN), E(0), E(0));
BESIDE(end_hlist_eagain_end, 3, E(0), H(-EAGAIN), E(0));
BESIDE(end_end_hlist_eagain, 3, E(0), E(0), H(-EAGAIN));
BESIDE(hlist_eagain_hlist_ebusy_hlist, 3, H(-EAGAIN), H(-EBUSY), H(0));
BESIDE(end_end_end, 3, E(0), E(0), E(0));
BESIDE(idle, 1, IDLE);
BESIDE(end_idle_hlist_eagain, 3, E(0), IDLE, H(-EAGAIN));
BESIDE(hlist_enomem_idle_end, 3, H(-ENOMEM), IDLE, E(0));
BESIDE(interval_idle_hlist_eagain, 3, I(true), IDLE, H(-EAGAIN));
BESIDE(interval_false_interval, 2, I(false), I(true));
BESIDE(interval_interval_false, 2, I(true), I(false));
BESIDE(interval_false_interval_false, 2, I(false), I(false));
BESIDE(interval_interval_false_interval, 3, I(true), I(false), I(true));
BESIDE(interval_false_hlist, 2, I(false), H(0));
BESIDE(interval_false_hlist_eagain, 2, I(false), H(-EAGAIN));
BESIDE(interval_false_end, 2, I(false), E(0));
BESIDE(interval_end, 2, I(true), E(0));
BESIDE(interval_hlist_eagain, 2, I(true), H(-EAGAIN));
BESIDE(interval_hlist_enomem, 2, I(true), H(-ENOMEM));
BESIDE(interval_hlist_eagain_end, 3, I(true), H(-EAGAIN), E(0));
BESIDE(interval_false_hlist_eagain_end, 3, I(false), H(-EAGAIN), E(0));
BESIDE(no_finish, 1, N(true));
BESIDE(no_finish_false, 1, N(false));
BESIDE(no_finish_two_pass, 2, N(true), T(true));
BESIDE(two_pass_no_finish_two_pass, 3, T(true), N(true), T(true));
BESIDE(two_pass_two_pass_false, 2, T(true), T(false));
BESIDE(two_pass_false_two_pass, 2, T(false), T(true));
BESIDE(two_pass_two_pass_false_two_pass, 3, T(true), T(false), T(true));
BESIDE(two_pass_two_pass_interval_false, 3, T(true), T(true), I(false));
BESIDE(two_pass_interval_false, 2, T(true), I(false));
BESIDE(interval_false_two_pass, 2, I(false), T(true));
BESIDE(two_pass_hlist_eagain, 2, T(true), H(-EAGAIN));
BESIDE(two_pass_hlist_enomem, 2, T(true), H(-ENOMEM));
BESIDE(two_pass_hlist_eagain_end, 3, T(true), H(-EAGAIN), E(0));
BESIDE(two_pass_false_hlist_eagain_end, 3, T(false), H(-EAGAIN), E(0));

/* A variant's notifiers in the order of the calls, and what they lead to */
struct plan {
	struct rule_notifier order[MAX_NOTIFIERS];
	unsigned int ids[MAX_NOTIFIERS];
	unsigned int nr;
	struct rule_result expected;
};

/* Intervals first; of hlist notifiers the one added last is called first. */
static void make_plan(struct plan *plan, const struct rule_notifier *notifiers,
		      unsigned int nr, int context)
{
	unsigned int i, at = 0;

	for (i = 0; i < nr; i++)
		if (rule_is_interval(notifiers[i].kind))
			plan->ids[at++] = i + 1;
	for (i = nr; i-- > 0;)
		if (!rule_is_interval(notifiers[i].kind))
			plan->ids[at++] = i + 1;
	for (i = 0; i < nr; i++)
		plan->order[i] = notifiers[plan->ids[i] - 1];
	plan->nr = nr;
	rule_predict(plan->order, nr, context, &plan->expected);
}

/* BUG_INTERVAL_TREE_NOT_ENDED: a failed hlist start after an interval pass */
static bool leaks_interval_count(const struct plan *plan)
{
	return rule_is_interval(plan->order[0].kind) && plan->expected.fails &&
	       plan->expected.messages;
}

/* Why this kernel has not all of these notifiers, NULL if it has */
static const char *why_not_these(const struct rule_notifier *notifiers,
				 unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (notifiers[i].kind == RULE_INTERVAL_TWO_PASS)
			return dmirror_why_not_two_pass(DMIRROR_BARE);
	return NULL;
}

FIXTURE_SETUP(rule)
{
	struct plan plan;
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(why_not_these(variant->notifiers, variant->nr));
	make_plan(&plan, variant->notifiers, variant->nr, variant->context);
	if (sum_warns(plan.expected.warns))
		ASK_OR_SKIP(consent_why_not_splat());
	if (leaks_interval_count(&plan))
		ASK_OR_SKIP(consent_why_not_hang());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	for (i = 0; i < variant->nr; i++) {
		const struct rule_notifier *n = &variant->notifiers[i];

		ASSERT_EQ(0, scene_add(&self->scene, i + 1, n));
		/* Armed to succeed, too: so each test proves what was called. */
		ASSERT_EQ(0, fail_point_arm(self->scene.victim.device, 0,
					    variant->context, i + 1, n->ret));
	}
	if (variant->context == RULE_NON_BLOCKABLE)
		ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(rule)

/* The message of each failure, in the order of the calls */
static void check_messages(struct __test_metadata *_metadata,
			   enum rule_context context,
			   const struct plan *plan,
			   const struct warn_report *report)
{
	const struct rule_result *expected = &plan->expected;
	const struct rule_notifier *order = plan->order;
	unsigned int i, message = 0;

	ASSERT_EQ(expected->messages, report->messages);
	for (i = 0; i < plan->nr; i++) {
		if (!expected->calls[i] || !order[i].ret ||
		    rule_is_interval(order[i].kind))
			continue;
		EXPECT_EQ(0, strncmp("dmirror_hlist_start+",
				     report->message[message].callback, 20)) {
			TH_LOG("%s", report->message[message].callback);
		}
		EXPECT_EQ(order[i].ret, report->message[message].ret);
		EXPECT_EQ(context, report->message[message].context);
		message++;
	}
}

/* All first passes come before any second one, and these before the hlist. */
static void expected_sequence(const struct plan *plan, char *text, size_t size)
{
	unsigned int pass, i;
	size_t len = 0;

	*text = '\0';
	for (pass = 0; pass < 3; pass++)
		for (i = 0; i < plan->nr; i++) {
			bool interval = rule_is_interval(plan->order[i].kind);
			bool called = plan->expected.calls[i];
			bool due[3] = {
				called && interval,
				plan->expected.finishes[i],
				called && !interval,
			};

			if (due[pass])
				len += snprintf(text + len, size - len,
						"%s%u ",
						pass == 1 ? "finish" : "start",
						plan->ids[i]);
		}
}

static void check_calls(struct __test_metadata *_metadata,
			struct scene *scene,
			const struct hmm_dmirror_call *calls, int nr_calls,
			enum rule_context context, const struct plan *plan)
{
	const struct rule_result *expected = &plan->expected;
	bool ended_twice = context == RULE_BLOCKABLE && expected->messages;
	char want[80], got[80];
	unsigned int i;

	ASSERT_LE(0, nr_calls);
	expected_sequence(plan, want, sizeof(want));
	calls_sequence(calls, nr_calls, context, 0, got, sizeof(got));
	EXPECT_STREQ(want, got);
	for (i = 0; i < plan->nr; i++) {
		struct calls_seen seen = calls_seen(calls, nr_calls,
						      plan->ids[i], context,
						      0);

		/* The failure happened, and so did the successes. */
		EXPECT_EQ(expected->calls[i], seen.calls);
		EXPECT_EQ(expected->calls[i], seen.hits);
		if (seen.hits)
			EXPECT_EQ(plan->order[i].ret, seen.ret);
		EXPECT_EQ(expected->finishes[i], seen.finishes);
		if (ended_twice && expected->ends[i] && seen.ends == 2) {
			KNOWN_BUG(BUG_RANGE_END_TWICE);
			scene->surplus_ends[plan->ids[i]] = 1;
		} else {
			EXPECT_EQ(expected->ends[i], seen.ends);
		}
	}
}

/*
 * One invalidation: the WARNs, the messages, the result, the second passes and
 * the ends are those of lib/core/rule.c.
 */
TEST_F(rule, holds)
{
	struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	struct rule_result expected;
	struct plan plan;
	unsigned int id;
	int result, nr;

	make_plan(&plan, variant->notifiers, variant->nr, variant->context);
	expected = plan.expected;
	scene_expect(&self->scene, expected.warns, expected.messages);
	self->scene.may_hang = leaks_interval_count(&plan);

	result = variant->context == RULE_BLOCKABLE ? victim_munmap(&self->scene.victim, 0) :
				      victim_reap(&self->scene.victim);

	/* First of all, as the device's failure to fail is not the kernel's. */
	nr = dmirror_calls(self->scene.victim.device, calls, HMM_DMIRROR_NR_CALLS);
	check_calls(_metadata, &self->scene, calls, nr, variant->context,
		    &plan);
	/* The end of the mm is another one. */
	for (id = 1; id <= variant->nr; id++)
		EXPECT_EQ(0, dmirror_disarm(self->scene.victim.device, id));
	SCENE_CHECK(&self->scene);
	EXPECT_EQ(expected.fails ? -EAGAIN : 0, result);
	EXPECT_EQ(expected.fails ? VICTIM_MAPPING_PAGES : 0,
		  victim_resident(&self->scene.victim, 0));
	EXPECT_EQ(expected.fails ? VICTIM_MAPPING_PAGES : 0,
		  victim_intact(&self->scene.victim, 0));
	check_messages(_metadata, variant->context, &plan,
		       &self->scene.report);
}

/*
 * The end of an mm, MMU_NOTIFY_RELEASE.
 */
#define HLIST_ID (MAX_NOTIFIERS + 1)

FIXTURE(release) {
	struct scene scene;
};

FIXTURE_VARIANT(release) {
	unsigned int nr;
	struct rule_notifier notifiers[MAX_NOTIFIERS];
};

FIXTURE_VARIANT_ADD(release, true) { 1, { I(true) } };
FIXTURE_VARIANT_ADD(release, false) { 1, { I(false) } };
FIXTURE_VARIANT_ADD(release, idle) { 2, { I(true), IDLE } };
FIXTURE_VARIANT_ADD(release, two_pass_true) { 1, { T(true) } };
FIXTURE_VARIANT_ADD(release, two_pass_false) { 1, { T(false) } };
FIXTURE_VARIANT_ADD(release, no_finish) { 1, { N(true) } };
FIXTURE_VARIANT_ADD(release, two_pass_two_pass_false_two_pass) {
	3, { T(true), T(false), T(true) } };
FIXTURE_VARIANT_ADD(release, two_pass_interval_false_no_finish) {
	3, { T(true), I(false), N(true) } };

FIXTURE_SETUP(release)
{
	struct rule_notifier hlist = { .kind = RULE_HLIST_END };
	struct plan plan;
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(why_not_these(variant->notifiers, variant->nr));
	make_plan(&plan, variant->notifiers, variant->nr, RULE_RELEASE);
	if (sum_warns(plan.expected.warns))
		ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, scene_add(&self->scene, HLIST_ID, &hlist));
	for (i = 0; i < variant->nr; i++) {
		const struct rule_notifier *n = &variant->notifiers[i];
		struct hmm_dmirror_fail_point fail =
			fail_point_in(0, RULE_BLOCKABLE, i + 1, n->ret);

		fail.events = 1 << HMM_DMIRROR_EVENT_RELEASE;
		ASSERT_EQ(0, scene_add(&self->scene, i + 1, n));
		ASSERT_EQ(0, dmirror_arm(self->scene.victim.device, &fail));
	}
}

SCENE_TEARDOWN(release)

/* The mappings go after that, with an invalidation of their own. */
static int only_release(struct hmm_dmirror_call *calls, int nr)
{
	int i, kept = 0;

	for (i = 0; i < nr; i++)
		if (calls[i].event == HMM_DMIRROR_EVENT_RELEASE)
			calls[kept++] = calls[i];
	return nr < 0 ? nr : kept;
}

/*
 * An interval notifier that can't let go of a dying mm is warned about, and
 * all that asked get their second pass.
 */
TEST_F(release, holds)
{
	struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	struct hmm_dmirror_counts hlist;
	struct plan plan;
	int nr;

	make_plan(&plan, variant->notifiers, variant->nr, RULE_RELEASE);
	scene_expect(&self->scene, plan.expected.warns, 0);

	EXPECT_EQ(0, victim_finish(&self->scene.victim));

	nr = dmirror_calls(self->scene.victim.device, calls, HMM_DMIRROR_NR_CALLS);
	check_calls(_metadata, &self->scene, calls, only_release(calls, nr),
		    RULE_BLOCKABLE, &plan);
	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, HLIST_ID, &hlist));
	EXPECT_EQ(1, hlist.releases);
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
