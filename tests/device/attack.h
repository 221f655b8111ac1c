/* SPDX-License-Identifier: GPL-2.0 */
/* What the attacks on the device have in common */
#ifndef HMM_NOTIFIER_ATTACK_H
#define HMM_NOTIFIER_ATTACK_H

#include <stdbool.h>
#include <sys/types.h>

/* A clock that goes on, in milliseconds */
long now_ms(void);

/* Maps and unmaps a page: one invalidation, which may block. 0 or -errno */
int change_one_page(void);

/* Waits until the process is gone, and reaps it: 0, or -ETIMEDOUT after @ms. */
int wait_gone(pid_t pid, long ms);

/* Unload and load test_hmm. 0 or -errno */
int module_unload(void);
int module_load(void);

struct fuzz_report {
	unsigned int generations;
	unsigned long calls;	/* of all ioctls */
	unsigned long done;	/* of these, how many succeeded */
	const char *why;	/* what went wrong, or NULL */
};

/*
 * One process after the other, each with threads that do to the device what they
 * like for a while; the next one comes when it is gone and the module was loaded
 * anew. Calls @alive every few seconds.
 */
void fuzz_run(unsigned int seconds, unsigned int seed, void (*alive)(void),
	      struct fuzz_report *report);

/* In such a process: the calls are counted in @report. Never returns. */
void fuzz_process(unsigned int seconds, unsigned int seed,
		  struct fuzz_report *report);

#endif
