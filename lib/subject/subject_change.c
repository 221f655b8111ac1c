// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/disk.h"
#include "core/sysfile.h"
#include "subject/subject_change.h"
#include "subject/system_call.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

/* Linux 6.13 */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#define READ_WRITE (PROT_READ | PROT_WRITE)

uintptr_t subject_change_at(const struct subject *subject)
{
	const struct subject_range *first = &subject->mirrors[0];
	bool has_second = first->end - first->start > SUBJECT_PAGE;

	return first->start + (has_second ? SUBJECT_PAGE : 0);
}

const char *subject_change_why_not(const struct subject_change *change,
				   const struct subject *subject)
{
	const char *why_not = change->why_not ? change->why_not() : NULL;

	return why_not ?: change->wants_own ? subject_why_not_own(subject) : NULL;
}

/* 0 or -errno of a system call that returns an address or 0 */
static int in(const struct subject *subject, long nr, const long args[6])
{
	long ret = system_call(subject->victim->pid, nr, args);

	return ret < 0 && ret > -4096 ? ret : 0;
}

#define IN(subject, nr, ...) in(subject, nr, (const long [6]) { __VA_ARGS__ })

static int map_fixed(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_mmap, at, SUBJECT_PAGE, READ_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

const struct subject_change subject_change_map_fixed = { .act = map_fixed };

static int munmap_page(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_munmap, at, SUBJECT_PAGE);
}

const struct subject_change subject_change_munmap = {
	.act = munmap_page,
	.restore = map_fixed,
};

/* To an address that the kernel finds; there it stays. */
static int move_with(struct subject *subject, uintptr_t at, long flags)
{
	long to = SYSTEM_CALL(subject->victim->pid, SYS_mmap, 0, SUBJECT_PAGE, READ_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to < 0 && to > -4096)
		return to;
	return IN(subject, SYS_mremap, at, SUBJECT_PAGE, SUBJECT_PAGE,
		  MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
}

static int move(struct subject *subject, uintptr_t at)
{
	return move_with(subject, at, 0);
}

const struct subject_change subject_change_mremap_move = {
	.act = move,
	.restore = map_fixed,
};

static int move_and_leave(struct subject *subject, uintptr_t at)
{
	return move_with(subject, at, MREMAP_DONTUNMAP);
}

const struct subject_change subject_change_mremap_dontunmap = {
	.act = move_and_leave,
	.wants_own = true,
};

static int protect(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_mprotect, at, SUBJECT_PAGE, PROT_NONE);
}

static int unprotect(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_mprotect, at, SUBJECT_PAGE,
		  subject->is_lent ? PROT_READ : READ_WRITE);
}

const struct subject_change subject_change_mprotect = {
	.act = protect,
	.restore = unprotect,
};

static int dontneed(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_madvise, at, SUBJECT_PAGE, MADV_DONTNEED);
}

const struct subject_change subject_change_dontneed = { .act = dontneed };

static int free_lazily(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_madvise, at, SUBJECT_PAGE, MADV_FREE);
}

const struct subject_change subject_change_free = {
	.act = free_lazily,
	.wants_own = true,
};

static const char *why_not_guard(void)
{
	return kernel_version() < LINUX_VERSION(6, 13) ?
	       "no guard pages (Linux 6.13 and later)" : NULL;
}

static int install_guard(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_madvise, at, SUBJECT_PAGE, MADV_GUARD_INSTALL);
}

static int remove_guard(struct subject *subject, uintptr_t at)
{
	return IN(subject, SYS_madvise, at, SUBJECT_PAGE, MADV_GUARD_REMOVE);
}

const struct subject_change subject_change_guard_install = {
	.why_not = why_not_guard,
	.act = install_guard,
	.restore = remove_guard,
	.wants_own = true,
};

/* The child never runs, and ends with the test. */
static int fork_held(struct subject *subject, uintptr_t at)
{
	pid_t child = system_call_fork(subject->victim->pid);

	(void)at;
	if (child <= 0)
		return child;
	subject->child = child;
	return 0;
}

const struct subject_change subject_change_fork = { .act = fork_held };

static int fork_and_write(struct subject *subject, uintptr_t at)
{
	return fork_held(subject, at) ?: subject_touch(subject, at);
}

const struct subject_change subject_change_cow_after_fork = {
	.act = fork_and_write,
	.wants_own = true,
};

static int clear_soft_dirty(struct subject *subject, uintptr_t at)
{
	char path[64];
	int fd, err;

	(void)at;
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", subject->victim->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, "4", 1) == 1 ? 0 : -errno;
	close(fd);
	return err;
}

const struct subject_change subject_change_soft_dirty = { .act = clear_soft_dirty };

static const char *why_not_nodes(void)
{
	return access("/sys/devices/system/node/node1", F_OK) ? "one NUMA node" : NULL;
}

/* Moves the page to @node, or asks with -1. Returns its node or -errno. */
static int node_of(const struct subject *subject, uintptr_t at, int node)
{
	void *page = (void *)at;
	int status = -EIO;

	if (syscall(SYS_move_pages, subject->victim->pid, 1UL, &page,
		    node < 0 ? NULL : &node, &status, MPOL_MF_MOVE_ALL) < 0)
		return -errno;
	return status;
}

static int move_page(struct subject *subject, uintptr_t at)
{
	int node = node_of(subject, at, -1);
	int now = node < 0 ? node : node_of(subject, at, !node);

	return now < 0 ? now : now == !node ? 0 : -EBUSY;
}

const struct subject_change subject_change_move_pages = {
	.why_not = why_not_nodes,
	.act = move_page,
	.wants_own = true,
};

static int migrate_all(struct subject *subject, uintptr_t at)
{
	int node = node_of(subject, at, -1);
	unsigned long from = node ? 2 : 1, to = 3 - from;

	if (node < 0)
		return node;
	if (syscall(SYS_migrate_pages, subject->victim->pid, 8 * sizeof(from), &from, &to) < 0)
		return -errno;
	return node_of(subject, at, -1) == !node ? 0 : -EBUSY;
}

const struct subject_change subject_change_migrate_pages = {
	.why_not = why_not_nodes,
	.act = migrate_all,
	.wants_own = true,
};

/* To move it to where it is empties the LRU batches of all CPUs, where it may be. */
static int page_out(struct subject *subject, uintptr_t at)
{
	struct iovec range = { (void *)at, SUBJECT_PAGE };
	int node = node_of(subject, at, -1);

	if (node >= 0)
		node_of(subject, at, node);
	return syscall(SYS_process_madvise, subject->victim->pidfd, &range, 1UL,
		       MADV_PAGEOUT, 0) < 0 ? -errno : 0;
}

const struct subject_change subject_change_pageout = {
	.why_not = disk_why_not_swap,
	.act = page_out,
	.wants_own = true,
};
