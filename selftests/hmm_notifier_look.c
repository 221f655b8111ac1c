// SPDX-License-Identifier: GPL-2.0
/*
 * What test_hmm says of the page tables, now and with each call of a callback: it is
 * what the kernel itself says of them. On it stands what lib/change/window.h claims.
 * And from when on a mirror, that of an open file of its own, says something.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "change/change.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

#define PFN_BITS	(PAGEMAP_BIT(55) - 1)
#define PRESENT		HMM_DMIRROR_ENTRY_PRESENT
#define WRITABLE	HMM_DMIRROR_ENTRY_WRITABLE
#define DIRTY		HMM_DMIRROR_ENTRY_DIRTY
#define NR_PAGES	3

static struct hmm_dmirror_seen seen[HMM_DMIRROR_NR_CALLS];

FIXTURE(look) {
	struct scene scene;
	int device;
	uintptr_t at;		/* pages of our own, all written */
	uintptr_t other;	/* and one elsewhere */
};

FIXTURE_VARIANT(look) {
	const char *node;
	unsigned int retry;
};

FIXTURE_VARIANT_ADD(look, bare) { DMIRROR_BARE, 0 };
FIXTURE_VARIANT_ADD(look, mirror) { DMIRROR_MIRROR, HMM_DMIRROR_CALL_WAS_RETRY };

