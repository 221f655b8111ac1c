// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/uffd.h"

#ifndef UFFDIO_MOVE
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

int userfault_open(uint64_t features)
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

int userfault_register(int fd, uintptr_t at, size_t size, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = at, .len = size },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

int userfault_write_protect(int fd, uintptr_t at, size_t size)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = at, .len = size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp) ? -errno : 0;
}

long userfault_move(int fd, uintptr_t to, uintptr_t from, size_t size)
{
	struct uffdio_move arg = {
		.dst = to,
		.src = from,
		.len = size,
	};

	return ioctl(fd, UFFDIO_MOVE, &arg) ? -errno : (long)arg.move;
}

int userfault_scan(uintptr_t at, size_t size, uint64_t flags)
{
	struct page_region regions[8];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = at,
		.end = at + size,
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
		pages += (regions[i].end - regions[i].start) / getpagesize();
	return nr < 0 ? nr : pages;
}
