/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device sees of the first pages of a span, through its own page
 * table: the entries that notifiers have to make it drop.
 */
#ifndef HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H
#define HMM_NOTIFIER_CHANGE_DEVICE_VIEW_H

#include "change/change.h"

#define DEVICE_VIEW_PAGES CHANGE_NR_PAGES

struct device_view_page {
	int how;		/* 0: it had the entry, 1: it faulted it in, or -errno */
	uintptr_t word;		/* the first one of the page */
};

struct device_view {
	struct device_view_page page[CHANGE_SPANS][DEVICE_VIEW_PAGES];
};

/*
 * Has the device read each page once, and fault in those that it has no entry for.
 * Returns 0, -ETIMEDOUT if that hangs, or -errno.
 */
int device_view_look(struct device_view *view, int device, unsigned int spans);

/* Fills @view with what the process itself has there; @how is 0 or -errno. */
int device_view_compare(struct device_view *view, pid_t pid, unsigned int spans);

#endif
