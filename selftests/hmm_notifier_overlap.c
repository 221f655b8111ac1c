// SPDX-License-Identifier: GPL-2.0
/*
 * Which intervals an invalidation meets, and what waits while it goes on.
 *
 * An invalidation is held where it is by an hlist notifier that does not come
 * back until it is told to. Meanwhile the interval tree must not change, and
 * whoever asks must wait, for that invalidation and not for another. Here
 * nothing fails; a failed start that leaves the tree as if an invalidation went
 * on for ever shows up in hmm_notifier_contract.
 */
#include <sys/wait.h>

#include "hmm_notifier.h"
#include "hmm_notifier_held.h"

#define INTERVAL	1	/* in the second file, as are the others */
#define LATER		2	/* and up */
#define HLIST		9

static int add_interval(int device, unsigned int id, unsigned int mapping,
			unsigned int first, unsigned int nr)
{
	struct victim_args at = pages(mapping, first, nr);

	return dmirror_add(device, id, HMM_DMIRROR_INTERVAL, at.arg[0],
			   at.arg[0] + at.arg[1]);
}

/* A call that may wait, made by a child: see bounded_call() */
struct request {
	int (*fn)(int fd, unsigned int id);
	int device;
	unsigned int id;
};

static int do_request(void *arg)
{
	const struct request *request = arg;

	return request->fn(request->device, request->id);
}

/* -ETIMEDOUT: it waits for an invalidation, and will until that ends */
static int read_begin(int device, unsigned int id)
{
	struct request request = { dmirror_read_begin, device, id };

	return bounded_call(do_request, &request);
}

static int del(int device, unsigned int id)
{
	struct request request = { dmirror_del, device, id };

	return bounded_call(do_request, &request);
}

/*
 * An invalidation of mapping 0 that goes on, with or without an interval in it:
 * both ways the tree has a writer, but only the first closes it.
 */
FIXTURE(held) {
	struct scene scene;
	int device;		/* the second file */
	struct keeper keeper;
	bool held;
};

FIXTURE_VARIANT(held) {
	unsigned int mapping;	/* where INTERVAL is */
	int reads;		/* read_begin() of it */
	int removes;
	int removes_new;
	int at_once;		/* the first new interval is in the tree */
};

FIXTURE_VARIANT_ADD(held, met) {
	.mapping = 0,
	.reads = -ETIMEDOUT,
	.removes = -ETIMEDOUT,
};

/* The first new interval gets in, and closes the tree for the others. */
FIXTURE_VARIANT_ADD(held, not_met) {
	.mapping = 1,
	.removes_new = -ETIMEDOUT,
	.at_once = 1,
};

FIXTURE_SETUP(held)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 3);
	self->device = open_again(&self->scene.victim);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, keeper_start(&self->keeper, self->device));
	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, HOLDER,
				 HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, add_interval(self->device, INTERVAL, variant->mapping, 0,
				  VICTIM_MAPPING_PAGES));
	ASSERT_EQ(0, dmirror_add(self->device, HLIST, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, hold(&self->scene.victim));
	self->held = true;
}

/* The other file's notifiers go while the mm is there, the others with it. */
FIXTURE_TEARDOWN(held)
{
	if (self->held)
		EXPECT_EQ(0, let_go(&self->scene.victim));
	close(self->device);
	EXPECT_EQ(0, keeper_close(&self->keeper));
	SCENE_END(&self->scene);
}

/* A read_begin() waits if its range is being invalidated, and only then. */
TEST_F(held, read_begin_waits_for_its_range)
{
	EXPECT_EQ(variant->reads, read_begin(self->device, INTERVAL));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(0, read_begin(self->device, INTERVAL));
}

/* An interval that is removed stays until the tree is free again. */
TEST_F(held, remove_waits_for_the_tree)
{
	EXPECT_EQ(variant->removes, del(self->device, INTERVAL));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(-ENOENT, read_begin(self->device, INTERVAL));
}

/* A new interval may lie in any range that is being invalidated: it waits. */
TEST_F(held, new_interval_is_not_read)
{
	ASSERT_EQ(0, add_interval(self->device, LATER, 1, 0, 1));
	EXPECT_EQ(-ETIMEDOUT, read_begin(self->device, LATER));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(0, read_begin(self->device, LATER));
}

