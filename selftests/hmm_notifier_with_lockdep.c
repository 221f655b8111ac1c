// SPDX-License-Identifier: GPL-2.0
/*
 * What a callback must not do, for it can deadlock: allocate, as it may wait for memory
 * that only its own invalidation can free; lock a mutex under which somebody waits for
 * invalidations. The kernel has annotations by which lockdep reports that without a
 * deadlock. A callback that sleeps is in hmm_notifier_oom.
 *
 * lockdep reports once and is then off: each test that has it report wants a boot of its
 * own, and this program's name comes last.
 */
#include "core/kernel_checks.h"
#include "hmm_notifier.h"

#define RECURSION_SPLAT	"WARNING: possible recursive locking detected"
#define CIRCLE_SPLAT	"WARNING: possible circular locking dependency detected"
#define SLEEP_SPLAT	"BUG: sleeping function called from invalid context"
/* __mmu_notifier_invalidate_range_start_map, as lockdep prints it */
#define MAP		"(mmu_notifier_invalidate_range_start)"

/* Whatever it found, before the first test or in one, it tells of nothing else now. */
TEST(lockdep_has_found_nothing)
{
	struct lockdep_report report;
	const void *variant = NULL;
	struct scene scene;

	SETUP_OR_SKIP(DMIRROR_BARE);
	if (!kernel_has_lockdep())
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING)");
	SCENE_BEGIN(&scene);
	EXPECT_TRUE(kernel_checks_locks()) {
		kernel_lockdep_report(&report);
		TH_LOG("lockdep is off: %s", report.title);
	}
	SCENE_END(&scene);
}

#define WITH_LOCKDEP_OR_SKIP() do {					\
	SETUP_OR_SKIP(DMIRROR_BARE);					\
	ASK_OR_SKIP(consent_why_not_splat());				\
	if (!kernel_checks_locks())					\
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING), or it is off"); \
} while (0)

FIXTURE(mutex) {
	struct scene scene;
};

/* The device's mutex, which each of these callbacks locks */
FIXTURE_VARIANT(mutex) {
	unsigned int kind;
	unsigned int act;
	int (*under)(int device, unsigned int id); /* what the device calls with it locked */
	int (*without)(int device, unsigned int id); /* and with it unlocked */
	const char *closes;	/* where the kernel takes the map with it locked */
};

/* First those of which nothing is reported, so that all of them run in one boot. */
FIXTURE_VARIANT_ADD(mutex, not_across_read_begin) {
	.kind = HMM_DMIRROR_INTERVAL,
	.act = HMM_DMIRROR_ACT_LOCK,
	.without = dmirror_read_begin,
};

FIXTURE_VARIANT_ADD(mutex, not_across_remove) {
	.kind = HMM_DMIRROR_INTERVAL,
	.act = HMM_DMIRROR_ACT_LOCK,
	.without = dmirror_del,
};

FIXTURE_VARIANT_ADD(mutex, not_to_the_end) {
	.kind = HMM_DMIRROR_HLIST_END,
	.act = HMM_DMIRROR_ACT_LOCK,
};

FIXTURE_VARIANT_ADD(mutex, held_across_read_begin) {
	.kind = HMM_DMIRROR_INTERVAL,
	.act = HMM_DMIRROR_ACT_LOCK,
	.under = dmirror_read_begin,
	.closes = ", at: mmu_interval_read_begin+",
};

FIXTURE_VARIANT_ADD(mutex, held_across_remove) {
	.kind = HMM_DMIRROR_INTERVAL,
	.act = HMM_DMIRROR_ACT_LOCK,
	.under = dmirror_del,
	.closes = ", at: mmu_interval_notifier_remove+",
};

FIXTURE_VARIANT_ADD(mutex, held_to_the_end) {
	.kind = HMM_DMIRROR_HLIST_END,
	.act = HMM_DMIRROR_ACT_LOCK_TO_END,
	.closes = ", at: __mmu_notifier_invalidate_range_end+",
};

FIXTURE_SETUP(mutex)
{
	struct hmm_dmirror_fail_point fail = fail_point_in(0, RULE_BLOCKABLE, 1, 0);
	bool interval = variant->kind == HMM_DMIRROR_INTERVAL;

	WITH_LOCKDEP_OR_SKIP();
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1, variant->kind,
				 interval ? victim_start_of(0) : 0,
				 interval ? victim_end_of(0) : 0));
	fail.act = variant->act;
	fail.ret = interval;	/* true, or 0: it agrees */
	ASSERT_EQ(0, dmirror_arm(self->scene.victim.device, &fail));
}

SCENE_TEARDOWN(mutex)

/* It is reported where it can deadlock, though it does not, and nowhere else. */
TEST_F(mutex, is_reported_if_it_can_deadlock)
{
	int device = self->scene.victim.device;
	struct hmm_dmirror_counts counts;
	struct lockdep_report report;

	scene_expect_splats(&self->scene, CIRCLE_SPLAT, !!variant->closes);

	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 0));
	ASSERT_EQ(0, dmirror_counts(device, 1, &counts));
	ASSERT_EQ(1, counts.hits);
	if (variant->under)
		ASSERT_EQ(0, variant->under(device, 1));
	if (variant->without) {
		ASSERT_EQ(0, dmirror_disarm(device, 1));
		ASSERT_EQ(0, variant->without(device, 1));
	}

	SCENE_CHECK(&self->scene);
	EXPECT_EQ(!variant->closes, kernel_checks_locks());
	if (!variant->closes || TEST_HAS_FAILED())
		return;
	EXPECT_STREQ(CIRCLE_SPLAT, self->scene.report.first_other);
	kernel_lockdep_report(&report);
	EXPECT_STREQ(CIRCLE_SPLAT, report.title);
	EXPECT_NE(NULL, strstr(report.wanted, MAP)) {
		TH_LOG("wanted: %s", report.wanted);
	}
	EXPECT_NE(NULL, strstr(report.wanted, variant->closes)) {
		TH_LOG("wanted: %s", report.wanted);
	}
	EXPECT_NE(NULL, strstr(report.held, "act_mutex")) {
		TH_LOG("held: %s", report.held);
	}
}

FIXTURE(callback) {
	struct scene scene;
};

FIXTURE_SETUP(callback)
{
	struct hmm_dmirror_fail_point fail = {
		.id = 1,
		.contexts = HMM_DMIRROR_NON_BLOCKABLE,
		.start = victim_start_of(0),
		.end = victim_end_of(0),
		.act = HMM_DMIRROR_ACT_ALLOC,
	};

	WITH_LOCKDEP_OR_SKIP();
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, dmirror_arm(self->scene.victim.device, &fail));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(callback)

/* An allocation may sleep as well, which is the next report if that is checked. */
TEST_F(callback, that_allocates_is_reported)
{
	struct hmm_dmirror_counts counts;

	scene_expect_splats(&self->scene, RECURSION_SPLAT, 1);
	scene_expect_splats(&self->scene, SLEEP_SPLAT, kernel_checks_sleep());

	EXPECT_EQ(0, victim_reap(&self->scene.victim));

	ASSERT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &counts));
	ASSERT_EQ(1, counts.hits);
	SCENE_CHECK(&self->scene);
	EXPECT_STREQ(RECURSION_SPLAT, self->scene.report.first_other);
	EXPECT_FALSE(kernel_checks_locks());
}

TEST_HARNESS_MAIN
