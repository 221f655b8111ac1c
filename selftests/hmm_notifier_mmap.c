// SPDX-License-Identifier: GPL-2.0
/*
 * Every way in which an address space changes, by every place in the kernel that
 * starts an invalidation (lib/change/start_site.c), on each kind of notifier: while
 * nothing fails, while all fails, and while one range of three fails.
 *
 * A blockable caller reports a failure and goes on: so whatever a notifier
 * returns, the change has to take effect just the same. What it has to start
 * stands in lib/change/changes_*.c, what a failure has to lead to in lib/core/rule.c.
 * The function tracer tells which function really started it.
 *
 * Not tested here: __split_huge_pud and wp_clean_pre_vma, which take DAX or a
 * graphics card, and the one non-blockable caller but for a short look
 * (hmm_notifier_contract has all of it).
 */
#include <errno.h>
#include <sys/mman.h>

#include "change/changes.h"
#include "change/check_starts.h"
#include "change/device_view.h"
#include "change/site_report.h"
#include "change/start_site.h"
#include "change/start_trace.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

FIXTURE(change) {
	struct scene scene;
	struct device_view held;
	unsigned int id;
	bool mirrors;
};

FIXTURE_VARIANT(change) {
	const struct change *change;
	struct rule_notifier notifier;
	unsigned int spans;
	unsigned int failing;	/* the span that does */
	enum edge edge;
};

#define H(ret)	{ RULE_HLIST, ret }
#define E(ret)	{ RULE_HLIST_END, ret }
#define I(ret)	{ RULE_INTERVAL, ret }

