/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A look at one page by somebody who may have to wait for it: another thread of the
 * victim's, or its device. The caller goes on meanwhile.
 */
#ifndef HMM_NOTIFIER_CHANGE_GLANCE_H
#define HMM_NOTIFIER_CHANGE_GLANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/victim_thread.h"

/* To be shared with the victim: in memory that was shared before it was forked */
struct glance {
	volatile pid_t tid;	/* who looks, once it does */
	volatile bool done;
	volatile int how;	/* >= 0: it saw @word; or -errno */
	volatile uintptr_t word;
	pid_t child;
	int order;
};

enum glance_state {
	GLANCE_DONE,
	GLANCE_WAITS,		/* it sleeps */
};

/*
 * Begin to look at the first word of the page at @addr. A thread has to have looked at
 * something before, so that it needs no other page. For the device a process is started
 * first: nobody can fork while a uprobe is made. Return 0 or -errno.
 */
int glance_by_thread(struct glance *glance, struct victim_thread *thread,
		     uintptr_t addr);
int glance_start_device(struct glance *glance, int device, uintptr_t addr);
int glance_by_device(struct glance *glance);

/* Returns an enum glance_state, or -ETIMEDOUT if it is neither within 10 s. */
int glance_watch(const struct glance *glance);

/* Waits up to 10 s until it has been done. Returns 0 or -ETIMEDOUT. */
int glance_end(struct glance *glance);

#endif
