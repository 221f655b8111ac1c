/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device sees of the first pages of a span, through its own page
 * table: the entries that notifiers have to make it drop.
 */
#ifndef HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H
#define HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H

#include "change/change.h"

#define DEVICE_VIEW_PAGES 4

struct device_view_page {
	int how;		/* 0: had the entry, 1: faulted, or -errno */
	uintptr_t word;		/* the first one of the page */
};

struct device_view {
	struct device_view_page page[CHANGE_SPANS][DEVICE_VIEW_PAGES];
};

/*
 * Has the device look at each page once, faulting in what it has no entry for.
 * Returns 0, -ETIMEDOUT if that hangs, or -errno.
 */
int device_view_look(struct device_view *view, int device, unsigned int spans);

/* What @pid itself has there: how is 0 or -errno. */
int device_view_compare(struct device_view *view, pid_t pid, unsigned int spans);

#endif
