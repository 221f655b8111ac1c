// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidations at the edges of what the kernel counts in: the lowest and the highest
 * page that there can be, both sides of where a page table ends, mappings with a hole
 * between them, two at once. At each start the device sees what is mapped there, at each
 * end that it is gone, and the range is the one that was asked for. hmm_notifier_mmap has
 * all changes there, but without holes, and of one mapping.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change/changes.h"
#include "change/window.h"
#include "core/uffd.h"
#include "hmm_notifier.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PRESENT		HMM_DMIRROR_ENTRY_PRESENT

static struct hmm_dmirror_seen seen[HMM_DMIRROR_NR_CALLS];

FIXTURE(edges) {
	struct scene scene;
	uintptr_t at;
	struct hmm_dmirror_watch before;
};

/* Pages in a row: a letter each for those of one mapping, a dot for none */
FIXTURE_VARIANT(edges) {
	enum edge edge;
	const char *pages;
};

static void touch(uintptr_t at)
{
	*(volatile uintptr_t *)(at + sizeof(at)) = 1;
}

static bool map_one(uintptr_t at, char letter)
{
	int prot = PROT_READ | PROT_WRITE | (letter == 'b' ? PROT_EXEC : 0);

	if (mmap((void *)at, CHANGE_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED_NOREPLACE, -1, 0) != (void *)at)
		return false;
	touch(at);
	return true;
}

static bool map_at(uintptr_t at, const char *pages)
{
	unsigned int i;

	for (i = 0; pages[i]; i++)
		if (pages[i] != '.' && !map_one(at + i * CHANGE_PAGE, pages[i]))
			return false;
	return true;
}

FIXTURE_VARIANT_ADD(edges, lowest) { EDGE_LOWEST, "aa" };
FIXTURE_VARIANT_ADD(edges, highest) { EDGE_HIGHEST, "aa" };
FIXTURE_VARIANT_ADD(edges, pmd) { EDGE_PMD, "aa" };
FIXTURE_VARIANT_ADD(edges, pud) { EDGE_PUD, "aa" };
FIXTURE_VARIANT_ADD(edges, p4d) { EDGE_P4D, "aa" };
FIXTURE_VARIANT_ADD(edges, one_page) { EDGE_PMD, "a" };
FIXTURE_VARIANT_ADD(edges, hole) { EDGE_PUD, "a.a" };
FIXTURE_VARIANT_ADD(edges, two) { EDGE_PMD, "ab" };
FIXTURE_VARIANT_ADD(edges, two_hole) { EDGE_P4D, "a.b" };

static uintptr_t page_of(uintptr_t at, unsigned int page)
{
	return at + page * CHANGE_PAGE;
}