#define ONE(name, kind, notifier)					\
	FIXTURE_VARIANT_ADD(change, name##_##kind) {			\
		&change_##name, notifier, 1, 0 }
#define SECOND_OF_THREE(name, kind, notifier)				\
	FIXTURE_VARIANT_ADD(change, name##_second_##kind) {		\
		&change_##name, notifier, 3, 1 }

#define AT(name, where, EDGE)						\
	FIXTURE_VARIANT_ADD(change, name##_at_##where) {		\
		&change_##name, E(0), 1, 0, EDGE_##EDGE }

#define VARIANTS(name)							\
	AT(name, lowest, LOWEST);					\
	AT(name, highest, HIGHEST);					\
	AT(name, pmd, PMD);						\
	AT(name, pud, PUD);						\
	AT(name, p4d, P4D);						\
	ONE(name, hlist_0, H(0));					\
	ONE(name, hlist_eagain, H(-EAGAIN));				\
	ONE(name, hlist_enomem, H(-ENOMEM));				\
	ONE(name, end_0, E(0));						\
	ONE(name, end_eagain, E(-EAGAIN));				\
	ONE(name, end_enomem, E(-ENOMEM));				\
	ONE(name, interval_true, I(true));				\
	ONE(name, interval_false, I(false));				\
	SECOND_OF_THREE(name, hlist_enomem, H(-ENOMEM));		\
	SECOND_OF_THREE(name, end_eagain, E(-EAGAIN));			\
	SECOND_OF_THREE(name, interval_false, I(false));

CHANGES(VARIANTS)

/*
 * An hlist notifier alone, or beside the interval notifier of a mirror if it has
 * an end; the interval notifier is that of a mirror.
 */
static bool takes_mirror(const FIXTURE_VARIANT(change) *variant)
{
	return (variant->notifier.kind != RULE_HLIST && !variant->edge) ||
	       variant->change->flags & CHANGE_BY_DEVICE;
}

/* The mirror that moves memory itself ignores its own invalidations. */
static unsigned int window_flags(const FIXTURE_VARIANT(change) *variant)
{
	if (variant->notifier.kind != RULE_HLIST_END)
		return 0;
	return variant->edge || variant->change->flags & CHANGE_BY_DEVICE ?
		CHECK_STARTS_ENDS : CHECK_STARTS_ENDS | CHECK_STARTS_MIRROR;
}

static bool fails(const struct rule_notifier *notifier)
{
	return rule_is_interval(notifier->kind) ? !notifier->ret :
						  !!notifier->ret;
}

FIXTURE_SETUP(change)
{
	const struct change *change = variant->change;
	const char *node = takes_mirror(variant) ? DMIRROR_MIRROR : DMIRROR_BARE;
	const char *why;

	SETUP_OR_SKIP(node);
	if (warns_of(&variant->notifier, RULE_BLOCKABLE))
		ASK_OR_SKIP(consent_why_not_splat());
	vm_settings_start();
	why = change->why_not ? change->why_not() : NULL;
	if (!why && variant->edge)
		why = change_at_edge(change, variant->edge);
	if (why) {
		site_report_why_not(change, why);
		SKIP(return, "%s", why);
	}
	site_report_begin(change);
	SCENE_BEGIN_VICTIM(&self->scene, node, 0);

	self->id = variant->notifier.kind == RULE_INTERVAL ? 0 : 1;
	self->mirrors = takes_mirror(variant) &&
			!(change->flags & CHANGE_BY_DEVICE);
	ASSERT_EQ(0, change_prepare(&self->scene.victim, change, variant->spans));
	if (self->id)
		ASSERT_EQ(0, scene_add(&self->scene, self->id,
				       &variant->notifier));
	if (self->mirrors)
		ASSERT_EQ(0, device_view_look(&self->held, self->scene.victim.device,
					      variant->spans));
}

SCENE_TEARDOWN(change)

/* Invalidations of the whole mm are told apart by their order, others by their range. */
static int arm(int device, unsigned int id,
	       const FIXTURE_VARIANT(change) *variant)
{
	bool whole = !variant->change->calls[0].end;
	struct hmm_dmirror_fail_point fail = {
		.id = id,
		.ret = variant->notifier.ret,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.start = change_span(variant->failing),
		.end = change_span_end(variant->failing),
		.skip = whole ? variant->failing : 0,
		.times = whole ? 1 : 0,
	};

	return dmirror_arm(device, &fail);
}

/* What was started, by whom, what was hit, and what was ended. */
static unsigned int check_account(struct __test_metadata *_metadata,
				  struct scene *scene,
				  const FIXTURE_VARIANT(change) *variant,
				  const struct check_starts *starts)
{
	bool end = variant->notifier.kind == RULE_HLIST_END;
	bool repeats = variant->change->flags & CHANGE_REPEATS;
	unsigned int i, hits = 0;

	EXPECT_EQ(0, starts->strange)
		TH_LOG("%s", starts->first_strange);
	EXPECT_EQ(0, starts->wrong_callers)
		TH_LOG("%s", starts->first_wrong);
	EXPECT_EQ(0, starts->window.wrong)
		TH_LOG("%s", starts->window.first_wrong);
	EXPECT_EQ(0, starts->not_left)
		TH_LOG("%s", starts->first_not_left);
	for (i = 0; i < starts->nr; i++) {
		const struct change_expected *e = &starts->expected[i];
		bool hit = e->span == variant->failing;

		EXPECT_LE(1, starts->starts[i])
			TH_LOG("no event %u of %#lx to %#lx, which %s() starts",
			       e->event, e->start, e->end,
			       start_sites[e->site].function);
		if (!repeats)
			EXPECT_GE(1, starts->starts[i]);
		EXPECT_EQ(hit ? starts->starts[i] : 0, starts->hits[i]);
		if (end && hit && fails(&variant->notifier) &&
		    starts->ends[i] == 2 * starts->starts[i]) {
			KNOWN_BUG(BUG_RANGE_END_TWICE);
			scene->surplus_ends[1] += starts->starts[i];
		} else if (end && !e->start && starts->starts[i] == starts->ends[i] + 1 &&
			   !strcmp(start_sites[e->site].function, "change_pud_range")) {
			KNOWN_BUG(BUG_MPROTECT_AT_0);
			scene->surplus_ends[1] = -1;
		} else {
			EXPECT_EQ(end ? starts->starts[i] : 0,
				  starts->ends[i]);
		}
		hits += starts->hits[i];
	}
	return hits;
}

/* Each hit leads to the WARNs and the message that the rule says. */
static void check_report(struct __test_metadata *_metadata,
			 const struct rule_notifier *notifier,
			 unsigned int hits, struct scene *scene)
{
	const struct warn_report *report = &scene->report;
	unsigned int i;

	scene_expect_hits(scene, rule_expect(notifier->kind, RULE_BLOCKABLE,
					     notifier->ret), hits);
	SCENE_CHECK(scene);
	for (i = 0; i < report->messages && i < WARN_MAX_MESSAGES; i++) {
		EXPECT_EQ(notifier->ret, report->message[i].ret);
		EXPECT_EQ(RULE_BLOCKABLE, report->message[i].context);
	}
}

static bool is_invalidated(const struct check_starts *starts, uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < starts->nr; i++)
		if (starts->expected[i].start <= addr &&
		    addr < starts->expected[i].end)
			return true;
	return false;
}

/* The device had to drop its entry, and now sees what the victim sees. */
static void check_mirror(struct __test_metadata *_metadata,
			 const struct device_view *held, struct victim *victim,
			 const struct check_starts *starts, unsigned int spans)
{
	struct device_view memory, mirror;
	unsigned int span, page;

	ASSERT_EQ(0, device_view_compare(&memory, victim->pid, spans));
	ASSERT_EQ(0, device_view_look(&mirror, victim->device, spans));
	for (span = 0; span < spans; span++)
		for (page = 0; page < DEVICE_VIEW_PAGES; page++) {
			uintptr_t addr = change_span(span) + page * CHANGE_PAGE;
			struct device_view_page *p = &mirror.page[span][page];
			struct device_view_page *m = &memory.page[span][page];

			if (held->page[span][page].how < 0)
				continue;
			if (is_invalidated(starts, addr))
				EXPECT_NE(0, p->how)
					TH_LOG("a stale entry at %#lx", addr);
			EXPECT_EQ(m->how < 0, p->how < 0);
			if (m->how >= 0)
				EXPECT_EQ(m->word, p->word);
		}
}

/* Whatever a notifier returns, the change is made, with one start and end for each range. */
TEST_F(change, takes_effect)
{
	const struct change *change = variant->change;
	struct check_starts starts;
	unsigned int hits;

	ASSERT_EQ(0, check_starts_begin(&starts, self->scene.victim.device, change,
					variant->spans, variant->failing,
					window_flags(variant)));
	ASSERT_EQ(0, arm(self->scene.victim.device, self->id, variant));

	EXPECT_EQ(0, change_act(&self->scene.victim, change, variant->spans));

	ASSERT_EQ(0, dmirror_disarm(self->scene.victim.device, self->id));
	ASSERT_EQ(0, check_starts_take(&starts, self->scene.victim.device, self->id,
				       change));
	hits = check_account(_metadata, &self->scene, variant, &starts);
	check_report(_metadata, &variant->notifier, hits, &self->scene);
	EXPECT_EQ(0, change_check(&self->scene.victim, change, variant->spans));
	if (self->mirrors)
		check_mirror(_metadata, &self->held, &self->scene.victim, &starts,
			     variant->spans);

	SCENE_LEAVE(&self->scene);
	SCENE_CHECK(&self->scene);
	site_report_end(change, &starts, fails(&variant->notifier),
			!TEST_HAS_FAILED());
}

/*
 * The end of an mm: an interval notifier is told first that it is released, then
 * of the unmapping; an hlist notifier is released, and called no more.
 */
FIXTURE(ending) {
	struct scene scene;
};

FIXTURE_VARIANT(ending) {
	const struct change *change;
	struct rule_notifier notifier;
	unsigned int starts;	/* of what change_expect() says */
};

#define ENDING(name, kind, notifier, starts)				\
	FIXTURE_VARIANT_ADD(ending, name##_##kind) {			\
		&change_##name, notifier, starts };
#define ENDINGS(name)							\
	ENDING(name, hlist_0, H(0), 1)					\
	ENDING(name, end_0, E(0), 1)					\
	ENDING(name, interval_true, I(true), 2)				\
	ENDING(name, interval_false, I(false), 2)

CHANGES_ENDING(ENDINGS)

FIXTURE_SETUP(ending)
{
	bool mirror = variant->notifier.kind == RULE_INTERVAL;
	const char *node = mirror ? DMIRROR_MIRROR : DMIRROR_BARE;

	SETUP_OR_SKIP(node);
	if (fails(&variant->notifier))
		ASK_OR_SKIP(consent_why_not_splat());
	vm_settings_start();
	site_report_begin(variant->change);
	SCENE_BEGIN_VICTIM(&self->scene, node, 0);
	ASSERT_EQ(0, change_prepare(&self->scene.victim, variant->change, 1));
	if (!mirror)
		ASSERT_EQ(0, scene_add(&self->scene, 1, &variant->notifier));
}

SCENE_TEARDOWN(ending)

/* The mm ends whatever a notifier returns, and the mirror has nothing left. */
TEST_F(ending, is_told)
{
	unsigned int i, id = variant->notifier.kind == RULE_INTERVAL ? 0 : 1;
	int device = self->scene.victim.device;
	struct hmm_dmirror_fail_point fail = {
		.id = id,
		.ret = variant->notifier.ret,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		/* Not of a page that the victim has to copy before it is gone */
		.events = 1 << HMM_DMIRROR_EVENT_RELEASE |
			  1 << HMM_DMIRROR_EVENT_UNMAP,
		.end = -1UL,
	};
	struct device_view view;
	struct check_starts starts;

	ASSERT_EQ(0, device_view_look(&view, device, 1));
	ASSERT_EQ(0, check_starts_begin(&starts, device, variant->change, 1, 0, 0));
	ASSERT_EQ(0, dmirror_arm(device, &fail));

	EXPECT_EQ(0, change_act(&self->scene.victim, variant->change, 1));
	EXPECT_EQ(0, victim_finish(&self->scene.victim));

	ASSERT_EQ(0, check_starts_take(&starts, device, id, variant->change));
	EXPECT_EQ(0, starts.strange)
		TH_LOG("%s", starts.first_strange);
	EXPECT_EQ(0, starts.wrong_callers)
		TH_LOG("%s", starts.first_wrong);
	EXPECT_EQ(0, starts.window.wrong)
		TH_LOG("%s", starts.window.first_wrong);
	EXPECT_EQ(0, starts.not_left)
		TH_LOG("%s", starts.first_not_left);
	ASSERT_EQ(2, starts.nr);
	for (i = 0; i < starts.nr; i++) {
		EXPECT_EQ(i < variant->starts, starts.starts[i]);
		EXPECT_EQ(id ? 0 : 1, starts.hits[i]);
		EXPECT_EQ(0, starts.ends[i]);
	}
	if (!id) {
		scene_expect_hits(&self->scene,
				  rule_expect(RULE_INTERVAL, RULE_RELEASE,
					      variant->notifier.ret), 1);
		scene_expect_hits(&self->scene,
				  rule_expect(RULE_INTERVAL, RULE_BLOCKABLE,
					      variant->notifier.ret), 1);
	}
	ASSERT_EQ(0, device_view_look(&view, device, 1));
	for (i = 0; i < DEVICE_VIEW_PAGES; i++)
		EXPECT_GT(0, view.page[0][i].how);
	SCENE_LEAVE(&self->scene);
	SCENE_CHECK(&self->scene);
	site_report_end(variant->change, &starts, fails(&variant->notifier),
			!TEST_HAS_FAILED());
}

/*
 * The one non-blockable caller: what it starts; the rest is in
 * hmm_notifier_contract.
 */
FIXTURE(reap) {
	struct scene scene;
	unsigned int id;
};

FIXTURE_VARIANT(reap) {
	struct rule_notifier notifier;
};

FIXTURE_VARIANT_ADD(reap, hlist_0) { H(0) };
FIXTURE_VARIANT_ADD(reap, second_hlist_eagain) { H(-EAGAIN) };
FIXTURE_VARIANT_ADD(reap, second_hlist_enomem) { H(-ENOMEM) };
FIXTURE_VARIANT_ADD(reap, end_0) { E(0) };
FIXTURE_VARIANT_ADD(reap, second_end_eagain) { E(-EAGAIN) };
FIXTURE_VARIANT_ADD(reap, second_end_enomem) { E(-ENOMEM) };
FIXTURE_VARIANT_ADD(reap, interval_true) { I(true) };
FIXTURE_VARIANT_ADD(reap, second_interval_false) { I(false) };

FIXTURE_SETUP(reap)
{
	bool mirror = variant->notifier.kind == RULE_INTERVAL;
	const char *node = mirror ? DMIRROR_MIRROR : DMIRROR_BARE;

	SETUP_OR_SKIP(node);
	if (warns_of(&variant->notifier, RULE_NON_BLOCKABLE))
		ASK_OR_SKIP(consent_why_not_splat());
	vm_settings_start();
	site_report_begin(&change_reap);
	self->id = mirror ? 0 : 1;
	SCENE_BEGIN_VICTIM(&self->scene, node, 0);
	ASSERT_EQ(0, change_prepare(&self->scene.victim, &change_reap, 3));
	if (!mirror)
		ASSERT_EQ(0, scene_add(&self->scene, 1, &variant->notifier));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(reap)

/* A VMA whose start fails is left alone and never ended by the caller. */
TEST_F(reap, leaves_what_failed)
{
	const struct rule_outcome *outcome = rule_expect(variant->notifier.kind,
							 RULE_NON_BLOCKABLE,
							 variant->notifier.ret);
	bool end = variant->notifier.kind == RULE_HLIST_END;
	struct hmm_dmirror_fail_point fail = {
		.id = self->id,
		.ret = variant->notifier.ret,
		.contexts = HMM_DMIRROR_NON_BLOCKABLE,
		.start = change_span(1),
		.end = change_span(2),
	};
	int device = self->scene.victim.device;
	struct device_view memory;
	struct check_starts starts;
	unsigned int i;

	ASSERT_EQ(0, check_starts_begin(&starts, device, &change_reap, 3, 1,
					end ? CHECK_STARTS_ENDS : 0));
	ASSERT_EQ(0, dmirror_arm(device, &fail));

	EXPECT_EQ(outcome->fails ? -EAGAIN : 0, victim_reap(&self->scene.victim));

	ASSERT_EQ(0, check_starts_take(&starts, device, self->id, &change_reap));
	EXPECT_EQ(0, starts.strange)
		TH_LOG("%s", starts.first_strange);
	EXPECT_EQ(0, starts.wrong_callers)
		TH_LOG("%s", starts.first_wrong);
	EXPECT_EQ(0, starts.window.wrong)
		TH_LOG("%s", starts.window.first_wrong);
	EXPECT_EQ(0, starts.not_left)
		TH_LOG("%s", starts.first_not_left);
	ASSERT_EQ(0, device_view_compare(&memory, self->scene.victim.pid, 3));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, starts.starts[i]);
		EXPECT_EQ(i == 1, starts.hits[i]);
		EXPECT_EQ(end, starts.ends[i]);
		EXPECT_EQ(outcome->fails && i == 1,
			  !memory.page[i][0].how);
	}
	scene_expect_hits(&self->scene, outcome, 1);
	SCENE_LEAVE(&self->scene);
	SCENE_CHECK(&self->scene);
	site_report_end(&change_reap, &starts, fails(&variant->notifier),
			!TEST_HAS_FAILED());
}

/* Each call site of this kernel is reached by some change. */
TEST(each_callsite_has_a_change)
{
	const void *variant = NULL;
	struct scene scene;
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&scene);
	for (i = 0; i < start_sites_nr; i++)
		EXPECT_TRUE(site_report_has_change(i))
			TH_LOG("nothing goes to %s", start_sites[i].function);
	SCENE_END(&scene);
}

int main(int argc, char **argv)
{
	/* Called again by change_exec, which needs no more than another mm. */
	if (!strcmp(argv[0], CHANGE_EXECED))
		return 0;
	site_report_start();
	return test_harness_run(argc, argv);
}
