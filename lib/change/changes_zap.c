// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that goes while its mapping stays: by madvise(), or by a change of the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static long all_zero(uintptr_t at)
{
	return change_zero(at, CHANGE_SIZE);
}

static long dontneed(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_DONTNEED) ? -errno : 0;
}

const struct change change_dontneed = {
	.prepare = change_private,
	.act = dontneed,
	.check = all_zero,
	.calls = {
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    0, CHANGE_PAGES(4)),
	},
};

static long free_lazily(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_FREE) ? -errno : 0;
}

/* Pages may stay until memory gets short, but clean; one written to is kept. */
static long is_lazy(uintptr_t at)
{
	if (change_smaps(at, "Private_Clean") != (long)CHANGE_SIZE / 1024)
		return -EBADMSG;
	change_fill(at, CHANGE_PAGE);
	return change_smaps(at, "Private_Dirty") == (long)CHANGE_PAGE / 1024 ?
		change_filled(at, CHANGE_PAGE) : -EBADMSG;
}

const struct change change_free = {
	.prepare = change_private,
	.act = free_lazily,
	.check = is_lazy,
	.calls = {
		CHANGE_CALL("madvise_free_single_vma", CLEAR, CHANGE_CLEAN,
			    0, CHANGE_PAGES(4)),
	},
};

static long map_shared(uintptr_t at)
{
	int fd = memfd_create("hmm_notifier", MFD_CLOEXEC);
	int err;

	if (fd < 0 || ftruncate(fd, CHANGE_SIZE))
		return -errno;
	change_keep_fd(at, fd);
	err = change_map(at, CHANGE_SIZE, MAP_SHARED, fd);
	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

/* Pages 1 and 2 of 4 */
static long is_punched(uintptr_t at)
{
	return change_filled(at, CHANGE_PAGE)			      ?:
		       change_zero(at + CHANGE_PAGE, 2 * CHANGE_PAGE) ?:
		       change_filled(at + 3 * CHANGE_PAGE, CHANGE_PAGE);
}

static long remove_middle(uintptr_t at)
{
	return madvise((void *)(at + CHANGE_PAGE), 2 * CHANGE_PAGE,
		       MADV_REMOVE) ?
		       -errno :
		       0;
}

const struct change change_remove = {
	.prepare = map_shared,
	.act = remove_middle,
	.check = is_punched,
	.flags = CHANGE_FILE_HAS_IT,
	.calls = {
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    CHANGE_PAGES(1), CHANGE_PAGES(3)),
	},
};

static long punch_middle(uintptr_t at)
{
	return fallocate(change_fd(at), FALLOC_FL_PUNCH_HOLE |
			 FALLOC_FL_KEEP_SIZE, CHANGE_PAGE, 2 * CHANGE_PAGE) ? -errno : 0;
}

const struct change change_punch_hole = {
	.prepare = map_shared,
	.act = punch_middle,
	.check = is_punched,
	.flags = CHANGE_FILE_HAS_IT,
	.calls = {
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    CHANGE_PAGES(1), CHANGE_PAGES(3)),
	},
};

static long truncate_half(uintptr_t at)
{
	return ftruncate(change_fd(at), CHANGE_SIZE / 2) ? -errno : 0;
}

/* Behind the end of the file there is nothing; zeroes, once it grows again. */
static long is_truncated(uintptr_t at)
{
	unsigned char vec[4];

	if (mincore((void *)at, CHANGE_SIZE, vec) || vec[2] & 1 || vec[3] & 1)
		return -EBADMSG;
	if (ftruncate(change_fd(at), CHANGE_SIZE))
		return -errno;
	return change_filled(at, CHANGE_SIZE / 2) ?:
	       change_zero(at + CHANGE_SIZE / 2, CHANGE_SIZE / 2);
}

const struct change change_truncate = {
	.prepare = map_shared,
	.act = truncate_half,
	.check = is_truncated,
	.calls = {
		/* before and, for private copies, after: shmem_setattr() */
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    CHANGE_PAGES(2), CHANGE_PAGES(4)),
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    CHANGE_PAGES(2), CHANGE_PAGES(4)),
	},
};

static const char *why_not_guards(void)
{
	return kernel_version() < LINUX_VERSION(6, 13) ?
		"no MADV_GUARD_INSTALL (Linux 6.13 and later)" : NULL;
}

static long install_guard(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_GUARD_INSTALL) ? -errno : 0;
}

static long is_guarded(uintptr_t at)
{
	int fds[2], err = 0;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	if (write(fds[1], (void *)at, 1) >= 0 || errno != EFAULT)
		err = -EBADMSG;
	close(fds[0]);
	close(fds[1]);
	return err;
}

const struct change change_guard_install = {
	.why_not = why_not_guards,
	.prepare = change_private,
	.act = install_guard,
	.check = is_guarded,
	.calls = {
		CHANGE_CALL("zap_vma_range_batched", CLEAR, CHANGE_GONE,
			    0, CHANGE_PAGES(4)),
	},
};
