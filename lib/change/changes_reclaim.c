// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is written out, reclaimed or merged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"
#include "core/consent.h"
#include "core/disk.h"
#include "core/machine_state.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static long map_here(uintptr_t at)
{
	int err = change_stay_here();

	return err ?: change_private(at);
}

static long page_out(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_PAGEOUT) ? -errno : 0;
}

static long is_swapped(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + CHANGE_SIZE; page += CHANGE_PAGE)
		if (!(change_pagemap(page) & PAGEMAP_SWAPPED))
			return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_pageout = {
	.why_not = disk_why_not_swap,
	.prepare = map_here,
	.act = page_out,
	.check = is_swapped,
	.calls = {
		CHANGE_CALL("try_to_unmap_one", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(4),
			    .step = CHANGE_PAGES(1)),
	},
};

/* Maps one page of a file. Of more, several might be one folio. */
static long map_file(uintptr_t at)
{
	char path[128];
	int fd, err = change_stay_here();

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%lx.XXXXXX", disk_fs(), at);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (ftruncate(fd, CHANGE_PAGE))
		return -errno;
	err = change_map(at, CHANGE_PAGE, MAP_SHARED, fd);
	close(fd);
	if (!err)
		change_fill(at, CHANGE_PAGE);
	return err;
}

static long write_back(uintptr_t at)
{
	return msync((void *)at, CHANGE_PAGE, MS_SYNC) ? -errno : 0;
}

/* Clean, until it is written to again */
static long is_clean(uintptr_t at)
{
	long err = change_filled(at, CHANGE_PAGE);

	if (change_smaps(at, "Private_Clean") != (long)CHANGE_PAGE / 1024)
		return -EBADMSG;
	change_fill(at, CHANGE_PAGE);
	if (change_smaps(at, "Private_Dirty") != (long)CHANGE_PAGE / 1024)
		return -EBADMSG;
	return err;
}

const struct change change_write_back = {
	.why_not = disk_why_not_fs,
	.prepare = map_file,
	.act = write_back,
	.check = is_clean,
	.calls = {
		CHANGE_CALL("page_vma_mkclean_one", PROTECTION_PAGE, CHANGE_READONLY | CHANGE_CLEAN,
			    0, CHANGE_PAGES(1)),
	},
};

static long map_clean_file(uintptr_t at)
{
	long err = map_file(at);

	return err ?: write_back(at);
}

static long page_out_file(uintptr_t at)
{
	return madvise((void *)at, CHANGE_PAGE, MADV_PAGEOUT) ? -errno : 0;
}

static long is_out(uintptr_t at)
{
	if (change_pagemap(at) & PAGEMAP_PRESENT)
		return -EBADMSG;
	return change_filled(at, CHANGE_PAGE);
}

const struct change change_pageout_file = {
	.why_not = disk_why_not_fs,
	.prepare = map_clean_file,
	.act = page_out_file,
	.check = is_out,
	.calls = {
		CHANGE_CALL("try_to_unmap_one", CLEAR, CHANGE_GONE, 0, CHANGE_PAGES(1)),
	},
};

#define KSM "/sys/kernel/mm/ksm/"

static const char *why_not_ksm(void)
{
	if (access(KSM "run", W_OK))
		return "no CONFIG_KSM";
	return access("/proc/self/ksm_merging_pages", R_OK) ?
		"no /proc/PID/ksm_merging_pages (Linux 5.19 and later)" :
		consent_why_not_machine();
}

/* Pages 0 and 1 are the same, and like no other. */
static long map_twins(uintptr_t at)
{
	long err = change_private(at);

	if (err)
		return err;
	*(volatile uintptr_t *)(at + CHANGE_PAGE) = at;
	return madvise((void *)at, CHANGE_SIZE, MADV_MERGEABLE) ? -errno : 0;
}

static int wanted;

static long want_twins(uintptr_t at)
{
	(void)at;
	wanted += 2;
	return 0;
}

static bool all_are_merged(void)
{
	return sysfile_number("/proc/self/ksm_merging_pages") >= wanted;
}

/*
 * The first scan takes a checksum, the second finds it unchanged and merges.
 * Seen to take 40 to 100 ms; the bound is 5 s.
 */
static long have_ksmd_merge(uintptr_t at)
{
	int err;

	(void)at;
	wanted = 0;
	change_each(want_twins);
	err = machine_set_for_now(KSM "run", "1");
	if (err)
		return err;
	err = change_wait(all_are_merged);
	return machine_put_back(KSM "run") ?: err;
}

/* They are one page, until the first write. */
static long are_merged(uintptr_t at)
{
	long err;

	if (*(volatile uintptr_t *)at != at ||
	    *(volatile uintptr_t *)(at + CHANGE_PAGE) != at)
		return -EBADMSG;
	err = change_filled(at + 2 * CHANGE_PAGE, CHANGE_SIZE - 2 * CHANGE_PAGE);
	change_fill(at + CHANGE_PAGE, CHANGE_PAGE);
	return err ?: change_filled(at, CHANGE_SIZE);
}

const struct change change_merge = {
	.why_not = why_not_ksm,
	.prepare = map_twins,
	.act = have_ksmd_merge,
	.check = are_merged,
	/* a page that is in use just then is tried again in the next scan */
	.flags = CHANGE_AT_ONCE | CHANGE_REPEATS,
	.calls = {
		/* The second page becomes the shared one, which replaces the first. */
		CHANGE_CALL("write_protect_page", CLEAR, CHANGE_READONLY,
			    CHANGE_PAGES(1), CHANGE_PAGES(2)),
		CHANGE_CALL("write_protect_page", CLEAR, CHANGE_READONLY,
			    0, CHANGE_PAGES(1)),
		CHANGE_CALL("replace_page", CLEAR, CHANGE_ANOTHER, 0, CHANGE_PAGES(1)),
	},
};
