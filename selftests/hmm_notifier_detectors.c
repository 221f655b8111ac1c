// SPDX-License-Identifier: GPL-2.0
/*
 * Each detector of WARNs that a machine has sees each class of illegal failure, by itself
 * and exactly once.
 *
 * The taint flag is never cleared, so it can be tested once in each boot: run
 * alone, or by run_tests.sh --panic-on-warn, which boots once for each class and
 * makes the table of who saw what.
 *
 * With HMM_NOTIFIER_MAY_PANIC=1 on a kernel with panic_on_warn, any of these is
 * the last thing that the kernel does.
 */
#include <errno.h>

#include "core/detector.h"
#include "hmm_notifier.h"

/*
 * Each detector counts WARNs; the first call of one that counts from its first
 * call on is 0. Negative: it does not work.
 */
static long count_in_trace(struct kmsg *kmsg)
{
	static long counted;
	int more = detector_trace_read();

	(void)kmsg;
	counted += more;
	return more < 0 ? more : counted;
}

static long count_by_kernel(struct kmsg *kmsg)
{
	(void)kmsg;
	return detector_warn_count();
}

static long count_taint(struct kmsg *kmsg)
{
	(void)kmsg;
	return detector_taint();
}

static long count_titles(struct kmsg *kmsg)
{
	struct kmsg_record record;
	static long counted;
	char title[128];
	int ret;

	while ((ret = kmsg_next(kmsg, &record)) > 0)
		counted += detector_title(record.text, title, sizeof(title)) &&
			   (!strncmp(title, "WARNING in __mmu_notifier_", 26) ||
			    !strncmp(title, "WARNING in mn_", 14));
	return ret < 0 ? ret : counted;
}

static const char *why_not_trace(void)
{
	return detector_trace_start() ? NULL :
		"no error_report tracepoint (5.17, CONFIG_TRACING)";
}

static const char *why_not_count(void)
{
	return detector_warn_count() < 0 ? "no /sys/kernel/warn_count (6.2)" :
					   NULL;
}

static const char *why_not_taint(void)
{
	return detector_taint() == 1 ?
		"a WARN has tainted this kernel since it booted" : NULL;
}

static const char *why_not_console(void)
{
	return NULL;
}

FIXTURE(detector) {
	struct scene scene;
	struct kmsg kmsg;
};

FIXTURE_VARIANT(detector) {
	const char *(*why_not)(void);
	long (*count)(struct kmsg *kmsg);
	enum rule_context context;
	struct rule_notifier notifier;
};

/* The flag first: the others set it. */
#define SEEN(name, context, kind, ret)					\
	FIXTURE_VARIANT_ADD(detector, taint_sees_##name) {		\
		why_not_taint, count_taint, context, { kind, ret } };	\
	FIXTURE_VARIANT_ADD(detector, warn_count_sees_##name) {		\
		why_not_count, count_by_kernel, context, { kind, ret } }; \
	FIXTURE_VARIANT_ADD(detector, tracepoint_sees_##name) {		\
		why_not_trace, count_in_trace, context, { kind, ret } }; \
	FIXTURE_VARIANT_ADD(detector, console_sees_##name) {		\
		why_not_console, count_titles, context, { kind, ret } }

SEEN(blockable_eagain, RULE_BLOCKABLE, RULE_HLIST, -EAGAIN);
SEEN(blockable_errno, RULE_BLOCKABLE, RULE_HLIST, -ENOMEM);
SEEN(nonblock_errno, RULE_NON_BLOCKABLE, RULE_HLIST, -ENOMEM);
SEEN(failure_with_range_end, RULE_NON_BLOCKABLE, RULE_HLIST_END, -EAGAIN);
SEEN(blockable_interval_false, RULE_BLOCKABLE, RULE_INTERVAL, false);

/* Announces the WARN that comes: the log of a kernel that panics there shows it. */
static void announce(const FIXTURE_VARIANT(detector) *variant)
{
	const struct rule_outcome *outcome =
		rule_expect(variant->notifier.kind, variant->context,
			    variant->notifier.ret);
	int site, first, last;

	for (site = 0; site < RULE_NR_SITES; site++)
		if (outcome->warns[site] && warn_site_lines(site, &first, &last))
			kmsg_write("hmm_notifier: WARN due at mm/mmu_notifier.c:%d-%d\n",
				   first, last);
}

FIXTURE_SETUP(detector)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	ASK_OR_SKIP(variant->why_not());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	/* There is one reader of the trace. */
	self->scene.watch.trace = false;
	ASSERT_EQ(0, kmsg_open(&self->kmsg));
	ASSERT_EQ(0, scene_add(&self->scene, 1, &variant->notifier));
	ASSERT_EQ(0, fail_point_arm(self->scene.victim.device, 0, variant->context, 1,
				    variant->notifier.ret));
	if (variant->context == RULE_NON_BLOCKABLE)
		ASSERT_EQ(0, victim_freeze(&self->scene.victim));
	announce(variant);
}

SCENE_TEARDOWN(detector)

/* One WARN more than before */
TEST_F(detector, as_one)
{
	__u64 hits;
	long before;

	scene_expect_hits(&self->scene,
			  rule_expect(variant->notifier.kind,
				      variant->context,
				      variant->notifier.ret), 1);
	before = variant->count(&self->kmsg);
	ASSERT_LE(0, before);

	if (variant->context == RULE_BLOCKABLE)
		victim_munmap(&self->scene.victim, 0);
	else
		victim_reap(&self->scene.victim);

	/* The end of the mm is another one. */
	ASSERT_EQ(0, dmirror_disarm_hits(self->scene.victim.device, 1, &hits));
	ASSERT_EQ(1, hits);
	ASSERT_EQ(1, warns_of(&variant->notifier, variant->context));
	EXPECT_EQ(before + 1, variant->count(&self->kmsg));
}

TEST_HARNESS_MAIN
