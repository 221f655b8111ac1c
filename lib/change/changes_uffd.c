// SPDX-License-Identifier: GPL-2.0
/*
 * Changes by userfaultfd, and by PAGEMAP_SCAN, which uses its write protection.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"
#include "core/uffd.h"

static bool has_features(uint64_t features)
{
	int fd = userfault_open(features);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static const char *why_not_wp(void)
{
	return has_features(UFFD_FEATURE_PAGEFAULT_FLAG_WP) ? NULL :
		"no CONFIG_USERFAULTFD with write protection";
}

static long register_wp(uintptr_t at)
{
	int fd = userfault_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	long err;

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_private(at);
	return err ?: userfault_register(fd, at, CHANGE_SIZE, UFFDIO_REGISTER_MODE_WP);
}

static long write_protect(uintptr_t at)
{
	return userfault_write_protect(change_fd(at), at, CHANGE_SIZE);
}

static long is_write_protected(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + CHANGE_SIZE; page += CHANGE_PAGE)
		if (!(change_pagemap(page) & PAGEMAP_UFFD_WP))
			return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_uffd_wp = {
	.why_not = why_not_wp,
	.prepare = register_wp,
	.act = write_protect,
	.check = is_write_protected,
	.calls = {
		CHANGE_CALL("change_pud_range", PROTECTION_VMA,
			    CHANGE_READONLY | CHANGE_UFFD_WP,
			    0, CHANGE_PAGES(4)),
	},
};

static const char *why_not_move(void)
{
	return has_features(UFFD_FEATURE_MOVE) ? NULL :
		"no UFFDIO_MOVE (Linux 6.8 and later)";
}

static int prepare_move(uintptr_t at, size_t size)
{
	int fd = userfault_open(UFFD_FEATURE_MOVE);
	int err;

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_map(change_elsewhere(at), size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return err ?: userfault_register(fd, change_elsewhere(at), size,
					 UFFDIO_REGISTER_MODE_MISSING);
}

static int move(uintptr_t at, size_t size)
{
	long moved = userfault_move(change_fd(at), change_elsewhere(at), at, size);

	return moved < 0 ? moved : moved == (long)size ? 0 : -EIO;
}

/* One page: of several, later kernels move as many at once as locks allow. */
static long prepare_move_page(uintptr_t at)
{
	long err = change_private(at);

	return err ?: prepare_move(at, CHANGE_PAGE);
}

static long move_page(uintptr_t at)
{
	return move(at, CHANGE_PAGE);
}

static long page_has_moved(uintptr_t at)
{
	if (*(volatile uintptr_t *)(change_elsewhere(at)) != at)
		return -EBADMSG;
	return change_zero(at, CHANGE_PAGE) ?:
					      change_filled(at + CHANGE_PAGE,
							    CHANGE_SIZE - CHANGE_PAGE);
}

const struct change change_uffd_move = {
	.why_not = why_not_move,
	.prepare = prepare_move_page,
	.act = move_page,
	.check = page_has_moved,
	.calls = {
		CHANGE_CALL("move_pages_ptes", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(1)),
	},
};

static long prepare_move_huge(uintptr_t at)
{
	return change_map_huge(at) ?: prepare_move(at, CHANGE_HUGE);
}

static long move_huge(uintptr_t at)
{
	return move(at, CHANGE_HUGE);
}

static long huge_has_moved(uintptr_t at)
{
	uintptr_t page;

	if (change_smaps(change_elsewhere(at), "AnonHugePages") != (long)CHANGE_HUGE / 1024)
		return -EBADMSG;
	for (page = at; page < at + CHANGE_HUGE; page += CHANGE_PAGE)
		if (*(volatile uintptr_t *)(change_elsewhere(page)) != page)
			return -EBADMSG;
	return change_zero(at, CHANGE_SIZE);
}

static const char *why_not_move_huge(void)
{
	return change_why_not_huge() ?: why_not_move();
}

const struct change change_uffd_move_huge = {
	.why_not = why_not_move_huge,
	.prepare = prepare_move_huge,
	.act = move_huge,
	.check = huge_has_moved,
	.size = CHANGE_HUGES(1),
	.calls = {
		CHANGE_CALL("move_pages_huge_pmd", CLEAR, CHANGE_GONE, 0, CHANGE_HUGES(1)),
	},
};

static const char *why_not_scan(void)
{
	if (kernel_version() < LINUX_VERSION(6, 7))
		return "no PAGEMAP_SCAN (Linux 6.7 and later)";
	return has_features(UFFD_FEATURE_WP_ASYNC) ? NULL :
		"no CONFIG_PTE_MARKER_UFFD_WP";
}

static long register_wp_async(uintptr_t at)
{
	int err, fd = userfault_open(UFFD_FEATURE_WP_ASYNC);

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_map(at, CHANGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	err = err ?: userfault_register(fd, at, CHANGE_SIZE, UFFDIO_REGISTER_MODE_WP);
	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

static long scan_and_protect(uintptr_t at)
{
	int pages = userfault_scan(at, CHANGE_SIZE,
				   PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC);

	return pages < 0 ? pages : pages == CHANGE_NR_PAGES ? 0 : -EBADMSG;
}

/* The scan finds no written page; after a write, one. */
static long scans_what_is_written(uintptr_t at)
{
	if (userfault_scan(at, CHANGE_SIZE, 0))
		return -EBADMSG;
	change_fill(at + CHANGE_PAGE, CHANGE_PAGE);
	return userfault_scan(at, CHANGE_SIZE, 0) == 1 ?
		       change_filled(at, CHANGE_SIZE) :
		       -EBADMSG;
}

const struct change change_pagemap_scan = {
	.why_not = why_not_scan,
	.prepare = register_wp_async,
	.act = scan_and_protect,
	.check = scans_what_is_written,
	.calls = {
		CHANGE_CALL("do_pagemap_scan", PROTECTION_VMA, CHANGE_UFFD_WP,
			    0, CHANGE_PAGES(4)),
	},
};
