/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device sees of the first pages of a region, through its own page
 * table: the entries that notifiers have to make it drop.
 */
#ifndef HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H
#define HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H

#include "change/change.h"

#define MIRROR_PAGES 4

struct mirror_page {
	int how;		/* 0: had the entry, 1: faulted, or -errno */
	uintptr_t word;		/* the first one of the page */
};

struct mirror_view {
	struct mirror_page page[CHANGE_REGIONS][MIRROR_PAGES];
};

/*
 * Has the device look at each page once, faulting in what it has no entry for.
 * Returns 0, -ETIMEDOUT if that hangs, or -errno.
 */
int mirror_look(struct mirror_view *view, int device, unsigned int regions);

/* What @pid itself has there: how is 0 or -errno. */
int mirror_compare(struct mirror_view *view, pid_t pid, unsigned int regions);

#endif
