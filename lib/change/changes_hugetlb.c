// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of hugetlb memory, pages of the size that a page table maps: 2 MiB where a page
 * is of 4 KiB.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4
#endif

/* Three spans of one page, a copy of each, and those of children still dying */
#define WANTED 12

static long pool(const char *what)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/%s",
		 CHANGE_HUGE / 1024, what);
	return sysfile_number(path);
}

/*
 * A child that outlives its victim frees its pages a little later. Waits for them, 2 s
 * at most; seen to take less than 10 ms.
 */
static const char *why_not_pages(void)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		long pages = pool("free_hugepages");

		if (pages < 0)
			return "no CONFIG_HUGETLBFS with pages as a page table maps";
		if (pages >= WANTED)
			return NULL;
		if (pool("nr_hugepages") < WANTED)
			break;
		poll(NULL, 0, 2);
	}
	return "no free huge pages (vm.nr_hugepages=12)";
}

static long map_private(uintptr_t at)
{
	int err = change_map(at, CHANGE_HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
			     -1);

	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

const struct change change_hugetlb_fork = {
	.why_not = why_not_pages,
	.prepare = map_private,
	.act = change_see_in_child,
	.check = change_all_filled,
	.flags = CHANGE_AT_ONCE,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("copy_hugetlb_page_range", CLEAR, CHANGE_READONLY,
			    0, CHANGE_HUGES(1)),
	},
};

static long share_with_child(uintptr_t at)
{
	long err = map_private(at);

	return err ?: change_hold_in_child(at);
}

static long is_copied(uintptr_t at)
{
	if (change_child_word(at, at + CHANGE_PAGE) != at + CHANGE_PAGE)
		return -EBADMSG;
	return change_second_written(at) ?: change_filled(at, CHANGE_PAGE) ?:
	       change_filled(at + 2 * CHANGE_PAGE, CHANGE_SIZE - 2 * CHANGE_PAGE);
}

const struct change change_hugetlb_cow = {
	.why_not = why_not_pages,
	.prepare = share_with_child,
	.act = change_write_second,
	.check = is_copied,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("hugetlb_wp", CLEAR, CHANGE_ANOTHER, 0, CHANGE_HUGES(1)),
	},
};

static long move(uintptr_t at)
{
	void *to = (void *)change_elsewhere(at);

	return mremap((void *)at, CHANGE_HUGE, CHANGE_HUGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      to) == to ? 0 : -errno;
}

static long has_moved(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + CHANGE_SIZE; page += CHANGE_PAGE)
		if (*(volatile uintptr_t *)(change_elsewhere(page)) != page)
			return -EBADMSG;
	return change_unmapped(at, CHANGE_HUGE);
}

const struct change change_hugetlb_mremap = {
	.why_not = why_not_pages,
	.prepare = map_private,
	.act = move,
	.check = has_moved,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("move_hugetlb_page_tables", CLEAR, CHANGE_GONE,
			    0, CHANGE_HUGES(1)),
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_HUGES(1)),
		/* 6.1 tells of it twice */
		CHANGE_CALL("unmap_hugepage_range", UNMAP, CHANGE_GONE, 0, CHANGE_HUGES(1),
			    .until = LINUX_VERSION(6, 2)),
	},
};

static long protect(uintptr_t at)
{
	return mprotect((void *)at, CHANGE_HUGE, PROT_READ) ? -errno : 0;
}

static long is_protected(uintptr_t at)
{
	return change_writable(at) ? -EBADMSG : change_filled(at, CHANGE_SIZE);
}

const struct change change_hugetlb_mprotect = {
	.why_not = why_not_pages,
	.prepare = map_private,
	.act = protect,
	.check = is_protected,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("hugetlb_change_protection", PROTECTION_VMA, CHANGE_READONLY,
			    0, CHANGE_HUGES(1)),
	},
};

static int open_file(uintptr_t at, size_t size)
{
	int fd = memfd_create("hmm_notifier", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd < 0 || ftruncate(fd, size))
		return -errno;
	change_keep_fd(at, fd);
	return fd;
}

static long map_shared(uintptr_t at)
{
	int err, fd = open_file(at, 2 * CHANGE_HUGE);

	if (fd < 0)
		return fd;
	err = change_map(at, 2 * CHANGE_HUGE, MAP_SHARED, fd);
	if (!err) {
		change_fill(at, CHANGE_SIZE);
		change_fill(at + CHANGE_HUGE, CHANGE_SIZE);
	}
	return err;
}

static long truncate_half(uintptr_t at)
{
	return ftruncate(change_fd(at), CHANGE_HUGE) ? -errno : 0;
}

/* Behind the end there is nothing; zeroes, once the file grows again. */
static long is_truncated(uintptr_t at)
{
	if (change_pagemap(at + CHANGE_HUGE) & PAGEMAP_PRESENT)
		return -EBADMSG;
	if (ftruncate(change_fd(at), 2 * CHANGE_HUGE))
		return -errno;
	return change_filled(at, CHANGE_SIZE) ?: change_zero(at + CHANGE_HUGE, CHANGE_SIZE);
}

const struct change change_hugetlb_truncate = {
	.why_not = why_not_pages,
	.prepare = map_shared,
	.act = truncate_half,
	.check = is_truncated,
	.flags = CHANGE_FILE_HAS_IT,
	.size = CHANGE_HUGES(2),
	.calls = {
		CHANGE_CALL("unmap_hugepage_range", UNMAP, CHANGE_GONE,
			    CHANGE_HUGES(1), CHANGE_HUGES(2),
			    .until = LINUX_VERSION(6, 2)),
		CHANGE_CALL("unmap_hugepage_range", CLEAR, CHANGE_GONE,
			    CHANGE_HUGES(1), CHANGE_HUGES(2),
			    .since = LINUX_VERSION(6, 2)),
	},
};

/* Two mappings of 1 GiB, aligned to that, share their page table. */
#define GIANT 0x40000000UL

static const char *why_not_giant(void)
{
	return CHANGE_PAGE == 0x1000 ? why_not_pages() :
		"pages of 4 KiB share a page table of 1 GiB, larger ones one of 64 GiB";
}

static long map_twice(uintptr_t at)
{
	int err, fd = open_file(at, GIANT);

	if (fd < 0)
		return fd;
	err = change_map(at, GIANT, MAP_SHARED | MAP_NORESERVE, fd);
	err = err ?: change_map(at + GIANT, GIANT, MAP_SHARED | MAP_NORESERVE,
				fd);
	if (err)
		return err;
	change_fill(at, CHANGE_SIZE);
	return *(volatile uintptr_t *)(at + GIANT) == at ? 0 : -EBADMSG;
}

/* Splits the VMA, and no more: its last page gets another flag. */
static long cut(uintptr_t at)
{
	return madvise((void *)(at + GIANT - CHANGE_HUGE), CHANGE_HUGE, MADV_DONTFORK) ?
		-errno : 0;
}

/* The mapping has no shared page table any more, and gets its own. */
static long is_unshared(uintptr_t at)
{
	if (change_pagemap(at) & PAGEMAP_PRESENT ||
	    !(change_pagemap(at + GIANT) & PAGEMAP_PRESENT))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_hugetlb_unshare = {
	.why_not = why_not_giant,
	.prepare = map_twice,
	.act = cut,
	.check = is_unshared,
	.size = CHANGE_HUGES(1024),
	.calls = {
		CHANGE_CALL("hugetlb_unshare_pmds", CLEAR, CHANGE_GONE, 0, CHANGE_HUGES(512)),
	},
};
