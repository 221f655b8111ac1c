// SPDX-License-Identifier: GPL-2.0
/*
 * A callback that allocates: it may wait for memory that only its own invalidation can
 * free. The kernel has an annotation for lockdep around callbacks, which reports that
 * without a shortage of memory.
 *
 * lockdep reports once and is then off, so this program's name comes last. A callback
 * that sleeps is in hmm_notifier_oom.
 */
#include "core/kernel_checks.h"
#include "hmm_notifier.h"

#define LOCK_SPLAT	"WARNING: possible recursive locking detected"
#define SLEEP_SPLAT	"BUG: sleeping function called from invalid context"

/* Whatever it found, before the first test or in one, it tells of nothing else now. */
TEST(lockdep_has_found_nothing)
{
	const void *variant = NULL;
	struct scene scene;
	char report[256];

	SETUP_OR_SKIP(DMIRROR_BARE);
	if (!kernel_has_lockdep())
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING)");
	SCENE_BEGIN(&scene);
	EXPECT_TRUE(kernel_checks_locks()) {
		kernel_lockdep_report(report, sizeof(report));
		TH_LOG("lockdep is off: %s", report);
	}
	SCENE_END(&scene);
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

	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	if (!kernel_checks_locks())
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING), or it is off");
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

	scene_expect_splats(&self->scene, LOCK_SPLAT, 1);
	scene_expect_splats(&self->scene, SLEEP_SPLAT, kernel_checks_sleep());

	EXPECT_EQ(0, victim_reap(&self->scene.victim));

	ASSERT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &counts));
	ASSERT_EQ(1, counts.hits);
	SCENE_CHECK(&self->scene);
	EXPECT_STREQ(LOCK_SPLAT, self->scene.report.first_other);
	EXPECT_FALSE(kernel_checks_locks());
}

TEST_HARNESS_MAIN
