// SPDX-License-Identifier: GPL-2.0
/*
 * Changes by userfaultfd, and by the scan that builds on its write protection.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "changes.h"

/* What the C library's headers may be too old for */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC 0x8000
#endif
#ifndef UFFDIO_MOVE
#define UFFD_FEATURE_MOVE 0x10000
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};
#endif
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WRITTEN 0x2
#define PM_SCAN_WP_MATCHING 0x1
#define PM_SCAN_CHECK_WPASYNC 0x2
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#endif

static int open_uffd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd, err;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int register_range(int fd, uintptr_t at, size_t size, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = at, .len = size },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static bool has_features(uint64_t features)
{
	int fd = open_uffd(features);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static const char *lacks_wp(void)
{
	return has_features(UFFD_FEATURE_PAGEFAULT_FLAG_WP) ? NULL :
		"CONFIG_USERFAULTFD with write protection";
}

static long register_wp(uintptr_t at)
{
	int fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	long err;

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_private(at);
	return err ?: register_range(fd, at, SIZE, UFFDIO_REGISTER_MODE_WP);
}

static long write_protect(uintptr_t at)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = at, .len = SIZE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(change_fd(at), UFFDIO_WRITEPROTECT, &wp) ? -errno : 0;
}

static long is_write_protected(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + SIZE; page += PAGE)
		if (!(change_pagemap(page) & PAGEMAP_UFFD_WP))
			return -EBADMSG;
	return change_filled(at, SIZE);
}

const struct change change_uffd_wp = {
	.lacks = lacks_wp,
	.prepare = register_wp,
	.act = write_protect,
	.check = is_write_protected,
	.calls = {
		CALL("change_pud_range", PROTECTION_VMA, 0, SIZE),
	},
};

static const char *lacks_move(void)
{
	return has_features(UFFD_FEATURE_MOVE) ? NULL : "UFFDIO_MOVE (6.8)";
}

static int prepare_move(uintptr_t at, size_t size)
{
	int fd = open_uffd(UFFD_FEATURE_MOVE);
	int err;

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_map(at + ELSEWHERE, size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return err ?: register_range(fd, at + ELSEWHERE, size,
				     UFFDIO_REGISTER_MODE_MISSING);
}

static int move(uintptr_t at, size_t size)
{
	struct uffdio_move arg = {
		.dst = at + ELSEWHERE,
		.src = at,
		.len = size,
	};

	if (ioctl(change_fd(at), UFFDIO_MOVE, &arg))
		return -errno;
	return arg.move == (long)size ? 0 : -EIO;
}

/* One page: how many a later kernel moves in one go depends on their locks. */
static long prepare_move_page(uintptr_t at)
{
	long err = change_private(at);

	return err ?: prepare_move(at, PAGE);
}

static long move_page(uintptr_t at)
{
	return move(at, PAGE);
}

static long page_has_moved(uintptr_t at)
{
	if (*(volatile uintptr_t *)(at + ELSEWHERE) != at)
		return -EBADMSG;
	return change_zero(at, PAGE) ?: change_filled(at + PAGE, SIZE - PAGE);
}

const struct change change_uffd_move = {
	.lacks = lacks_move,
	.prepare = prepare_move_page,
	.act = move_page,
	.check = page_has_moved,
	.calls = {
		CALL("move_pages_ptes", CLEAR, 0, PAGE),
	},
};

static long prepare_move_huge(uintptr_t at)
{
	int err = change_map(at, HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (err)
		return err;
	if (madvise((void *)at, HUGE, MADV_HUGEPAGE))
		return -errno;
	change_fill(at, HUGE);
	if (change_smaps(at, "AnonHugePages") != HUGE / 1024)
		return -ENOMEM;
	return prepare_move(at, HUGE);
}

static long move_huge(uintptr_t at)
{
	return move(at, HUGE);
}

static long huge_has_moved(uintptr_t at)
{
	uintptr_t page;

	if (change_smaps(at + ELSEWHERE, "AnonHugePages") != HUGE / 1024)
		return -EBADMSG;
	for (page = at; page < at + HUGE; page += PAGE)
		if (*(volatile uintptr_t *)(page + ELSEWHERE) != page)
			return -EBADMSG;
	return change_zero(at, SIZE);
}

static const char *lacks_move_huge(void)
{
	return sysfile_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") ==
		HUGE ? lacks_move() : "CONFIG_TRANSPARENT_HUGEPAGE";
}

const struct change change_uffd_move_huge = {
	.lacks = lacks_move_huge,
	.prepare = prepare_move_huge,
	.act = move_huge,
	.check = huge_has_moved,
	.calls = {
		CALL("move_pages_huge_pmd", CLEAR, 0, HUGE),
	},
};

static int scan(uintptr_t at, uint64_t flags)
{
	struct page_region regions[8];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = at,
		.end = at + SIZE,
		.vec = (uintptr_t)regions,
		.vec_len = 8,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int fd, nr, i, pages = 0;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	nr = ioctl(fd, PAGEMAP_SCAN, &arg);
	if (nr < 0)
		nr = -errno;
	close(fd);
	for (i = 0; i < nr; i++)
		pages += (regions[i].end - regions[i].start) / PAGE;
	return nr < 0 ? nr : pages;
}

static const char *lacks_scan(void)
{
	if (kernel_version() < VERSION(6, 7))
		return "PAGEMAP_SCAN (6.7)";
	return has_features(UFFD_FEATURE_WP_ASYNC) ? NULL :
		"CONFIG_PTE_MARKER_UFFD_WP";
}

static long register_wp_async(uintptr_t at)
{
	int err, fd = open_uffd(UFFD_FEATURE_WP_ASYNC);

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	err = change_map(at, SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	err = err ?: register_range(fd, at, SIZE, UFFDIO_REGISTER_MODE_WP);
	if (!err)
		change_fill(at, SIZE);
	return err;
}

static long scan_and_protect(uintptr_t at)
{
	int pages = scan(at, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC);

	return pages < 0 ? pages : pages == SIZE / PAGE ? 0 : -EBADMSG;
}

/* Nothing has been written since, then one page. */
static long scans_what_is_written(uintptr_t at)
{
	if (scan(at, 0))
		return -EBADMSG;
	change_fill(at + PAGE, PAGE);
	return scan(at, 0) == 1 ? change_filled(at, SIZE) : -EBADMSG;
}

const struct change change_pagemap_scan = {
	.lacks = lacks_scan,
	.prepare = register_wp_async,
	.act = scan_and_protect,
	.check = scans_what_is_written,
	.calls = {
		CALL("do_pagemap_scan", PROTECTION_VMA, 0, SIZE),
	},
};
