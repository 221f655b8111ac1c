// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that moves to a device and back, or to which a device has exclusive access. The
 * victim makes the ioctls, by the node that it opened.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"

#define PAGES CHANGE_NR_PAGES

static unsigned char buffer[PAGES * CHANGE_MAX_PAGE];

static int try_device(void *arg)
{
	uintptr_t *word = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = dmirror_open(DMIRROR_MIRROR);

	(void)arg;
	if (fd < 0 || word == MAP_FAILED)
		return -EIO;
	*word = 1;
	return dmirror_migrate_to_device(fd, (uintptr_t)word, buffer, 1);
}

static const char *why_not_device_memory(void)
{
	return bounded_call(try_device, NULL) ? "no CONFIG_DEVICE_PRIVATE" : NULL;
}

static bool all_are(uintptr_t at, unsigned char prot)
{
	unsigned char prots[PAGES] = {};
	unsigned int i;

	if (dmirror_snapshot(victim_own_device(), at, prots, PAGES))
		return false;
	for (i = 0; i < PAGES; i++)
		if ((prots[i] & 0xf0) != prot)
			return false;
	return true;
}

static long migrate(uintptr_t at)
{
	return dmirror_migrate_to_device(victim_own_device(), at, buffer, PAGES);
}

/* Checks what the device got, then what comes back when the CPU touches it. */
static long is_on_device(uintptr_t at)
{
	unsigned int i;

	if (!all_are(at, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL))
		return -EBADMSG;
	for (i = 0; i < PAGES; i++)
		if (*(uintptr_t *)(buffer + i * CHANGE_PAGE) != at + i * CHANGE_PAGE)
			return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

/* With several spans, the buffer holds what the device got of the last one. */
static long is_all_on_device(uintptr_t at)
{
	if (!all_are(at, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL))
		return -EBADMSG;
	if (*(uintptr_t *)buffer == at && is_on_device(at))
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_migrate_to_device = {
	.why_not = why_not_device_memory,
	.prepare = change_private,
	.act = migrate,
	.check = is_all_on_device,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("migrate_vma_collect", MIGRATE, CHANGE_MIGRATING,
			    0, CHANGE_PAGES(4)),
	},
};

static long map_nothing(uintptr_t at)
{
	return change_map(at, CHANGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static long are_zero_on_device(uintptr_t at)
{
	if (!all_are(at, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL))
		return -EBADMSG;
	return change_zero(at, CHANGE_SIZE);
}

const struct change change_migrate_hole_to_device = {
	.why_not = why_not_device_memory,
	.prepare = map_nothing,
	.act = migrate,
	.check = are_zero_on_device,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("migrate_vma_collect", MIGRATE, CHANGE_NOTHING,
			    0, CHANGE_PAGES(4)),
		/* of what was not there, before it is mapped */
		CHANGE_CALL("__migrate_device_pages", MIGRATE, CHANGE_FILLED,
			    0, CHANGE_PAGES(4)),
	},
};

static long map_on_device(uintptr_t at)
{
	long err = change_private(at);

	err = err ?: migrate(at);
	return err ?: all_are(at, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL) ?
		0 : -EBADMSG;
}

static long migrate_back(uintptr_t at)
{
	return dmirror_migrate_to_system(victim_own_device(), at, PAGES);
}

static long is_in_memory(uintptr_t at)
{
	return all_are(at, 0) ? change_filled(at, CHANGE_SIZE) : -EBADMSG;
}

const struct change change_migrate_to_system = {
	.why_not = why_not_device_memory,
	.prepare = map_on_device,
	.act = migrate_back,
	.check = is_in_memory,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("migrate_vma_collect", MIGRATE, CHANGE_MIGRATING,
			    0, CHANGE_PAGES(4)),
	},
};

static long touch(uintptr_t at)
{
	return change_filled(at, CHANGE_PAGE);
}

static long first_is_in_memory(uintptr_t at)
{
	unsigned char prots[PAGES] = {};

	if (dmirror_snapshot(victim_own_device(), at, prots, PAGES) ||
	    prots[0] & 0xf0 ||
	    (prots[1] & 0xf0) != HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL)
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_device_fault = {
	.why_not = why_not_device_memory,
	.prepare = map_on_device,
	.act = touch,
	.check = first_is_in_memory,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("migrate_vma_collect", MIGRATE, CHANGE_MIGRATING,
			    0, CHANGE_PAGES(1)),
	},
};

static long take_exclusively(uintptr_t at)
{
	return dmirror_exclusive(victim_own_device(), at, buffer, PAGES);
}

/* No entry for the CPU at first; what was there, when it touches the page */
static long is_exclusive(uintptr_t at)
{
	uintptr_t page;

	for (page = at; page < at + CHANGE_SIZE; page += CHANGE_PAGE)
		if (change_pagemap(page) & PAGEMAP_PRESENT)
			return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_exclusive = {
	.why_not = why_not_device_memory,
	.prepare = change_private,
	.act = take_exclusively,
	.check = is_exclusive,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("make_device_exclusive", EXCLUSIVE, CHANGE_GONE,
			    0, CHANGE_PAGES(4),
			    .step = CHANGE_PAGES(1)),
	},
};

static long map_exclusive(uintptr_t at)
{
	long err = change_private(at);

	return err ?: take_exclusively(at);
}

static long first_is_shared(uintptr_t at)
{
	if (!(change_pagemap(at) & PAGEMAP_PRESENT) ||
	    change_pagemap(at + CHANGE_PAGE) & PAGEMAP_PRESENT)
		return -EBADMSG;
	return change_filled(at, CHANGE_SIZE);
}

const struct change change_exclusive_fault = {
	.why_not = why_not_device_memory,
	.prepare = map_exclusive,
	.act = touch,
	.check = first_is_shared,
	.flags = CHANGE_BY_DEVICE,
	.calls = {
		CHANGE_CALL("remove_device_exclusive_entry", EXCLUSIVE, CHANGE_BACK,
			    0, CHANGE_PAGES(1),
			    .until = LINUX_VERSION(6, 15)),
		CHANGE_CALL("remove_device_exclusive_entry", CLEAR, CHANGE_BACK,
			    0, CHANGE_PAGES(1),
			    .since = LINUX_VERSION(6, 15)),
	},
};
