// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <sys/mman.h>

#include "change/edge.h"
#include "core/victim.h"

static bool is_free(uintptr_t at, size_t size)
{
	void *got = mmap((void *)at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == MAP_FAILED)
		return false;
	munmap(got, size);
	return got == (void *)at;
}

/* Above it is the kernel; on x86, a page is left free below. */
static uintptr_t highest(size_t size, size_t align)
{
	static const unsigned int bits[] = { 57, 56, 52, 48, 47, 42, 39 };
	unsigned int i, left_free;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		for (left_free = 0; left_free <= 1; left_free++) {
			uintptr_t top = (1UL << bits[i]) - left_free * getpagesize();
			uintptr_t at = (top - size) & -align;

			if (is_free(at, size))
				return at;
		}
	return -1UL;
}

uintptr_t edge_room(enum edge edge, size_t size, size_t align, size_t before)
{
	size_t page = getpagesize(), mapped = page;
	uintptr_t at = 0;

	if (edge == EDGE_HIGHEST)
		return highest(size, align);
	for (; edge >= EDGE_PMD; edge--)
		mapped *= page / sizeof(uint64_t);
	if (mapped > page) {
		at = (VICTIM_BASE & -mapped) + 2 * mapped - before;
		if (is_free(at, size))
			return at;
		at -= mapped;
	}
	return is_free(at, size) ? at : -1UL;
}
