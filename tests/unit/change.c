// SPDX-License-Identifier: GPL-2.0
/* The tables of changes are right for each size of a page that there is. */
#include "change/changes.h"
#include "unit.h"
#include "wraps.h"

static int page_size;

int __wrap_getpagesize(void)
{
	return page_size;
}

#define POINTER(name) &change_##name,
static const struct change * const changes[] = { CHANGES(POINTER) CHANGES_FROZEN(POINTER) };

static struct change_expected expected[300];

static void check_ranges(const struct change *change)
{
	int i, nr = change_expect(change, CHANGE_SPANS, expected, 300);

	CHECK(nr > 0);
	for (i = 0; i < nr; i++) {
		const struct change_expected *e = &expected[i];

		if (e->end == -1UL)
			continue;
		CHECK(e->start < e->end);
		CHECK(!(e->start % page_size) && !(e->end % page_size));
		CHECK(e->start >= change_span(e->span));
		CHECK(e->end <= change_span(e->span) + 2 * CHANGE_HUGE ||
		      change == &change_hugetlb_unshare);
	}
}

static void is_call(const struct change *change, uintptr_t start, uintptr_t end)
{
	int i, nr = change_expect(change, 1, expected, 300), found = 0;

	for (i = 0; i < nr; i++)
		found += expected[i].start == CHANGE_BASE + start &&
			 expected[i].end == CHANGE_BASE + end;
	CHECK(found);
}

static void check_page(int size, size_t huge)
{
	unsigned int i;

	page_size = size;
	CHECK(huge == CHANGE_HUGE);
	CHECK(2 * CHANGE_HUGE <= CHANGE_ELSEWHERE);
	CHECK(size <= (int)CHANGE_MAX_PAGE);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		check_ranges(changes[i]);
	is_call(&change_munmap, 0, 4 * size);
	is_call(&change_mremap_shrink, 2 * size, 4 * size);
	is_call(&change_thp_munmap, 0, huge);
	is_call(&change_hugetlb_truncate, huge, 2 * huge);
	is_call(&change_pageout, 3 * size, 4 * size);
}

static void of_4_kib(void)
{
	check_page(0x1000, 2 << 20);
	is_call(&change_hugetlb_unshare, 0, 1 << 30);
}

static void of_16_kib(void)
{
	check_page(0x4000, 32 << 20);
}

static void of_64_kib(void)
{
	check_page(0x10000, 512 << 20);
}

static const struct unit_test tests[] = {
	{ "of_4_kib", of_4_kib },
	{ "of_16_kib", of_16_kib },
	{ "of_64_kib", of_64_kib },
};

UNIT_MAIN(tests)
