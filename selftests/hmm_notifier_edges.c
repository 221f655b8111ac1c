// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidations at the edges of what the kernel counts in: the lowest and the highest
 * page that there can be, both sides of where a page table ends, mappings with a hole
 * between them, two at once. At each start the device sees what is mapped there, at each
 * end that it is gone, and the range is the one that was asked for.
 */
#include <errno.h>
#include <sys/mman.h>

#include "change/change.h"
#include "hmm_notifier.h"

#define PRESENT		HMM_DMIRROR_ENTRY_PRESENT

static struct hmm_dmirror_seen seen[HMM_DMIRROR_NR_CALLS];

FIXTURE(edges) {
	struct scene scene;
	uintptr_t at;
};

/* Pages in a row: a letter each for those of one mapping, a dot for none */
FIXTURE_VARIANT(edges) {
	uintptr_t (*map)(const char *pages);
	const char *pages;
};

static bool map_one(uintptr_t at, char letter)
{
	int prot = PROT_READ | PROT_WRITE | (letter == 'b' ? PROT_EXEC : 0);

	if (mmap((void *)at, CHANGE_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED_NOREPLACE, -1, 0) != (void *)at)
		return false;
	*(volatile uintptr_t *)(at + sizeof(at)) = 1;
	return true;
}

/* Returns -1UL if there is no room. */
static uintptr_t map_at(uintptr_t at, const char *pages)
{
	unsigned int i;

	for (i = 0; pages[i]; i++)
		if (pages[i] != '.' && !map_one(at + i * CHANGE_PAGE, pages[i]))
			return -1UL;
	return at;
}

/* CAP_SYS_RAWIO goes below vm.mmap_min_addr. */
static uintptr_t lowest(const char *pages)
{
	return map_at(0, pages);
}

/* Above it is the kernel; on x86, a page is left free below. */
static uintptr_t highest(const char *pages)
{
	static const unsigned int bits[] = { 57, 56, 52, 48, 47, 42, 39 };
	size_t size = strlen(pages) * CHANGE_PAGE;
	uintptr_t at = -1UL;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]) && at == -1UL; i++) {
		uintptr_t top = (1UL << (bits[i] - 1)) + ((1UL << (bits[i] - 1)) - size);

		at = map_at(top, pages);
		if (at == -1UL)
			at = map_at(top - CHANGE_PAGE, pages);
	}
	return at;
}

/* The second page is the first one behind a table of that level. */
static uintptr_t behind(unsigned int level, const char *pages)
{
	uintptr_t size = CHANGE_PAGE;

	while (level--)
		size *= CHANGE_PAGE / sizeof(uint64_t);
	return map_at(((CHANGE_BASE + size) & -size) + size - CHANGE_PAGE, pages);
}

static uintptr_t pmd_border(const char *pages)
{
	return behind(1, pages);
}

static uintptr_t pud_border(const char *pages)
{
	return behind(2, pages);
}

static uintptr_t p4d_border(const char *pages)
{
	return behind(3, pages);
}

FIXTURE_VARIANT_ADD(edges, lowest) { lowest, "aa" };
FIXTURE_VARIANT_ADD(edges, highest) { highest, "aa" };
FIXTURE_VARIANT_ADD(edges, pmd) { pmd_border, "aa" };
FIXTURE_VARIANT_ADD(edges, pud) { pud_border, "aa" };
FIXTURE_VARIANT_ADD(edges, p4d) { p4d_border, "aa" };
FIXTURE_VARIANT_ADD(edges, one_page) { pmd_border, "a" };
FIXTURE_VARIANT_ADD(edges, hole) { pud_border, "a.a" };
FIXTURE_VARIANT_ADD(edges, two) { pmd_border, "ab" };
FIXTURE_VARIANT_ADD(edges, two_hole) { p4d_border, "a.b" };

static uintptr_t page_of(uintptr_t at, unsigned int page)
{
	return at + page * CHANGE_PAGE;
}

FIXTURE_SETUP(edges)
{
	struct hmm_dmirror_watch watch = {};
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	self->at = variant->map(variant->pages);
	if (self->at == -1UL)
		SKIP(return, "no such address to map at");
	ASSERT_EQ(0, scene_open(&self->scene, DMIRROR_BARE));
	ASSERT_EQ(0, scene_add(&self->scene, 1,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	for (i = 0; variant->pages[i]; i++)
		watch.entry[i].addr = page_of(self->at, i);
	ASSERT_EQ(0, dmirror_watch(self->scene.victim.device, &watch));
	if (!watch.entry[0].level)
		SKIP(return, "no gup_fast() on this architecture");
	for (i = 0; variant->pages[i]; i++)
		EXPECT_EQ(variant->pages[i] == '.' ? 0 : PRESENT,
			  watch.entry[i].flags & PRESENT);
}

SCENE_TEARDOWN(edges)

/* Whether the page is mapped, as the device saw it with that call; -1 if it did not look */
static int was_present(const struct hmm_dmirror_seen *record, uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < HMM_DMIRROR_NR_ENTRIES; i++)
		if (record->entry[i].addr == addr && record->entry[i].level)
			return !!(record->entry[i].flags & PRESENT);
	return -1;
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

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

TEST_HARNESS_MAIN
