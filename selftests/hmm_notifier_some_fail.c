// SPDX-License-Identifier: GPL-2.0
/*
 * Failures of some calls only: now and then, in one range of three, and in a mirror.
 * hmm_notifier_contract has all kinds, values and combinations.
 */
#include <errno.h>
#include <sys/mman.h>

#include "hmm_notifier.h"

#define H(ret)	{ RULE_HLIST, ret }
#define E(ret)	{ RULE_HLIST_END, ret }
#define I(ret)	{ RULE_INTERVAL, ret }

/*
 * The same invalidation four times, of which some fail.
 */
#define ROUNDS 4

FIXTURE(often) {
	struct scene scene;
};

FIXTURE_VARIANT(often) {
	enum rule_context context;
	struct rule_notifier notifier;
	unsigned int skip;
	unsigned int times;
	bool hit[ROUNDS];
};

#define ALWAYS	0, 0, { true, true, true, true }
#define ONCE	0, 1, { true, false, false, false }
#define THIRD	2, 1, { false, false, true, false }
#define LATER	1, 2, { false, true, true, false }

#define OFTEN(name, context, notifier)				\
	FIXTURE_VARIANT_ADD(often, name##_always) {			\
		context, notifier, ALWAYS };				\
	FIXTURE_VARIANT_ADD(often, name##_once) {			\
		context, notifier, ONCE };				\
	FIXTURE_VARIANT_ADD(often, name##_third) {			\
		context, notifier, THIRD };				\
	FIXTURE_VARIANT_ADD(often, name##_second_and_third) {		\
		context, notifier, LATER }

OFTEN(hlist_nonblock_eagain, RULE_NON_BLOCKABLE, H(-EAGAIN));
OFTEN(hlist_nonblock_enomem, RULE_NON_BLOCKABLE, H(-ENOMEM));
OFTEN(hlist_block_eagain, RULE_BLOCKABLE, H(-EAGAIN));
OFTEN(interval_nonblock_false, RULE_NON_BLOCKABLE, I(false));
OFTEN(interval_block_false, RULE_BLOCKABLE, I(false));

FIXTURE_SETUP(often)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	if (warns_of(&variant->notifier, variant->context))
		ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, scene_add(&self->scene, 1, &variant->notifier));
	if (variant->context == RULE_NON_BLOCKABLE)
		ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(often)

/* A fail point hits the calls that it names, and each hit is judged alone. */
TEST_F(often, fails_just_then)
{
	struct hmm_dmirror_fail_point fail = fail_point_in(0, variant->context, 1,
						     variant->notifier.ret);
	const struct rule_outcome *failed = rule_expect(variant->notifier.kind,
							variant->context,
							variant->notifier.ret);
	unsigned int hits = 0, round;
	int result;

	fail.skip = variant->skip;
	fail.times = variant->times;
	ASSERT_EQ(0, dmirror_arm(self->scene.victim.device, &fail));

	for (round = 0; round < ROUNDS; round++) {
		result = variant->context == RULE_BLOCKABLE ?
				victim_dontneed(&self->scene.victim, 0) :
				victim_reap(&self->scene.victim);
		EXPECT_EQ(variant->hit[round] && failed->fails ? -EAGAIN : 0,
			  result);
		hits += variant->hit[round];
	}

	EXPECT_EQ(0, dmirror_disarm_hits(self->scene.victim.device, 1, &fail.hits));
	EXPECT_EQ(hits, fail.hits);
	scene_expect_hits(&self->scene, failed, hits);
}

/*
 * Three ranges are reaped in one go, the middle one fails.
 */
FIXTURE(partly) {
	struct scene scene;
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
	SETUP_OR_SKIP(DMIRROR_BARE);
	if (warns_of(&variant->notifier, RULE_NON_BLOCKABLE))
		ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 3);
	ASSERT_EQ(0, scene_add(&self->scene, 1, &variant->notifier));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));
}

SCENE_TEARDOWN(partly)

/* The VMA that failed is left alone, the others are reaped all the same. */
TEST_F(partly, reaps_the_others)
{
	__u64 hits;

	scene_expect_hits(&self->scene,
			  rule_expect(variant->notifier.kind, RULE_NON_BLOCKABLE,
				      variant->notifier.ret), 1);

	ASSERT_EQ(0, fail_point_arm(self->scene.victim.device, 1, RULE_NON_BLOCKABLE, 1,
				    variant->notifier.ret));
	EXPECT_EQ(-EAGAIN, victim_reap(&self->scene.victim));
	EXPECT_EQ(0, dmirror_disarm_hits(self->scene.victim.device, 1, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(0, victim_resident(&self->scene.victim, 0));
	EXPECT_EQ(VICTIM_MAPPING_PAGES, victim_intact(&self->scene.victim, 1));
	EXPECT_EQ(0, victim_resident(&self->scene.victim, 2));

	/* Nothing is armed any more: the rest goes, too. */
	EXPECT_EQ(0, victim_reap(&self->scene.victim));
	EXPECT_EQ(0, victim_resident(&self->scene.victim, 1));
}

/*
 * A device that mirrors, whose own notifier fails.
 */
FIXTURE(mirror) {
	struct scene scene;
};

FIXTURE_SETUP(mirror)
{
	SETUP_OR_SKIP(DMIRROR_MIRROR);
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_MIRROR, 1);
}

SCENE_TEARDOWN(mirror)

static int device_reads(void *arg)
{
	uintptr_t *word = arg;

	return dmirror_read(*word, victim_start_of(0), arg, 1);
}

/* What the device reads at the start of mapping 0, or -errno */
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
	int device = self->scene.victim.device;
	__u64 hits;

	ASK_OR_SKIP(consent_why_not_splat());
	scene_expect_hits(&self->scene,
			  rule_expect(RULE_INTERVAL, RULE_BLOCKABLE, false), 1);

	ASSERT_EQ((long)victim_start_of(0), first_word(device));

	ASSERT_EQ(0, fail_point_arm(device, 0, RULE_BLOCKABLE, 0, false));
	EXPECT_EQ(0, victim_dontneed(&self->scene.victim, 0));
	EXPECT_EQ(0, dmirror_disarm_hits(device, 0, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(0, first_word(device));
}

/* A mirror that can't let go without blocking keeps its memory, silently. */
TEST_F(mirror, keeps_what_it_refused)
{
	int device = self->scene.victim.device;
	__u64 hits;

	ASSERT_EQ((long)victim_start_of(0), first_word(device));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	ASSERT_EQ(0, fail_point_arm(device, 0, RULE_NON_BLOCKABLE, 0, false));
	EXPECT_EQ(-EAGAIN, victim_reap(&self->scene.victim));
	EXPECT_EQ(0, dmirror_disarm_hits(device, 0, &hits));
	ASSERT_EQ(1, hits);

	EXPECT_EQ(VICTIM_MAPPING_PAGES, victim_intact(&self->scene.victim, 0));
	EXPECT_EQ((long)victim_start_of(0), first_word(device));
	EXPECT_EQ(0, victim_reap(&self->scene.victim));
	EXPECT_EQ(0, victim_resident(&self->scene.victim, 0));
	/* The device can't fault it in again: the mm is unstable. */
	EXPECT_GT(0, first_word(device));
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
