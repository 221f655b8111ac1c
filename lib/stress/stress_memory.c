// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/dmirror.h"
#include "core/machine_state.h"
#include "core/uffd.h"
#include "stress/stress_memory.h"

/* Newer than some C libraries */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif
#define MPOL_MF_MOVE		2
#define MAX_MIGRATE		16
#define MAX_BUFFER		0x10000	/* the largest page that there is */

const char * const stress_memory_change_names[STRESS_MEMORY_NR_CHANGES] = {
	"write", "read", "dontneed", "free", "collapse", "unmap", "map",
	"protect", "move", "fork", "punch", "migrate", "soft_dirty", "pageout",
	"guard", "uffd_protect", "uffd_move", "scan",
};

const char * const stress_memory_transfer_names[STRESS_MEMORY_NR_TRANSFERS] = {
	"read", "write", "exclusive", "to_device", "to_system",
};

const char * const stress_memory_area_names[STRESS_MEMORY_NR_AREAS] = {
	"private", "shared", "huge",
};

/* Addresses away from each other, and from the mappings of victim.h */
static const struct {
	uintptr_t base;
	unsigned int pages;
} areas[] = {
	[STRESS_MEMORY_PRIVATE] = { 0x300000000, 64 },
	[STRESS_MEMORY_SHARED] = { 0x310000000, 64 },
	[STRESS_MEMORY_HUGE] = { 0x320000000, 1024 },
};

unsigned int stress_memory_pages(enum stress_memory_area area)
{
	return areas[area].pages;
}

uintptr_t stress_memory_address(enum stress_memory_area area, unsigned int page)
{
	return areas[area].base + (uintptr_t)page * getpagesize();
}

int stress_memory_file(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)stress_memory_pages(STRESS_MEMORY_SHARED) *
				   getpagesize()))
		return fd;
	close(fd);
	return -ENOSPC;
}

static int map(enum stress_memory_area area, unsigned int page, unsigned int pages,
	       int file)
{
	void *addr = (void *)stress_memory_address(area, page);
	size_t size = (size_t)pages * getpagesize();
	int flags = MAP_FIXED;
	off_t offset = 0;

	if (area == STRESS_MEMORY_SHARED) {
		flags |= MAP_SHARED;
		offset = (off_t)page * getpagesize();
	} else {
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		file = -1;
	}
	if (mmap(addr, size, PROT_READ | PROT_WRITE, flags, file, offset) != addr)
		return -errno;
	if (area == STRESS_MEMORY_HUGE)
		madvise(addr, size, MADV_HUGEPAGE);
	return 0;
}

int stress_memory_map(int file)
{
	unsigned int area;
	int err = 0;

	for (area = 0; !err && area < STRESS_MEMORY_NR_AREAS; area++)
		err = map(area, 0, stress_memory_pages(area), file);
	return err;
}

#define CHILD_WAITS_MS	1000

/*
 * The first to write gets a copy of the page; the other keeps the old one, without an
 * invalidation. So that a seed repeats this, the one waits for the other. The child
 * ends by itself, whatever becomes of its parent.
 */
static void child_main(const int written[2], void *addr, size_t size,
		       bool child_writes)
{
	struct pollfd wait = { .fd = written[0] };

	close(written[1]);
	if (child_writes)
		madvise(addr, size, MADV_POPULATE_WRITE);
	else
		poll(&wait, 1, CHILD_WAITS_MS);
	_exit(0);
}

static void fork_and_write(void *addr, size_t size, bool child_writes)
{
	int written[2];
	pid_t pid;

	if (pipe2(written, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		child_main(written, addr, size, child_writes);
	close(written[0]);
	if (pid > 0 && child_writes)
		waitpid(pid, NULL, 0);
	madvise(addr, size, MADV_POPULATE_WRITE);
	close(written[1]);
	if (pid > 0 && !child_writes)
		waitpid(pid, NULL, 0);
}

static void migrate(const struct stress_memory_range *range)
{
	unsigned int i, pages = range->pages < MAX_MIGRATE ? range->pages : MAX_MIGRATE;
	void *addrs[MAX_MIGRATE];
	int nodes[MAX_MIGRATE], status[MAX_MIGRATE];

	for (i = 0; i < pages; i++) {
		addrs[i] = (void *)stress_memory_address(range->area, range->page + i);
		nodes[i] = range->arg & 1;
	}
	syscall(SYS_move_pages, 0, (unsigned long)pages, addrs, nodes, status,
		MPOL_MF_MOVE);
}

static void clear_soft_dirty(void)
{
	/* Without CONFIG_MEM_SOFT_DIRTY nothing changes. */
	machine_write("/proc/self/clear_refs", "4");
}

static void protect(void *addr, size_t size, unsigned int arg)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
	};

	mprotect(addr, size, prots[arg % 3]);
}

/* Another place in the same area, for as many pages */
static uintptr_t elsewhere(const struct stress_memory_range *range)
{
	return stress_memory_address(range->area,
			     range->arg % (stress_memory_pages(range->area) - range->pages + 1));
}

