// SPDX-License-Identifier: GPL-2.0
/*
 * Failures now and then, here and there, and in a mirror.
 * hmm_notifier_contract has all kinds, values and combinations; here each is
 * one that shows what else matters.
 */
#include <errno.h>
#include <sys/mman.h>

#include "hmm_notifier.h"

#define NON_BLOCKABLE	0
#define BLOCKABLE	1

#define H(ret)	{ RULE_HLIST, ret }
#define E(ret)	{ RULE_HLIST_END, ret }
#define I(ret)	{ RULE_INTERVAL, ret }

/*
 * The same invalidation four times, of which some fail.
 */
#define ROUNDS 4

FIXTURE(often) {
	struct victim victim;
	struct warn_watch watch;
};

FIXTURE_VARIANT(often) {
	bool blockable;
	struct rule_notifier notifier;
	unsigned int skip;
	unsigned int times;
	bool hit[ROUNDS];
};

#define ALWAYS	0, 0, { true, true, true, true }
#define ONCE	0, 1, { true, false, false, false }
#define THIRD	2, 1, { false, false, true, false }
#define LATER	1, 2, { false, true, true, false }

#define OFTEN(name, blockable, notifier)				\
	FIXTURE_VARIANT_ADD(often, name##_always) {			\
		blockable, notifier, ALWAYS };				\
	FIXTURE_VARIANT_ADD(often, name##_once) {			\
		blockable, notifier, ONCE };				\
	FIXTURE_VARIANT_ADD(often, name##_third) {			\
		blockable, notifier, THIRD };				\
	FIXTURE_VARIANT_ADD(often, name##_second_and_third) {		\
		blockable, notifier, LATER }

OFTEN(hlist_nonblock_eagain, NON_BLOCKABLE, H(-EAGAIN));
OFTEN(hlist_nonblock_enomem, NON_BLOCKABLE, H(-ENOMEM));
OFTEN(hlist_block_eagain, BLOCKABLE, H(-EAGAIN));
OFTEN(interval_nonblock_false, NON_BLOCKABLE, I(false));
OFTEN(interval_block_false, BLOCKABLE, I(false));

FIXTURE_SETUP(often)
{
	SETUP_OR_SKIP(DMIRROR_BARE, &self->watch);
	if (warns_of(&variant->notifier, variant->blockable))
		ASK_OR_SKIP(consent_splat());
	ASSERT_EQ(0, victim_start(&self->victim, DMIRROR_BARE));
	ASSERT_EQ(0, victim_populate(&self->victim, 1));
	ASSERT_EQ(0, region_add(self->victim.device, 1, &variant->notifier));
	if (!variant->blockable)
		ASSERT_EQ(0, victim_freeze(&self->victim));
}

FIXTURE_TEARDOWN(often)
{
	EXPECT_EQ(0, victim_finish(&self->victim));
	EXPECT_EQ(0, victim_close(&self->victim));
	warn_close(&self->watch);
	mark_test(_metadata, variant, "end");
}

/* A fail point hits the calls that it names, and each hit is judged alone. */
TEST_F(often, fails_just_then)
{
	struct hmm_dmirror_fail_point fail = region_fail_point(0, variant->blockable, 1,
						     variant->notifier.ret);
	const struct rule_outcome *failed = rule_expect(variant->notifier.kind,
							variant->blockable,
							variant->notifier.ret);
	unsigned int hits = 0, expected[RULE_NR_SITES], site, round;
	struct warn_report report;
	int result;

	fail.skip = variant->skip;
	fail.times = variant->times;
	ASSERT_EQ(0, dmirror_arm(self->victim.device, &fail));

	for (round = 0; round < ROUNDS; round++) {
		result = variant->blockable ?
				victim_dontneed(&self->victim, 0) :
				victim_reap(&self->victim);
		EXPECT_EQ(variant->hit[round] && failed->fails ? -EAGAIN : 0,
			  result);
		hits += variant->hit[round];
	}

	EXPECT_EQ(0, dmirror_disarm_hits(self->victim.device, 1, &fail.hits));
	EXPECT_EQ(hits, fail.hits);
	for (site = 0; site < RULE_NR_SITES; site++)
		expected[site] = hits * failed->warns[site];
	EXPECT_NO_OTHER_SPLAT(&self->watch, &report);
	EXPECT_WARNS(expected, &report);
	EXPECT_EQ(hits * failed->message, report.messages);
	EXPECT_EQ(0, region_soundness(self->victim.device));
}

/*
 * Three ranges are reaped in one go, the middle one fails.
 */
FIXTURE(partly) {
	struct victim victim;
	struct warn_watch watch;
};

FIXTURE_VARIANT(partly) {
	struct rule_notifier notifier;
};

FIXTURE_VARIANT_ADD(partly, hlist_eagain) { H(-EAGAIN) };
FIXTURE_VARIANT_ADD(partly, hlist_enomem) { H(-ENOMEM) };
FIXTURE_VARIANT_ADD(partly, end_eagain) { E(-EAGAIN) };
FIXTURE_VARIANT_ADD(partly, interval_false) { I(false) };

