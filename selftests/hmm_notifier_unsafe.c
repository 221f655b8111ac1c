// SPDX-License-Identifier: GPL-2.0
/*
 * A callback that allocates: memory may be short just because of what it has to
 * help with. The kernel has an annotation for lockdep around the callbacks, which
 * needs no shortage to tell.
 *
 * It tells once: lockdep is off after its first report. So this program's name
 * is the last one. A callback that sleeps is in hmm_notifier_oom.
 */
#include "../lib/debug.h"
#include "hmm_notifier.h"

#define LOCK_SPLAT	"WARNING: possible recursive locking detected"
#define SLEEP_SPLAT	"BUG: sleeping function called from invalid context"

/* Whatever it found, before the first test or in one, it tells of nothing else now. */
TEST(lockdep_has_found_nothing)
{
	char report[256];

	if (!debug_has_lockdep())
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING)");
	EXPECT_TRUE(debug_sees_locks()) {
		debug_lockdep_report(report, sizeof(report));
		TH_LOG("lockdep is off: %s", report);
	}
}

FIXTURE(callback) {
	struct victim victim;
	struct warn_watch watch;
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

	SETUP_OR_SKIP(DMIRROR_BARE, &self->watch);
	ASK_OR_SKIP(consent_splat());
	if (!debug_sees_locks())
		SKIP(return, "no lockdep (CONFIG_PROVE_LOCKING), or it is off");
	ASSERT_EQ(0, victim_start(&self->victim, DMIRROR_BARE));
	ASSERT_EQ(0, victim_populate(&self->victim, 1));
	ASSERT_EQ(0, dmirror_add(self->victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, dmirror_arm(self->victim.device, &fail));
	ASSERT_EQ(0, victim_freeze(&self->victim));
}

FIXTURE_TEARDOWN(callback)
{
	EXPECT_EQ(0, victim_finish(&self->victim));
	EXPECT_EQ(0, victim_close(&self->victim));
	warn_close(&self->watch);
	mark_test(_metadata, variant, "end");
}

/* An allocation may sleep as well, which is the next report if that is checked. */
TEST_F(callback, that_allocates_is_reported)
{
	struct hmm_dmirror_counts counts;
	struct warn_report report;

	kmsg_write("hmm_notifier: expect " LOCK_SPLAT "\n");
	kmsg_write("hmm_notifier: expect " SLEEP_SPLAT "\n");

	EXPECT_EQ(0, victim_reap(&self->victim));

	ASSERT_EQ(0, dmirror_counts(self->victim.device, 1, &counts));
	ASSERT_EQ(1, counts.hits);
	EXPECT_EQ(0, warn_stop(&self->watch, &report)) {
		TH_LOG("%s", report.why);
	}
	EXPECT_EQ(0, sum_warns(report.warns));
	EXPECT_EQ(1 + debug_sees_sleep(), report.others);
	EXPECT_STREQ(LOCK_SPLAT, report.first_other);
	EXPECT_FALSE(debug_sees_locks());
}

TEST_HARNESS_MAIN
