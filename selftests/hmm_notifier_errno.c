// SPDX-License-Identifier: GPL-2.0
/*
 * Each errno that there is, in the non-blockable context: just one is legal.
 * hmm_notifier_contract has the kinds, contexts and combinations, with few
 * values; a kernel that excuses one errno more would get past those.
 */
#include <errno.h>

#include "hmm_notifier.h"

FIXTURE(sweep) {
	struct scene scene;
};

FIXTURE_VARIANT(sweep) {
	int first, last;
};

/* include/uapi/asm-generic/errno.h, then include/linux/errno.h */
FIXTURE_VARIANT_ADD(sweep, errno_1_to_66) { 1, 66 };
FIXTURE_VARIANT_ADD(sweep, errno_67_to_133) { 67, 133 };
FIXTURE_VARIANT_ADD(sweep, errno_512_to_531) { 512, 531 };

FIXTURE_SETUP(sweep)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(sweep)

/* The victim stands still, so it can be reaped again with the next errno. */
static int reap_with(struct victim *victim, int ret)
{
	struct hmm_dmirror_fail_point fail = {
		.id = 1,
		.ret = ret,
		.contexts = HMM_DMIRROR_NON_BLOCKABLE,
		.start = victim_start_of(0),
		.end = victim_end_of(0),
	};
	int err = dmirror_arm(victim->device, &fail);

	return err ?: victim_reap(victim);
}

/* -EAGAIN is silent, each other errno WARNs once, and all fail the start. */
TEST_F(sweep, only_eagain_is_legal)
{
	const struct warn_report *report = &self->scene.report;
	int error;

	for (error = variant->first; error <= variant->last; error++) {
		scene_expect_hits(&self->scene,
				  rule_expect(RULE_HLIST, RULE_NON_BLOCKABLE, -error),
				  1);

		EXPECT_EQ(-EAGAIN, reap_with(&self->scene.victim, -error));

		SCENE_CHECK(&self->scene);
		ASSERT_EQ(1, report->messages) {
			TH_LOG("with -%d", error);
		}
		EXPECT_EQ(-error, report->message[0].ret);
	}
	EXPECT_EQ(VICTIM_MAPPING_PAGES, victim_intact(&self->scene.victim, 0));
}

TEST_HARNESS_MAIN