/* Pages that no huge one replaces; all zero, and none is there yet */
static uintptr_t map_pages(unsigned int nr)
{
	void *at = mmap(NULL, nr * CHANGE_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 0;
	madvise(at, nr * CHANGE_PAGE, MADV_NOHUGEPAGE);
	return (uintptr_t)at;
}

/* What the device says of a page: 0 or -errno */
static int look_at(int device, uintptr_t addr, struct hmm_dmirror_entry *entry)
{
	struct hmm_dmirror_watch watch = {
		.entry[0].addr = addr,
		.flags = HMM_DMIRROR_LOOK,
	};
	int err = dmirror_watch(device, &watch);

	*entry = watch.entry[0];
	return err;
}

FIXTURE_SETUP(look)
{
	struct hmm_dmirror_entry entry;

	SETUP_OR_SKIP(variant->node);
	vm_settings_start();
	SCENE_BEGIN(&self->scene);
	ASSERT_EQ(0, scene_open(&self->scene, variant->node));
	self->device = self->scene.victim.device;
	self->at = map_pages(NR_PAGES);
	self->other = map_pages(1);
	ASSERT_NE(0, self->at);
	ASSERT_NE(0, self->other);
	ASSERT_EQ(0, look_at(self->device, self->at, &entry));
	if (!entry.level)
		SETUP_SKIP("no gup_fast() on this architecture");
	EXPECT_EQ(0, entry.flags);
	change_fill(self->at, NR_PAGES * CHANGE_PAGE);
	change_fill(self->other, CHANGE_PAGE);
}

SCENE_TEARDOWN(look)

/* The device looks where the entry is, and says what it says. */
TEST_F(look, sees_what_is_there)
{
	const unsigned int rights = PRESENT | WRITABLE | DIRTY;
	struct hmm_dmirror_entry entry;
	uint64_t pagemap;

	ASSERT_EQ(0, look_at(self->device, self->at, &entry));
	pagemap = change_pagemap(self->at);
	EXPECT_EQ(1, entry.level);
	EXPECT_EQ(rights, entry.flags & rights);
	EXPECT_EQ(pagemap & PFN_BITS, entry.pfn);
	EXPECT_EQ(!!(pagemap & PAGEMAP_SOFT_DIRTY),
		  !!(entry.flags & HMM_DMIRROR_ENTRY_SOFT_DIRTY));

	ASSERT_EQ(0, mprotect((void *)self->at, CHANGE_PAGE, PROT_READ));
	ASSERT_EQ(0, look_at(self->device, self->at, &entry));
	EXPECT_EQ(PRESENT, entry.flags & (PRESENT | WRITABLE));

	ASSERT_EQ(0, munmap((void *)self->at, CHANGE_PAGE));
	ASSERT_EQ(0, look_at(self->device, self->at, &entry));
	EXPECT_EQ(0, entry.flags);

	/* No user's address */
	ASSERT_EQ(0, look_at(self->device, -CHANGE_PAGE, &entry));
	EXPECT_EQ(0, entry.level);
}

/* Of a page in a huge one it says that it is huge, and which page it is. */
TEST_F(look, sees_a_huge_page)
{
	char *pages = mmap(NULL, 2 * CHANGE_HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = ((uintptr_t)pages + CHANGE_HUGE - 1) & -CHANGE_HUGE;
	struct hmm_dmirror_entry entry;

	if (change_why_not_huge())
		SKIP(return, "%s", change_why_not_huge());
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, madvise((void *)at, CHANGE_HUGE, MADV_HUGEPAGE));
	change_fill(at, CHANGE_HUGE);
	ASSERT_EQ((long)CHANGE_HUGE / 1024, change_smaps(at, "AnonHugePages"));

	ASSERT_EQ(0, look_at(self->device, at + 5 * CHANGE_PAGE, &entry));
	EXPECT_EQ(2, entry.level);
	EXPECT_EQ(PRESENT | WRITABLE, entry.flags & (PRESENT | WRITABLE));
	EXPECT_EQ(change_pagemap(at + 5 * CHANGE_PAGE) & PFN_BITS, entry.pfn);
}

/* The first call of that kind for the range of the pages, or NULL */
static const struct hmm_dmirror_seen *find_of(unsigned int id, int nr, unsigned int call,
					      uintptr_t at)
{
	int i;

	for (i = 0; i < nr; i++)
		if (seen[i].call.id == id && seen[i].call.call == call &&
		    seen[i].call.start == at)
			return &seen[i];
	return NULL;
}

static const struct hmm_dmirror_seen *find(int nr, unsigned int call, uintptr_t at)
{
	return find_of(1, nr, call, at);
}

/*
 * With a start it logs what is there, with an end that it is gone: of the first and the
 * last page and of one between. Beside a mirror's interval a reader has to retry.
 */
TEST_F(look, logs_what_goes)
{
	struct hmm_dmirror_watch watch = {
		.entry[0].addr = self->at + CHANGE_PAGE,
		.entry[1].addr = self->other,
	};
	const unsigned int page[] = { 0, NR_PAGES - 1, 1 };
	const struct hmm_dmirror_seen *start, *end;
	uint64_t pfn[NR_PAGES];
	unsigned int i;
	int nr;

	ASSERT_EQ(0, dmirror_add(self->device, 1, HMM_DMIRROR_HLIST_END, 0, 0));
	for (i = 0; i < NR_PAGES; i++)
		pfn[i] = change_pagemap(self->at + i * CHANGE_PAGE) & PFN_BITS;
	ASSERT_EQ(0, dmirror_watch(self->device, &watch));
	EXPECT_EQ(PRESENT, watch.entry[0].flags & PRESENT);
	EXPECT_EQ(PRESENT, watch.entry[1].flags & PRESENT);

	ASSERT_EQ(0, munmap((void *)self->at, NR_PAGES * CHANGE_PAGE));

	nr = dmirror_seen(self->device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	start = find(nr, HMM_DMIRROR_CALL_START, self->at);
	end = find(nr, HMM_DMIRROR_CALL_END, self->at);
	ASSERT_NE(NULL, start);
	ASSERT_NE(NULL, end);
	EXPECT_EQ(variant->retry, start->call.flags & HMM_DMIRROR_CALL_WAS_RETRY);
	EXPECT_EQ(variant->retry, end->call.flags & HMM_DMIRROR_CALL_WAS_RETRY);
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(self->at + page[i] * CHANGE_PAGE, start->entry[i].addr);
		EXPECT_EQ(PRESENT | WRITABLE, start->entry[i].flags & (PRESENT | WRITABLE));
		EXPECT_EQ(pfn[page[i]], start->entry[i].pfn);
		EXPECT_EQ(start->entry[i].addr, end->entry[i].addr);
		EXPECT_EQ(0, end->entry[i].flags);
		EXPECT_LT(0, end->entry[i].level);
	}
	/* That is in no lock of who unmaps. */
	EXPECT_EQ(self->other, start->entry[3].addr);
	EXPECT_EQ(0, start->entry[3].level);
}

/* What nobody asked for is not known, and no reader is told of. */
TEST_F(look, knows_nothing_before_it_is_asked)
{
	const struct hmm_dmirror_seen *start;
	struct hmm_dmirror_watch watch = {};
	unsigned int i;
	int nr;

	ASSERT_EQ(0, dmirror_add(self->device, 1, HMM_DMIRROR_HLIST_END, 0, 0));
	ASSERT_EQ(0, munmap((void *)self->at, CHANGE_PAGE));
	ASSERT_EQ(0, dmirror_watch(self->device, &watch));
	nr = dmirror_seen(self->device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	start = find(nr, HMM_DMIRROR_CALL_START, self->at);
	ASSERT_NE(NULL, start);
	EXPECT_EQ(0, start->call.flags & HMM_DMIRROR_CALL_WAS_RETRY);
	for (i = 0; i < HMM_DMIRROR_NR_ENTRIES; i++)
		EXPECT_EQ(0, start->entry[i].level);

	/* Reading has started it over, and the next reading has no old entry. */
	ASSERT_EQ(0, munmap((void *)self->at + CHANGE_PAGE, CHANGE_PAGE));
	nr = dmirror_seen(self->device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	EXPECT_EQ(NULL, find(nr, HMM_DMIRROR_CALL_START, self->at));
	start = find(nr, HMM_DMIRROR_CALL_START, self->at + CHANGE_PAGE);
	ASSERT_NE(NULL, start);
	EXPECT_EQ(1, start->entry[0].level);
}

static int error_of(int device, unsigned long command, void *arg)
{
	return ioctl(device, command, arg) ? errno : 0;
}

/* What makes no sense is refused; and so is an mm that is gone. */
TEST_F(look, refuses_what_it_does_not_know)
{
	struct hmm_dmirror_watch reserved = { .reserved = 1 };
	struct hmm_dmirror_watch flags = { .flags = HMM_DMIRROR_LOOK << 1 };
	struct hmm_dmirror_calls calls_reserved = { .reserved = 1 };
	struct hmm_dmirror_calls calls_flags = { .flags = HMM_DMIRROR_RESET << 1 };
	struct hmm_dmirror_calls nowhere = { .nr = 1, .ptr = 8 };
	struct hmm_dmirror_watch watch = {};
	struct victim victim;

	EXPECT_EQ(EINVAL, error_of(self->device, HMM_DMIRROR_WATCH, &reserved));
	EXPECT_EQ(EINVAL, error_of(self->device, HMM_DMIRROR_WATCH, &flags));
	EXPECT_EQ(EINVAL, error_of(self->device, HMM_DMIRROR_SEEN, &calls_reserved));
	EXPECT_EQ(EINVAL, error_of(self->device, HMM_DMIRROR_SEEN, &calls_flags));
	EXPECT_EQ(EFAULT, error_of(self->device, HMM_DMIRROR_WATCH, (void *)8));
	EXPECT_EQ(EFAULT, error_of(self->device, HMM_DMIRROR_SEEN, (void *)8));
	ASSERT_EQ(0, dmirror_add(self->device, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, munmap((void *)self->at, CHANGE_PAGE));
	EXPECT_EQ(EFAULT, error_of(self->device, HMM_DMIRROR_SEEN, &nowhere));

	ASSERT_EQ(0, victim_start(&victim, variant->node));
	ASSERT_EQ(0, victim_finish(&victim));
	EXPECT_EQ(-ESRCH, dmirror_watch(victim.device, &watch));
	EXPECT_EQ(0, victim_close(&victim));
}

FIXTURE(mirror) {
	struct scene scene;
	int device;
	uintptr_t at;
};

/* open(), as dmirror_open() has it count. */
FIXTURE_SETUP(mirror)
{
	SETUP_OR_SKIP(DMIRROR_MIRROR);
	SCENE_BEGIN(&self->scene);
	self->device = open(DMIRROR_MIRROR, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->at = map_pages(2);
	ASSERT_NE(0, self->at);
	change_fill(self->at, 2 * CHANGE_PAGE);
}

SCENE_TEARDOWN(mirror)

/* Whether the file has a record of it that the page at @at was unmapped: 1, 0 or -errno */
static int was_told(int device, uintptr_t at)
{
	int nr = dmirror_seen(device, seen, HMM_DMIRROR_NR_CALLS);

	return nr < 0 ? nr : !!find_of(0, nr, HMM_DMIRROR_CALL_START, at);
}

/* A file that only mirrors counts nothing, also beside one that counts. */
TEST_F(mirror, counts_when_asked)
{
	int other = dmirror_open(DMIRROR_MIRROR);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, munmap((void *)self->at, CHANGE_PAGE));
	EXPECT_EQ(1, was_told(other, self->at));
	EXPECT_EQ(0, was_told(self->device, self->at));

	ASSERT_EQ(0, munmap((void *)self->at + CHANGE_PAGE, CHANGE_PAGE));
	EXPECT_EQ(1, was_told(self->device, self->at + CHANGE_PAGE));
	EXPECT_EQ(0, close(other));
}

/* To arm is to ask: a fail point needs nothing before it. */
TEST_F(mirror, fails_when_armed)
{
	struct hmm_dmirror_fail_point fail = {
		.ret = true, .contexts = HMM_DMIRROR_BLOCKABLE,
		.start = self->at, .end = self->at + CHANGE_PAGE, .times = 1,
	};
	__u64 hits;

	ASSERT_EQ(0, dmirror_arm(self->device, &fail));
	ASSERT_EQ(0, munmap((void *)self->at, CHANGE_PAGE));

	EXPECT_EQ(1, was_told(self->device, self->at));
	EXPECT_EQ(0, dmirror_disarm_hits(self->device, 0, &hits));
	EXPECT_EQ(1, hits);
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