FIXTURE_SETUP(partly)
{
	SETUP_OR_SKIP(DMIRROR_BARE, &self->watch);
	if (warns_of(&variant->notifier, NON_BLOCKABLE))
		ASK_OR_SKIP(consent_splat());
	ASSERT_EQ(0, victim_start(&self->victim, DMIRROR_BARE));
	ASSERT_EQ(0, victim_populate(&self->victim, 3));
	ASSERT_EQ(0, region_add(self->victim.device, 1, &variant->notifier));
	ASSERT_EQ(0, victim_freeze(&self->victim));
}

FIXTURE_TEARDOWN(partly)
{
	EXPECT_EQ(0, victim_finish(&self->victim));
	EXPECT_EQ(0, victim_close(&self->victim));
	warn_close(&self->watch);
	mark_test(_metadata, variant, "end");
}

/* The VMA that failed is left alone, the others are reaped all the same. */
TEST_F(partly, reaps_the_others)
{
	const struct rule_outcome *failed = rule_expect(variant->notifier.kind,
							NON_BLOCKABLE,
							variant->notifier.ret);
	struct warn_report report;
	__u64 hits;

	ASSERT_EQ(0, region_arm(self->victim.device, 1, NON_BLOCKABLE, 1,
				variant->notifier.ret));
	EXPECT_EQ(-EAGAIN, victim_reap(&self->victim));
	EXPECT_EQ(0, dmirror_disarm_hits(self->victim.device, 1, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(0, victim_resident(&self->victim, 0));
	EXPECT_EQ(VICTIM_REGION_PAGES, victim_intact(&self->victim, 1));
	EXPECT_EQ(0, victim_resident(&self->victim, 2));
	EXPECT_NO_OTHER_SPLAT(&self->watch, &report);
	EXPECT_WARNS(failed->warns, &report);

	/* Nothing is armed any more: the rest goes, too. */
	EXPECT_EQ(0, victim_reap(&self->victim));
	EXPECT_EQ(0, victim_resident(&self->victim, 1));
	EXPECT_EQ(0, region_soundness(self->victim.device));
}

/*
 * A device that mirrors, whose own notifier fails.
 */
FIXTURE(mirror) {
	struct victim victim;
	struct warn_watch watch;
};

FIXTURE_SETUP(mirror)
{
	SETUP_OR_SKIP(DMIRROR_MIRROR, &self->watch);
	ASSERT_EQ(0, victim_start(&self->victim, DMIRROR_MIRROR));
	ASSERT_EQ(0, victim_populate(&self->victim, 1));
}

FIXTURE_TEARDOWN(mirror)
{
	EXPECT_EQ(0, victim_finish(&self->victim));
	EXPECT_EQ(0, victim_close(&self->victim));
	warn_close(&self->watch);
	mark_test(_metadata, variant, "end");
}

static int device_reads(void *arg)
{
	uintptr_t *word = arg;

	return dmirror_read(*word, victim_start_of(0), arg, 1);
}

/* What the device reads at the start of region 0, or -errno */
static long first_word(int device)
{
	uintptr_t *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long word;
	int err;

	if (page == MAP_FAILED)
		return -errno;
	page[0] = device;
	err = bounded_call(device_reads, page);
	word = page[0];
	munmap(page, getpagesize());
	return err ?: word;
}

/* A blockable failure is reported, then ignored: the device sees the change. */
TEST_F(mirror, keeps_nothing_stale)
{
	const struct rule_outcome *expected = rule_expect(RULE_INTERVAL,
							  BLOCKABLE, false);
	int device = self->victim.device;
	struct warn_report report;
	__u64 hits;

	ASK_OR_SKIP(consent_splat());

	ASSERT_EQ((long)victim_start_of(0), first_word(device));

	ASSERT_EQ(0, region_arm(device, 0, BLOCKABLE, 0, false));
	EXPECT_EQ(0, victim_dontneed(&self->victim, 0));
	EXPECT_EQ(0, dmirror_disarm_hits(device, 0, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(0, first_word(device));
	EXPECT_NO_OTHER_SPLAT(&self->watch, &report);
	EXPECT_WARNS(expected->warns, &report);
}

/* A mirror that can't let go without blocking keeps its memory, silently. */
TEST_F(mirror, keeps_what_it_refused)
{
	struct warn_report report;
	unsigned int none[RULE_NR_SITES] = {};
	int device = self->victim.device;
	__u64 hits;

	ASSERT_EQ((long)victim_start_of(0), first_word(device));
	ASSERT_EQ(0, victim_freeze(&self->victim));

	ASSERT_EQ(0, region_arm(device, 0, NON_BLOCKABLE, 0, false));
	EXPECT_EQ(-EAGAIN, victim_reap(&self->victim));
	EXPECT_EQ(0, dmirror_disarm_hits(device, 0, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(VICTIM_REGION_PAGES, victim_intact(&self->victim, 0));
	EXPECT_EQ((long)victim_start_of(0), first_word(device));
	EXPECT_EQ(0, victim_reap(&self->victim));
	EXPECT_EQ(0, victim_resident(&self->victim, 0));
	/* The device can't fault it in again: the mm is unstable. */
	EXPECT_GT(0, first_word(device));
	EXPECT_NO_OTHER_SPLAT(&self->watch, &report);
	EXPECT_WARNS(none, &report);
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
