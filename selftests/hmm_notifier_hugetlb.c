// SPDX-License-Identifier: GPL-2.0
/*
 * A hugetlb mapping of 1 GiB, whose page table may be another process's, too: then who
 * drops one page of it drops that table, and with it all that it has. Other changes of
 * hugetlb pages are in hmm_notifier_mmap.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "change/changes.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

#define GIANT		(1UL << 30)
#define PRESENT		HMM_DMIRROR_ENTRY_PRESENT

FIXTURE(giant) {
	struct scene scene;
	int fd;
	uintptr_t at;
	void *ours;
};

FIXTURE_VARIANT(giant) {
	long (*drop)(const struct victim_args *args);	/* the second page, in the victim */
	bool shared;
};

static long dontneed_second(const struct victim_args *args)
{
	return madvise((void *)(args->arg[1] + CHANGE_HUGE), CHANGE_HUGE, MADV_DONTNEED) ?
		-errno : 0;
}

static long punch_second(const struct victim_args *args)
{
	return fallocate(args->arg[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 CHANGE_HUGE, CHANGE_HUGE) ? -errno : 0;
}

FIXTURE_VARIANT_ADD(giant, alone_dontneed) { dontneed_second, false };
FIXTURE_VARIANT_ADD(giant, alone_punch_hole) { punch_second, false };
FIXTURE_VARIANT_ADD(giant, shared_dontneed) { dontneed_second, true };
FIXTURE_VARIANT_ADD(giant, shared_punch_hole) { punch_second, true };

static void *map_giant(uintptr_t at, int fd)
{
	void *got = mmap((void *)at, GIANT, PROT_READ | PROT_WRITE, MAP_SHARED |
			 MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);

	return got == (void *)at ? got : NULL;
}

/* In the victim: maps it, and writes to the first two pages unless another one has. */
static long map_victims(const struct victim_args *args)
{
	uintptr_t at = args->arg[1];

	if (!map_giant(at, args->arg[0]))
		return -ENOMEM;
	*(volatile uintptr_t *)at = at;
	if (!args->arg[2])
		*(volatile uintptr_t *)(at + CHANGE_HUGE) = at;
	return 0;
}

/* In the victim: what is mapped there, though it has not touched it, is another's, too. */
static long has_second(const struct victim_args *args)
{
	return !!(change_pagemap(args->arg[1] + CHANGE_HUGE) & PAGEMAP_PRESENT);
}

FIXTURE_SETUP(giant)
{
	struct victim_args args;
	long result;

	SETUP_OR_SKIP(DMIRROR_BARE);
	vm_settings_start();
	if (change_hugetlb_unshare.why_not())
		SKIP(return, "%s", change_hugetlb_unshare.why_not());
	SCENE_BEGIN(&self->scene);
	self->at = change_span(0);
	self->fd = memfd_create("hmm_notifier", MFD_CLOEXEC | MFD_HUGETLB);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, GIANT));
	ASSERT_EQ(0, victim_start(&self->scene.victim, DMIRROR_BARE));
	args = (struct victim_args) { .arg = { self->fd, self->at, variant->shared } };
	if (variant->shared) {
		self->ours = map_giant(self->at, self->fd);
		ASSERT_NE(NULL, self->ours);
		*(volatile uintptr_t *)self->at = self->at;
	}
	ASSERT_EQ(0, victim_call(&self->scene.victim, map_victims, &args, &result));
	ASSERT_EQ(0, result);
	if (variant->shared)
		*(volatile uintptr_t *)(self->at + CHANGE_HUGE) = self->at;
	ASSERT_EQ(0, victim_call(&self->scene.victim, has_second, &args, &result));
	if (!result)
		SETUP_SKIP("page tables of hugetlb are not shared");
	ASSERT_EQ(0, scene_add(&self->scene, 1,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
}

FIXTURE_TEARDOWN(giant)
{
	if (self->ours)
		munmap(self->ours, GIANT);
	close(self->fd);
	SCENE_END(&self->scene);
}

/* The next call of notifier 1 that has to do with the mapping, from @from on; or @nr */
static int next_call(const struct hmm_dmirror_call *calls, int nr, int from,
		     uintptr_t at)
{
	int i;

	for (i = from; i < nr; i++)
		if (calls[i].id == 1 && calls[i].start < at + GIANT && calls[i].end > at)
			break;
	return i;
}

/* What is told of is no narrower than what goes. */
TEST_F(giant, page_goes_with_what_it_shares)
{
	struct victim_args args = { .arg = { self->fd, self->at } };
	struct hmm_dmirror_watch watch = {
		.entry[0].addr = self->at,
		.flags = HMM_DMIRROR_LOOK,
	};
	static struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	struct victim *victim = &self->scene.victim;
	int nr, first, last, next;
	long result;

	ASSERT_LE(0, dmirror_calls(victim->device, calls, HMM_DMIRROR_NR_CALLS));

	ASSERT_EQ(0, victim_call(victim, variant->drop, &args, &result));
	EXPECT_EQ(0, result);

	nr = dmirror_calls(victim->device, calls, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	first = next_call(calls, nr, 0, self->at);
	ASSERT_GT(nr, first);
	/* 6.1 has another one inside. */
	last = first;
	for (next = first; next < nr; next = next_call(calls, nr, next + 1, self->at))
		last = next;
	EXPECT_EQ(HMM_DMIRROR_CALL_START, calls[first].call);
	EXPECT_EQ(HMM_DMIRROR_CALL_END, calls[last].call);
	EXPECT_EQ(calls[first].start, calls[last].start);
	EXPECT_EQ(calls[first].end, calls[last].end);
	if (variant->shared || calls[first].start != self->at + CHANGE_HUGE) {
		EXPECT_EQ(self->at, calls[first].start);
		EXPECT_EQ(self->at + GIANT, calls[first].end);
	} else {
		EXPECT_EQ(self->at + 2 * CHANGE_HUGE, calls[first].end);
	}
	ASSERT_EQ(0, victim_call(victim, has_second, &args, &result));
	EXPECT_EQ(0, result);
	/*
	 * The first page went with the table, or has stayed. A hole is cut out of one
	 * process after the other, and the last one has the table to itself.
	 */
	ASSERT_EQ(0, dmirror_watch(victim->device, &watch));
	if (watch.entry[0].level && variant->drop == dontneed_second)
		EXPECT_EQ(!variant->shared, !!(watch.entry[0].flags & PRESENT));
}

TEST_HARNESS_MAIN
