// SPDX-License-Identifier: GPL-2.0
/*
 * What this program claims, in a sentence or two: an hlist notifier that fails
 * when it may not block is told to try again, whatever it returned.
 */
#include <errno.h>

#include "hmm_notifier.h"

FIXTURE(template) {
	struct scene scene;
};

FIXTURE_VARIANT(template) {
	int ret;
};

FIXTURE_VARIANT_ADD(template, nonblock_eagain) { -EAGAIN };
FIXTURE_VARIANT_ADD(template, nonblock_enomem) { -ENOMEM };

FIXTURE_SETUP(template)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(template)

/* A reaping that fails says -EAGAIN, and WARNs as the rule says. */
TEST_F(template, says_try_again)
{
	struct victim *victim = &self->scene.victim;
	__u64 hits;

	ASSERT_EQ(0, fail_point_arm(victim->device, 0, RULE_NON_BLOCKABLE, 1, variant->ret));
	scene_expect_hits(&self->scene,
			  rule_expect(RULE_HLIST, RULE_NON_BLOCKABLE, variant->ret), 1);

	EXPECT_EQ(-EAGAIN, victim_reap(victim));

	ASSERT_EQ(0, dmirror_disarm_hits(victim->device, 1, &hits));
	EXPECT_EQ(1, hits);
}

TEST_HARNESS_MAIN
