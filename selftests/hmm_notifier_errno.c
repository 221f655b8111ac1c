// SPDX-License-Identifier: GPL-2.0
/*
 * Each errno that there is, in the non-blockable context: just one is legal.
 * hmm_notifier_contract has the kinds, contexts and combinations, with few
 * values; a kernel that excuses one errno more would get past those.
 */
#include <errno.h>

#include "hmm_notifier.h"

#define NON_BLOCKABLE 0

FIXTURE(sweep) {
	struct victim victim;
	struct warn_watch watch;
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
	SETUP_OR_SKIP(DMIRROR_BARE, &self->watch);
	ASK_OR_SKIP(consent_splat());
	ASSERT_EQ(0, victim_start(&self->victim, DMIRROR_BARE));
	ASSERT_EQ(0, victim_populate(&self->victim, 1));
	ASSERT_EQ(0, dmirror_add(self->victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, victim_freeze(&self->victim));
}

FIXTURE_TEARDOWN(sweep)
{
	EXPECT_EQ(0, victim_finish(&self->victim));
	EXPECT_EQ(0, victim_close(&self->victim));
	warn_close(&self->watch);
	mark_test(_metadata, variant, "end");
}

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
	const struct rule_outcome *expected;
	struct warn_report report;
	int error;

	for (error = variant->first; error <= variant->last; error++) {
		expected = rule_expect(RULE_HLIST, NON_BLOCKABLE, -error);

		EXPECT_EQ(-EAGAIN, reap_with(&self->victim, -error));

		EXPECT_NO_OTHER_SPLAT(&self->watch, &report);
		EXPECT_WARNS(expected->warns, &report);
		ASSERT_EQ(1, report.messages) {
			TH_LOG("with -%d", error);
		}
		EXPECT_EQ(-error, report.message[0].ret);
	}
	EXPECT_EQ(VICTIM_REGION_PAGES, victim_intact(&self->victim, 0));
}

TEST_HARNESS_MAIN
