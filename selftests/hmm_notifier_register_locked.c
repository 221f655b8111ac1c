// SPDX-License-Identifier: GPL-2.0
/*
 * Notifiers that are registered with the mmap_lock held: by mmu_notifier_get() and
 * mmu_interval_notifier_insert_locked(). Their failures are those of the others, so
 * here are few; hmm_notifier_contract has them all.
 */
#include <errno.h>

#include "core/fail_point.h"
#include "hmm_notifier.h"

FIXTURE(locked) {
	struct scene scene;
};

FIXTURE_VARIANT(locked) {
	struct rule_notifier notifier;
	unsigned int again;	/* what adding it once more leads to */
	bool beside;		/* an hlist notifier that was there before */
};

FIXTURE_VARIANT_ADD(locked, hlist_eagain) {
	.notifier = { RULE_HLIST, -EAGAIN }, .again = EBUSY };
FIXTURE_VARIANT_ADD(locked, hlist_enomem) {
	.notifier = { RULE_HLIST, -ENOMEM }, .again = EBUSY };
FIXTURE_VARIANT_ADD(locked, hlist_eagain_beside_hlist) {
	.notifier = { RULE_HLIST, -EAGAIN }, .again = EBUSY, .beside = true };
FIXTURE_VARIANT_ADD(locked, interval_false) {
	.notifier = { RULE_INTERVAL, false } };
FIXTURE_VARIANT_ADD(locked, interval_false_beside_hlist) {
	.notifier = { RULE_INTERVAL, false }, .beside = true };

static int add_locked(int device, unsigned int id, enum rule_kind kind)
{
	bool interval = rule_is_interval(kind);

	return dmirror_add_flags(device, id, kind,
				 interval ? victim_start_of(0) : 0,
				 interval ? victim_end_of(0) : 0,
				 HMM_DMIRROR_LOCKED);
}

FIXTURE_SETUP(locked)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	if (variant->beside)
		ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 3,
					 HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, add_locked(self->scene.victim.device, 1, variant->notifier.kind));
}

SCENE_TEARDOWN(locked)

/* Such a notifier is judged as any other. */
TEST_F(locked, holds)
{
	__u64 hits;

	scene_expect_hits(&self->scene,
			  rule_expect(variant->notifier.kind,
				      RULE_NON_BLOCKABLE,
				      variant->notifier.ret), 1);
	ASSERT_EQ(0, fail_point_arm(self->scene.victim.device, 0, RULE_NON_BLOCKABLE, 1,
				    variant->notifier.ret));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	EXPECT_EQ(-EAGAIN, victim_reap(&self->scene.victim));

	EXPECT_EQ(0, dmirror_disarm_hits(self->scene.victim.device, 1, &hits));
	ASSERT_EQ(1, hits);
	EXPECT_EQ(VICTIM_MAPPING_PAGES, victim_intact(&self->scene.victim, 0));
}

/* An mm has one by mmu_notifier_get(), and another one when that is gone. */
TEST_F(locked, is_given_back)
{
	struct hmm_dmirror_counts counts;
	int device = self->scene.victim.device;

	/* It is looked for behind others, too. */
	ASSERT_EQ(0, dmirror_add(device, 4, HMM_DMIRROR_HLIST, 0, 0));
	EXPECT_EQ(-(int)variant->again,
		  add_locked(device, 2, variant->notifier.kind));
	if (!variant->again)
		EXPECT_EQ(0, dmirror_del(device, 2));

	ASSERT_EQ(0, dmirror_del(device, 1));
	EXPECT_EQ(0, victim_dontneed(&self->scene.victim, 0));
	ASSERT_EQ(0, add_locked(device, 1, variant->notifier.kind));
	EXPECT_EQ(0, victim_munmap(&self->scene.victim, 0));

	EXPECT_EQ(0, dmirror_counts(device, 1, &counts));
	EXPECT_EQ(1, dmirror_sum(counts.calls[RULE_BLOCKABLE]));
}

TEST_HARNESS_MAIN