FIXTURE_SETUP(edges)
{
	struct hmm_dmirror_watch *before = &self->before;
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	self->at = edge_room(variant->edge, strlen(variant->pages) * CHANGE_PAGE,
			     CHANGE_PAGE, CHANGE_PAGE);
	if (self->at == -1UL || !map_at(self->at, variant->pages))
		SETUP_SKIP("no such address to map at");
	ASSERT_EQ(0, scene_open(&self->scene, DMIRROR_BARE));
	/* That has forked: they are no one else's from now on. */
	for (i = 0; variant->pages[i]; i++)
		if (variant->pages[i] != '.')
			touch(page_of(self->at, i));
	ASSERT_EQ(0, scene_add(&self->scene, 1,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	for (i = 0; variant->pages[i]; i++)
		before->entry[i].addr = page_of(self->at, i);
	ASSERT_EQ(0, dmirror_watch(self->scene.victim.device, before));
	if (!before->entry[0].level)
		SETUP_SKIP("no gup_fast() on this architecture");
	for (i = 0; variant->pages[i]; i++)
		EXPECT_EQ(variant->pages[i] == '.' ? 0 : PRESENT,
			  before->entry[i].flags & PRESENT);
}

SCENE_TEARDOWN(edges)

/* Whether the page is mapped, as the device saw it with that call; -1 if it did not look */
static int was_present(const struct hmm_dmirror_seen *record, uintptr_t addr)
{
	const struct hmm_dmirror_entry *entry = dmirror_seen_of(record, addr);

	return entry ? !!(entry->flags & PRESENT) : -1;
}

/* The next call of that kind in [@start, @end), from @from on; or @nr */
static int next_call(int nr, int from, uintptr_t start, uintptr_t end)
{
	int i;

	for (i = from; i < nr; i++)
		if (seen[i].call.id == 1 && seen[i].call.start < end &&
		    seen[i].call.end > start &&
		    seen[i].call.event != HMM_DMIRROR_EVENT_PROTECTION_VMA)
			break;
	return i;
}

/* One call of those that are expected: its range, and what was there */
static void check_call(struct __test_metadata *_metadata,
		       const struct hmm_dmirror_seen *record, unsigned int call,
		       uintptr_t at, const char *pages, unsigned int first,
		       unsigned int last)
{
	bool start = call == HMM_DMIRROR_CALL_START;
	unsigned int i;

	EXPECT_EQ(call, record->call.call);
	EXPECT_EQ(page_of(at, first), record->call.start);
	EXPECT_EQ(page_of(at, last + 1), record->call.end);
	for (i = first; i <= last; i++)
		if (pages[i] != '.')
			EXPECT_EQ(start, was_present(record, page_of(at, i)))
				TH_LOG("at the %s page %u", start ? "start" : "end", i);
}

/* The last page of the mapping that begins with page @first */
static unsigned int last_of(const char *pages, unsigned int first)
{
	unsigned int last = first;

	while (pages[last + 1] == pages[first])
		last++;
	return last;
}

/* One start and one end for all of what is unmapped */
TEST_F(edges, of_munmap)
{
	unsigned int last = strlen(variant->pages) - 1;
	uintptr_t end = page_of(self->at, last + 1);
	int nr, first, second;

	ASSERT_EQ(0, munmap((void *)self->at, end - self->at));

	nr = dmirror_seen(self->scene.victim.device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LT(0, nr);
	first = next_call(nr, 0, self->at, end);
	second = next_call(nr, first + 1, self->at, end);
	ASSERT_GT(nr, second);
	check_call(_metadata, &seen[first], HMM_DMIRROR_CALL_START, self->at,
		   variant->pages, 0, last);
	check_call(_metadata, &seen[second], HMM_DMIRROR_CALL_END, self->at,
		   variant->pages, 0, last);
	EXPECT_EQ(nr, next_call(nr, second + 1, self->at, end));
}

/* One for each mapping; what is between them is an error, and stops nothing. */
TEST_F(edges, of_dontneed)
{
	bool hole = strchr(variant->pages, '.');
	uintptr_t end = page_of(self->at, strlen(variant->pages));
	unsigned int page, last;
	int nr, call = -1;

	EXPECT_EQ(hole ? -1 : 0, madvise((void *)self->at, end - self->at, MADV_DONTNEED));

	nr = dmirror_seen(self->scene.victim.device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LT(0, nr);
	for (page = 0; variant->pages[page]; page = last + 1) {
		last = last_of(variant->pages, page);
		if (variant->pages[page] == '.')
			continue;
		call = next_call(nr, call + 1, self->at, end);
		ASSERT_GT(nr, call);
		check_call(_metadata, &seen[call], HMM_DMIRROR_CALL_START, self->at,
			   variant->pages, page, last);
		call = next_call(nr, call + 1, self->at, end);
		ASSERT_GT(nr, call);
		check_call(_metadata, &seen[call], HMM_DMIRROR_CALL_END, self->at,
			   variant->pages, page, last);
	}
	EXPECT_EQ(nr, next_call(nr, call + 1, self->at, end));
}

/* How often calls of that kind saw the page unchanged, for a start, or changed */
static unsigned int told(int nr, unsigned int call, const struct hmm_dmirror_entry *before,
			 unsigned int leaves)
{
	unsigned int times = 0;
	int i;

	for (i = 0; i < nr; i++) {
		const struct hmm_dmirror_entry *entry =
			dmirror_seen_of(&seen[i], before->addr);

		times += seen[i].call.id == 1 && seen[i].call.call == call && entry &&
			 window_is_left(leaves, before, entry) == (call == HMM_DMIRROR_CALL_END);
	}
	return times;
}

/*
 * Each page that has changed was in a start before, and in an end after that; how many
 * ranges the kernel makes of it is its own. None reaches beyond what was asked for. @bug
 * is what keeps address 0 from its end, or NULL.
 */
static void check_told(struct __test_metadata *_metadata, FIXTURE_DATA(edges) *self,
		       const FIXTURE_VARIANT(edges) *variant, unsigned int leaves,
		       const char *bug)
{
	const struct hmm_dmirror_entry *before = self->before.entry;
	struct hmm_dmirror_watch now = { .flags = HMM_DMIRROR_LOOK };
	uintptr_t end = page_of(self->at, strlen(variant->pages));
	unsigned int i, ends, changed = 0;
	int nr, call;

	for (i = 0; variant->pages[i]; i++)
		now.entry[i].addr = page_of(self->at, i);
	ASSERT_EQ(0, dmirror_watch(self->scene.victim.device, &now));
	nr = dmirror_seen(self->scene.victim.device, seen, HMM_DMIRROR_NR_CALLS);
	ASSERT_LT(0, nr);
	for (call = 0; call < nr; call++)
		if (seen[call].call.id == 1 && seen[call].call.start < end &&
		    seen[call].call.end > self->at) {
			EXPECT_LE(self->at, seen[call].call.start);
			EXPECT_GE(end, seen[call].call.end);
		}
	for (i = 0; variant->pages[i]; i++) {
		if (variant->pages[i] == '.' ||
		    !window_is_left(leaves, &before[i], &now.entry[i]))
			continue;
		changed++;
		EXPECT_EQ(1, told(nr, HMM_DMIRROR_CALL_START, &before[i], leaves))
			TH_LOG("starts of page %u", i);
		/* A mapping that has moved is unmapped where it was. */
		ends = told(nr, HMM_DMIRROR_CALL_END, &before[i], leaves);
		if (!ends && !self->at && bug) {
			KNOWN_BUG(bug);
			self->scene.surplus_ends[1] = -1;
		} else {
			EXPECT_LE(1, ends)
				TH_LOG("ends of page %u", i);
		}
	}
	EXPECT_LT(0, changed);
}

static size_t size_of(const FIXTURE_VARIANT(edges) *variant)
{
	return strlen(variant->pages) * CHANGE_PAGE;
}

/* It ends at a hole. */
TEST_F(edges, of_mprotect)
{
	EXPECT_EQ(strchr(variant->pages, '.') ? -1 : 0,
		  mprotect((void *)self->at, size_of(variant), PROT_READ));
	check_told(_metadata, self, variant, CHANGE_READONLY, BUG_MPROTECT_AT_0);
}

TEST_F(edges, of_free)
{
	EXPECT_EQ(strchr(variant->pages, '.') ? -1 : 0,
		  madvise((void *)self->at, size_of(variant), MADV_FREE));
	check_told(_metadata, self, variant, CHANGE_CLEAN, NULL);
}

TEST_F(edges, of_map_fixed)
{
	EXPECT_EQ((void *)self->at,
		  mmap((void *)self->at, size_of(variant), PROT_NONE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	check_told(_metadata, self, variant, CHANGE_GONE, NULL);
}

/* Of one mapping: that of the first page */
TEST_F(edges, of_mremap)
{
	size_t size = page_of(0, last_of(variant->pages, 0) + 1);
	void *to = (void *)(CHANGE_BASE + CHANGE_ELSEWHERE / 2);

	EXPECT_EQ(to, mremap((void *)self->at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	check_told(_metadata, self, variant, CHANGE_GONE, NULL);
}

TEST_F(edges, of_guard_install)
{
	ASK_OR_SKIP(change_guard_install.why_not());
	EXPECT_EQ(strchr(variant->pages, '.') ? -1 : 0,
		  madvise((void *)self->at, size_of(variant), MADV_GUARD_INSTALL));
	check_told(_metadata, self, variant, CHANGE_GONE, NULL);
}

TEST_F(edges, of_pageout)
{
	ASK_OR_SKIP(change_pageout.why_not());
	EXPECT_EQ(strchr(variant->pages, '.') ? -1 : 0,
		  madvise((void *)self->at, size_of(variant), MADV_PAGEOUT));
	check_told(_metadata, self, variant, CHANGE_GONE, NULL);
}

/* To the node where they are not, in one call */
TEST_F(edges, of_move_pages)
{
	unsigned int i, nr = strlen(variant->pages);
	int status[HMM_DMIRROR_NR_WATCHED], nodes[HMM_DMIRROR_NR_WATCHED], to = 0;
	void *pages[HMM_DMIRROR_NR_WATCHED];

	ASK_OR_SKIP(change_move_pages.why_not());
	for (i = 0; i < nr; i++)
		pages[i] = (void *)page_of(self->at, i);
	ASSERT_EQ(0, syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0));
	/* A number that no node has is an error, and moves nothing. */
	do {
		to += to == status[0];
		for (i = 0; i < nr; i++)
			nodes[i] = to;
		ASSERT_GT(64, to++);
	} while (syscall(SYS_move_pages, 0, nr, pages, nodes, status, MPOL_MF_MOVE));
	for (i = 0; i < nr; i++)
		EXPECT_EQ(variant->pages[i] != '.', status[i] == nodes[i]);
	check_told(_metadata, self, variant, CHANGE_NOT_THAT, NULL);
}

/*
 * Of each mapping: before 6.3, one call took no more. It ends with the process: to close
 * the userfaultfd would be one more change.
 */
TEST_F(edges, of_uffd_wp)
{
	unsigned int page, last;
	int fd;

	ASK_OR_SKIP(change_uffd_wp.why_not());
	fd = userfault_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, userfault_register(fd, self->at, size_of(variant),
					UFFDIO_REGISTER_MODE_WP));
	for (page = 0; variant->pages[page]; page = last + 1) {
		last = last_of(variant->pages, page);
		if (variant->pages[page] != '.')
			EXPECT_EQ(0, userfault_write_protect(fd, page_of(self->at, page),
							     page_of(0, last + 1 - page)));
	}
	check_told(_metadata, self, variant, CHANGE_UFFD_WP, BUG_MPROTECT_AT_0);
}

TEST_F(edges, of_pagemap_scan)
{
	int fd, pages = 0;
	unsigned int i;

	ASK_OR_SKIP(change_pagemap_scan.why_not());
	fd = userfault_open(UFFD_FEATURE_WP_ASYNC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, userfault_register(fd, self->at, size_of(variant),
					UFFDIO_REGISTER_MODE_WP));
	for (i = 0; variant->pages[i]; i++)
		pages += variant->pages[i] != '.';
	EXPECT_EQ(pages, userfault_scan(self->at, size_of(variant), PM_SCAN_WP_MATCHING));
	check_told(_metadata, self, variant, CHANGE_UFFD_WP, NULL);
}

TEST_F(edges, of_fork)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	ASSERT_LT(0, child);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	check_told(_metadata, self, variant, CHANGE_READONLY, NULL);
}

TEST_F(edges, of_copy_on_write)
{
	pid_t parent = getpid(), child = fork();
	unsigned int i;

	if (!child) {
		end_with_parent(parent);
		pause();
	}
	ASSERT_LT(0, child);
	/* What it has copied is told already. */
	ASSERT_LT(0, dmirror_seen(self->scene.victim.device, seen, HMM_DMIRROR_NR_CALLS));
	for (i = 0; variant->pages[i]; i++)
		if (variant->pages[i] != '.')
			touch(page_of(self->at, i));
	check_told(_metadata, self, variant, CHANGE_ANOTHER, NULL);
	ASSERT_EQ(0, kill_task(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
