/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An invalidation of the victim's mapping 0 that goes on until it is let go, by a notifier
 * of the victim's first file; what happens meanwhile is for another file and its notifiers.
 */
#ifndef HMM_NOTIFIER_HELD_H
#define HMM_NOTIFIER_HELD_H

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/bounded.h"
#include "hmm_notifier.h"

#define HOLDER		1	/* in the first file */
#define BOUND_MS	10000

static long do_open(const struct victim_args *args)
{
	return dmirror_open((const char *)(uintptr_t)args->arg[0]);
}

/* One more file of the victim's: what waits in one keeps it from being used. */
static int open_again(struct victim *victim)
{
	struct victim_args args = { .arg = { (uintptr_t)DMIRROR_BARE } };
	long fd;
	int err = victim_call(victim, do_open, &args, &fd);

	if (err || fd < 0)
		return err ?: fd;
	return victim_getfd(victim, fd);
}

static long do_dontneed_pages(const struct victim_args *args)
{
	return madvise((void *)args->arg[0], args->arg[1], MADV_DONTNEED) ?
		-errno : 0;
}

static struct victim_args pages(unsigned int mapping, unsigned int first,
				unsigned int nr)
{
	return (struct victim_args) { .arg = {
		victim_start_of(mapping) + first * getpagesize(),
		nr * getpagesize(),
	} };
}

static int calls_of(int device, unsigned int id)
{
	struct hmm_dmirror_counts counts;
	int err = dmirror_counts(device, id, &counts);

	return err ?: (int)dmirror_sum(counts.calls[RULE_BLOCKABLE]);
}

/* Has the victim invalidate mapping 0, and waits until it is held: 0 or -errno */
static int hold(struct victim *victim)
{
	struct hmm_dmirror_fail_point fail = {
		.id = HOLDER,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.start = victim_start_of(0),
		.end = victim_end_of(0),
		.act = HMM_DMIRROR_ACT_HOLD,
		.times = 1,
	};
	struct victim_args args = pages(0, 0, VICTIM_MAPPING_PAGES);
	int err;

	err = dmirror_arm(victim->device, &fail);
	err = err ?: victim_order(victim, do_dontneed_pages, &args);
	return err ?: dmirror_await_hit(victim->device, HOLDER);
}

/* Its end, and what the victim's call returned */
static int let_go(struct victim *victim)
{
	long result;
	int err;

	err = dmirror_disarm(victim->device, HOLDER);
	err = err ?: victim_answer(victim, &result);
	return err ?: (int)result;
}

/* Copy-on-write of the zero page, in the victim's mm but by the caller. */
static int invalidate_meanwhile(struct victim *victim, unsigned int mapping)
{
	char byte = 1;
	struct iovec here = { &byte, 1 };
	struct iovec there = { (void *)victim_start_of(mapping), 1 };

	if (process_vm_readv(victim->pid, &here, 1, &there, 1, 0) != 1 ||
	    process_vm_writev(victim->pid, &here, 1, &there, 1, 0) != 1)
		return -errno;
	return 0;
}

/* Whether the task goes to sleep where no signal wakes it, and does not end */
static bool sleeps_for_long(pid_t pid)
{
	int tries, asleep = 0;

	for (tries = 0; tries < BOUND_MS && asleep < 50; tries++) {
		char state = task_state(pid);

		if (!state || state == 'Z')
			return false;
		asleep = state == 'D' ? asleep + 1 : 0;
		usleep(1000);
	}
	return asleep == 50;
}

#endif