/* A closed tree takes new intervals when it is free, all of them. */
TEST_F(held, new_intervals_are_called_once_in_the_tree)
{
	unsigned int id;

	for (id = LATER; id < LATER + 3; id++)
		ASSERT_EQ(0, add_interval(self->device, id, 2, 0, 1));

	ASSERT_EQ(0, invalidate_meanwhile(&self->scene.victim, 2));
	EXPECT_EQ(variant->at_once, calls_of(self->device, LATER));
	EXPECT_EQ(0, calls_of(self->device, LATER + 1));
	EXPECT_EQ(0, calls_of(self->device, LATER + 2));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
	EXPECT_EQ(variant->at_once + 1, calls_of(self->device, LATER));
	EXPECT_EQ(1, calls_of(self->device, LATER + 1));
	EXPECT_EQ(1, calls_of(self->device, LATER + 2));
}

/* An interval that never got into the tree is removed without waiting. */
TEST_F(held, new_interval_is_removed)
{
	ASSERT_EQ(0, add_interval(self->device, LATER, 1, 0, 1));
	EXPECT_EQ(variant->removes_new, del(self->device, LATER));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(-ENOENT, read_begin(self->device, LATER));
}

/* So does a removal behind it; both happen in the end. */
TEST_F(held, addition_and_removal_wait)
{
	ASSERT_EQ(0, add_interval(self->device, LATER, 2, 0, 1));
	EXPECT_EQ(-ETIMEDOUT, del(self->device, INTERVAL));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(-ENOENT, read_begin(self->device, INTERVAL));
	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
	EXPECT_EQ(1, calls_of(self->device, LATER));
}

/* After mmu_notifier_unregister() it may be freed: no walk of the list may go on. */
TEST_F(held, unregistering_waits_for_the_walk)
{
	EXPECT_EQ(-ETIMEDOUT, del(self->device, HLIST));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(-ENOENT, calls_of(self->device, HLIST));
}

/*
 * A notifier that registers meanwhile would be told of the end and not of the start: it
 * waits for whoever invalidates, also when that is under a VMA's lock alone (6.17).
 */
TEST_F(held, registration_waits)
{
	struct hmm_dmirror_counts counts;
	int status, device = self->device;
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		end_with_parent(parent);
		_exit(!!dmirror_add(device, LATER, HMM_DMIRROR_HLIST_END, 0, 0));
	}
	ASSERT_LT(0, pid);

	EXPECT_TRUE(sleeps_for_long(pid));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, dmirror_counts(device, LATER, &counts));
	EXPECT_EQ(0, dmirror_sum(counts.calls[RULE_BLOCKABLE]));
	EXPECT_EQ(0, dmirror_sum(counts.ends[RULE_BLOCKABLE]));
	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
	ASSERT_EQ(0, dmirror_counts(device, LATER, &counts));
	EXPECT_EQ(1, dmirror_sum(counts.calls[RULE_BLOCKABLE]));
	EXPECT_EQ(1, dmirror_sum(counts.ends[RULE_BLOCKABLE]));
}

/* What meets no interval leaves the tree open, each time. */
TEST_F(held, other_ranges_close_nothing)
{
	unsigned int id;

	ASSERT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	for (id = LATER; id < LATER + 4; id++)
		ASSERT_EQ(0, add_interval(self->device, id, 1, 0, 1));

	for (id = LATER; id < LATER + 4; id++) {
		ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
		ASSERT_EQ(0, del(self->device, id));
	}
}

/* The end of one invalidation is not the end of another. */
TEST_F(held, other_end_frees_nothing)
{
	ASSERT_EQ(0, add_interval(self->device, LATER, 1, 0, 1));
	ASSERT_EQ(0, invalidate_meanwhile(&self->scene.victim, 2));
	EXPECT_EQ(-ETIMEDOUT, read_begin(self->device, LATER));

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	EXPECT_EQ(0, read_begin(self->device, LATER));
}