static void move(const struct stress_memory_range *range, void *addr, size_t size)
{
	(void)!mremap(addr, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      (void *)elsewhere(range));
}

/*
 * A userfaultfd that write-protects the range, or -errno. While it is open, a write
 * there waits for an answer.
 */
static int uffd_wp(uint64_t features, void *addr, size_t size)
{
	int fd = userfault_open(features), err;

	if (fd < 0)
		return fd;
	err = userfault_register(fd, (uintptr_t)addr, size, UFFDIO_REGISTER_MODE_WP);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void uffd_protect(void *addr, size_t size)
{
	int fd = uffd_wp(UFFD_FEATURE_PAGEFAULT_FLAG_WP, addr, size);

	if (fd < 0)
		return;
	userfault_write_protect(fd, (uintptr_t)addr, size);
	close(fd);
}

static void scan_and_protect(void *addr, size_t size)
{
	int fd = uffd_wp(UFFD_FEATURE_WP_ASYNC, addr, size);

	if (fd < 0)
		return;
	userfault_scan((uintptr_t)addr, size,
		       PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC);
	close(fd);
}

/* The other place is emptied first. */
static void uffd_move_pages(const struct stress_memory_range *range, void *addr, size_t size)
{
	uintptr_t to = elsewhere(range);
	int fd = userfault_open(UFFD_FEATURE_MOVE);

	if (fd < 0)
		return;
	madvise((void *)to, size, MADV_DONTNEED);
	if (!userfault_register(fd, to, size, UFFDIO_REGISTER_MODE_MISSING))
		userfault_move(fd, to, (uintptr_t)addr, size);
	close(fd);
}

void stress_memory_run(const struct stress_memory_range *range, int file)
{
	void *addr = (void *)stress_memory_address(range->area, range->page);
	size_t size = (size_t)range->pages * getpagesize();

	switch ((enum stress_memory_change)range->change) {
	case STRESS_MEMORY_WRITE:
		madvise(addr, size, MADV_POPULATE_WRITE);
		break;
	case STRESS_MEMORY_READ:
		madvise(addr, size, MADV_POPULATE_READ);
		break;
	case STRESS_MEMORY_DONTNEED:
		madvise(addr, size, MADV_DONTNEED);
		break;
	case STRESS_MEMORY_FREE:
		madvise(addr, size, MADV_FREE);
		break;
	case STRESS_MEMORY_COLLAPSE:
		madvise(addr, size, MADV_COLLAPSE);
		break;
	case STRESS_MEMORY_UNMAP:
		munmap(addr, size);
		break;
	case STRESS_MEMORY_MAP:
		map(range->area, range->page, range->pages, file);
		break;
	case STRESS_MEMORY_PROTECT:
		protect(addr, size, range->arg);
		break;
	case STRESS_MEMORY_MOVE:
		move(range, addr, size);
		break;
	case STRESS_MEMORY_FORK:
		fork_and_write(addr, size, range->arg & 1);
		break;
	case STRESS_MEMORY_PUNCH:
		fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)range->page * getpagesize(), size);
		break;
	case STRESS_MEMORY_MIGRATE:
		migrate(range);
		break;
	case STRESS_MEMORY_SOFT_DIRTY:
		clear_soft_dirty();
		break;
	case STRESS_MEMORY_PAGEOUT:
		madvise(addr, size, MADV_PAGEOUT);
		break;
	case STRESS_MEMORY_GUARD:
		madvise(addr, size, MADV_GUARD_INSTALL);
		break;
	case STRESS_MEMORY_UFFD_PROTECT:
		uffd_protect(addr, size);
		break;
	case STRESS_MEMORY_UFFD_MOVE:
		uffd_move_pages(range, addr, size);
		break;
	case STRESS_MEMORY_SCAN:
		scan_and_protect(addr, size);
		break;
	case STRESS_MEMORY_NR_CHANGES:
		break;
	}
}

/* Ignores results: pages may be absent or protected, and change all the time. */
void stress_memory_transfer(int device, const struct stress_memory_range *range,
			    enum stress_memory_transfer transfer)
{
	/* Threads have small stacks, and may mix here what they read and write. */
	static char buffer[MAX_BUFFER];
	size_t most = MAX_BUFFER / getpagesize();
	size_t pages = range->pages < most ? range->pages : most;
	uintptr_t addr = stress_memory_address(range->area, range->page);

	switch (transfer) {
	case STRESS_MEMORY_DEVICE_READ:
		dmirror_read(device, addr, buffer, pages);
		break;
	case STRESS_MEMORY_DEVICE_WRITE:
		memset(buffer, range->arg, sizeof(buffer));
		dmirror_write(device, addr, buffer, pages);
		break;
	case STRESS_MEMORY_EXCLUSIVE:
		dmirror_exclusive(device, addr, buffer, pages);
		break;
	case STRESS_MEMORY_TO_DEVICE:
		dmirror_migrate_to_device(device, addr, buffer, pages);
		break;
	case STRESS_MEMORY_TO_SYSTEM:
		dmirror_migrate_to_system(device, addr, pages);
		break;
	case STRESS_MEMORY_NR_TRANSFERS:
		break;
	}
}
