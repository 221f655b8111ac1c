// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of mappings, and of private memory by writing to it.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "change/changes.h"
#include "core/machine_state.h"

static long munmap_all(uintptr_t at)
{
	return munmap((void *)at, CHANGE_SIZE) ? -errno : 0;
}

static long all_unmapped(uintptr_t at)
{
	return change_unmapped(at, CHANGE_SIZE);
}

const struct change change_munmap = {
	.prepare = change_private,
	.act = munmap_all,
	.check = all_unmapped,
	.calls = {
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

static long map_over(uintptr_t at)
{
	void *got = mmap((void *)at, CHANGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return got == (void *)at ? 0 : -errno;
}

static long all_zero(uintptr_t at)
{
	return change_zero(at, CHANGE_SIZE);
}

const struct change change_map_fixed = {
	.prepare = change_private,
	.act = map_over,
	.check = all_zero,
	.calls = {
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

/* start_brk may not be above brk: the order depends on the direction. */
static int move_brk(uintptr_t start, uintptr_t end)
{
	if (!prctl(PR_SET_MM, PR_SET_MM_BRK, end, 0, 0))
		return prctl(PR_SET_MM, PR_SET_MM_START_BRK, start, 0, 0) ?
			-errno : 0;
	return prctl(PR_SET_MM, PR_SET_MM_START_BRK, start, 0, 0) ||
	       prctl(PR_SET_MM, PR_SET_MM_BRK, end, 0, 0) ? -errno : 0;
}

static int set_brk(uintptr_t brk)
{
	return syscall(SYS_brk, brk) == (long)brk ? 0 : -ENOMEM;
}

static long grow_brk(uintptr_t at)
{
	int err = move_brk(at, at);

	err = err ?: set_brk(at + CHANGE_SIZE);
	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

static long shrink_brk(uintptr_t at)
{
	int err = move_brk(at, at + CHANGE_SIZE);

	return err ?: set_brk(at);
}

const struct change change_brk = {
	.prepare = grow_brk,
	.act = shrink_brk,
	.check = all_unmapped,
	.flags = CHANGE_NOT_OUTMOST,
	.calls = {
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

static long shrink(uintptr_t at)
{
	return mremap((void *)at, CHANGE_SIZE, CHANGE_SIZE / 2, 0) ==
			       (void *)at ?
		       0 :
		       -errno;
}

static long is_shrunk(uintptr_t at)
{
	return change_filled(at, CHANGE_SIZE / 2) ?:
	       change_unmapped(at + CHANGE_SIZE / 2, CHANGE_SIZE / 2);
}

const struct change change_mremap_shrink = {
	.prepare = change_private,
	.act = shrink,
	.check = is_shrunk,
	.calls = {
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE,
			    CHANGE_PAGES(2), CHANGE_PAGES(4)),
	},
};

static long move_with(uintptr_t at, int flags)
{
	void *to = (void *)change_elsewhere(at);

	return mremap((void *)at, CHANGE_SIZE, CHANGE_SIZE, flags | MREMAP_MAYMOVE |
		      MREMAP_FIXED, to) == to ? 0 : -errno;
}

static long move(uintptr_t at)
{
	return move_with(at, 0);
}

static long has_moved(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + CHANGE_SIZE; page += CHANGE_PAGE)
		if (*(volatile uintptr_t *)(change_elsewhere(page)) != page)
			return -EBADMSG;
	return 0;
}

static long has_moved_away(uintptr_t at)
{
	return has_moved(at) ?: change_unmapped(at, CHANGE_SIZE);
}

const struct change change_mremap_move = {
	.prepare = change_private,
	.act = move,
	.check = has_moved_away,
	.calls = {
		CHANGE_CALL("move_page_tables", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
		/* of the mapping, when its pages are gone */
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

static long move_pages_away(uintptr_t at)
{
	return move_with(at, MREMAP_DONTUNMAP);
}

static long has_left_a_hole(uintptr_t at)
{
	return has_moved(at) ?: change_zero(at, CHANGE_SIZE);
}

const struct change change_mremap_dontunmap = {
	.prepare = change_private,
	.act = move_pages_away,
	.check = has_left_a_hole,
	.calls = {
		CHANGE_CALL("move_page_tables", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4)),
	},
};

static long protect(uintptr_t at)
{
	return mprotect((void *)at, CHANGE_SIZE, PROT_READ) ? -errno : 0;
}

static long is_protected(uintptr_t at)
{
	return change_writable(at) ? -EBADMSG : change_filled(at, CHANGE_SIZE);
}

const struct change change_mprotect = {
	.prepare = change_private,
	.act = protect,
	.check = is_protected,
	.calls = {
		CHANGE_CALL("change_pud_range", PROTECTION_VMA, CHANGE_READONLY,
			    0, CHANGE_PAGES(4)),
	},
};

static const char *why_not_soft_dirty(void)
{
	volatile long here = 1;

	/* A page just written to is soft-dirty, if this kernel keeps track. */
	return here && change_pagemap((uintptr_t)&here) & PAGEMAP_SOFT_DIRTY ?
		NULL : "no CONFIG_MEM_SOFT_DIRTY";
}

static long clear_soft_dirty(uintptr_t at)
{
	(void)at;
	return machine_write("/proc/self/clear_refs", "4");
}

static long is_clean(uintptr_t at)
{
	if (change_pagemap(at) & PAGEMAP_SOFT_DIRTY)
		return -EBADMSG;
	change_fill(at, CHANGE_PAGE);
	if (!(change_pagemap(at) & PAGEMAP_SOFT_DIRTY))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_soft_dirty = {
	.why_not = why_not_soft_dirty,
	.prepare = change_private,
	.act = clear_soft_dirty,
	.check = is_clean,
	.calls = {
		CHANGE_CALL("clear_refs_write", SOFT_DIRTY, CHANGE_SOFT_CLEAN, 0, 0),
	},
};

const struct change change_fork = {
	.prepare = change_private,
	.act = change_see_in_child,
	.check = change_all_filled,
	.flags = CHANGE_AT_ONCE,
	.calls = {
		CHANGE_CALL("copy_page_range", PROTECTION_PAGE, CHANGE_READONLY,
			    0, CHANGE_PAGES(4)),
	},
};

static long share_with_child(uintptr_t at)
{
	long err = change_private(at);

	return err ?: change_hold_in_child(at);
}

/* The child has what was there before. */
static long child_has_the_old(uintptr_t at)
{
	if (change_child_word(at, at + CHANGE_PAGE) != at + CHANGE_PAGE)
		return -EBADMSG;
	return change_second_written(at) ?:
	       change_filled(at + 2 * CHANGE_PAGE, CHANGE_SIZE - 2 * CHANGE_PAGE);
}

const struct change change_cow_after_fork = {
	.prepare = share_with_child,
	.act = change_write_second,
	.check = child_has_the_old,
	.calls = {
		CHANGE_CALL("wp_page_copy", CLEAR, CHANGE_ANOTHER,
			    CHANGE_PAGES(1), CHANGE_PAGES(2)),
	},
};

static long map_zero_page(uintptr_t at)
{
	int err = change_map(at, CHANGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	return err ?: change_zero(at, CHANGE_SIZE);
}

static long others_are_zero(uintptr_t at)
{
	return change_second_written(at) ?: change_zero(at, CHANGE_PAGE) ?:
	       change_zero(at + 2 * CHANGE_PAGE, CHANGE_SIZE - 2 * CHANGE_PAGE);
}

const struct change change_cow_zero_page = {
	.prepare = map_zero_page,
	.act = change_write_second,
	.check = others_are_zero,
	.calls = {
		CHANGE_CALL("wp_page_copy", CLEAR, CHANGE_ANOTHER,
			    CHANGE_PAGES(1), CHANGE_PAGES(2)),
	},
};

static long map_private_file(uintptr_t at)
{
	int fd = memfd_create("hmm_notifier", MFD_CLOEXEC);
	int err;

	if (fd < 0 || ftruncate(fd, CHANGE_SIZE))
		return -errno;
	err = change_map(at, CHANGE_SIZE, MAP_PRIVATE, fd);
	change_keep_fd(at, fd);
	return err ?: change_zero(at, CHANGE_SIZE);
}

static long file_is_zero(uintptr_t at)
{
	uintptr_t word = 1;

	if (pread(change_fd(at), &word, sizeof(word), CHANGE_PAGE) != sizeof(word) ||
	    word)
		return -EBADMSG;
	return others_are_zero(at);
}

const struct change change_cow_private_file = {
	.prepare = map_private_file,
	.act = change_write_second,
	.check = file_is_zero,
	.calls = {
		CHANGE_CALL("wp_page_copy", CLEAR, CHANGE_ANOTHER,
			    CHANGE_PAGES(1), CHANGE_PAGES(2)),
	},
};

static long end_here(uintptr_t at)
{
	(void)at;
	_exit(0);
}

/* Interval notifiers are called twice; hlist ones have got ->release by then. */
#define END_OF_MM {							\
		CHANGE_CALL("release", RELEASE, CHANGE_NOTHING, 0, 0),		\
		CHANGE_CALL("unmap_vmas", UNMAP, CHANGE_NOTHING, 0, 0),	\
	}

const struct change change_exit = {
	.prepare = change_private,
	.act = end_here,
	.flags = CHANGE_AT_ONCE | CHANGE_ENDS_MM,
	.calls = END_OF_MM,
};

static long exec_self(uintptr_t at)
{
	(void)at;
	execl("/proc/self/exe", CHANGE_EXECED, NULL);
	return -errno;
}

const struct change change_exec = {
	.prepare = change_private,
	.act = exec_self,
	.flags = CHANGE_AT_ONCE | CHANGE_ENDS_MM,
	.calls = END_OF_MM,
};

/* Private memory, which is reaped, and shared memory, which is not */
static long map_private_and_shared(uintptr_t at)
{
	long err = change_private(at);

	return err ?: change_map(change_elsewhere(at), CHANGE_SIZE,
				 MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* The test calls process_mrelease() itself, and the victim can't check anything. */
const struct change change_reap = {
	.prepare = map_private_and_shared,
	.flags = CHANGE_NON_BLOCKABLE,
	.calls = {
		CHANGE_CALL("zap_vma_for_reaping", UNMAP, CHANGE_GONE, 0, CHANGE_PAGES(4),
			    .until = LINUX_VERSION(7, 0)),
		CHANGE_CALL("zap_vma_for_reaping", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(4),
			    .since = LINUX_VERSION(7, 0)),
	},
};