/*
 * Intervals, and a range that touches some: the second page, the second and
 * third, the fourth, and once more the second.
 */
FIXTURE(edges) {
	struct scene scene;
};

FIXTURE_VARIANT(edges) {
	unsigned int first, nr;
	int calls[4];
};

FIXTURE_VARIANT_ADD(edges, page_before) { 0, 1, { 0, 0, 0, 0 } };
FIXTURE_VARIANT_ADD(edges, up_to_the_first) { 0, 2, { 1, 1, 0, 1 } };
FIXTURE_VARIANT_ADD(edges, shared_page) { 1, 1, { 1, 1, 0, 1 } };
FIXTURE_VARIANT_ADD(edges, end_of_the_second) { 2, 1, { 0, 1, 0, 0 } };
FIXTURE_VARIANT_ADD(edges, up_to_the_third) { 0, 3, { 1, 1, 0, 1 } };
FIXTURE_VARIANT_ADD(edges, last_two) { 2, 2, { 0, 1, 1, 0 } };
FIXTURE_VARIANT_ADD(edges, last) { 3, 1, { 0, 0, 1, 0 } };
FIXTURE_VARIANT_ADD(edges, all) { 0, 4, { 1, 1, 1, 1 } };

FIXTURE_SETUP(edges)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 1, 0, 1, 1));
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 2, 0, 1, 2));
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 3, 0, 3, 1));
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 4, 0, 1, 1));
}

SCENE_TEARDOWN(edges)

/* Those that overlap the range are called, to the byte. */
TEST_F(edges, meet_what_they_overlap)
{
	struct victim_args args = pages(0, variant->first, variant->nr);
	long result;

	ASSERT_EQ(0, victim_call(&self->scene.victim, do_dontneed_pages, &args,
				 &result));
	ASSERT_EQ(0, result);

	EXPECT_EQ(variant->calls[0], calls_of(self->scene.victim.device, 1));
	EXPECT_EQ(variant->calls[1], calls_of(self->scene.victim.device, 2));
	EXPECT_EQ(variant->calls[2], calls_of(self->scene.victim.device, 3));
	EXPECT_EQ(variant->calls[3], calls_of(self->scene.victim.device, 4));
}

/*
 * Two intervals, on the first and on the last page of a mapping.
 */
FIXTURE(two) {
	struct scene scene;
};

FIXTURE_SETUP(two)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 1, 0, 0, 1));
	ASSERT_EQ(0, add_interval(self->scene.victim.device, 2, 0,
				  VICTIM_MAPPING_PAGES - 1, 1));
}

SCENE_TEARDOWN(two)

/* The reaper tells of all that it takes away. */
TEST_F(two, are_told_of_the_reaper)
{
	struct hmm_dmirror_counts first, last;

	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	EXPECT_EQ(0, victim_reap(&self->scene.victim));

	EXPECT_EQ(0, victim_resident(&self->scene.victim, 0));
	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &first));
	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, 2, &last));
	EXPECT_EQ(1, dmirror_sum(first.calls[RULE_NON_BLOCKABLE]));
	EXPECT_EQ(1, dmirror_sum(last.calls[RULE_NON_BLOCKABLE]));
}

static int refuse_release(int device, unsigned int id)
{
	struct hmm_dmirror_fail_point fail = {
		.id = id,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.events = 1 << HMM_DMIRROR_EVENT_RELEASE,
		.end = ~0ULL,
	};

	return dmirror_arm(device, &fail);
}

/* At the end of an mm each is asked, and each that refuses is told off. */
TEST_F(two, refuse_the_end)
{
	struct hmm_dmirror_counts first, last;

	ASSERT_EQ(0, refuse_release(self->scene.victim.device, 1));
	ASSERT_EQ(0, refuse_release(self->scene.victim.device, 2));
	scene_expect_hits(&self->scene,
			  rule_expect(RULE_INTERVAL, RULE_RELEASE, false), 2);

	EXPECT_EQ(0, victim_finish(&self->scene.victim));

	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &first));
	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, 2, &last));
	EXPECT_EQ(1, first.hits);
	EXPECT_EQ(1, last.hits);
}

TEST_HARNESS_MAIN
