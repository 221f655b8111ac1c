// SPDX-License-Identifier: GPL-2.0
/*
 * What the notifiers of a process counted, and whether every start had its end.
 *
 * A notifier can't be registered during an invalidation: mm_take_all_locks() waits for
 * its end. So an end without a start is always a bug. But a notifier can be
 * unregistered during an invalidation, by mmu_notifier_unregister() or by the end of the
 * mm, and then misses the end. So a notifier that is being removed may have as many
 * starts too many as there can be invalidations at a time; only notifiers that are
 * there at a checkpoint must match exactly. In a run without threads, all must.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress/stress_process.h"

/* Invalidations at a time: one for each thread, and for a few kernel threads */
#define MAX_IN_FLIGHT	(STRESS_THREADS + 4)

/* How often to compare again: khugepaged, for one, is not stopped at a checkpoint. */
#define SETTLE_STEP_MS	10

/* Of hlist notifiers: blockable failures since the last checkpoint */
static uint64_t failures_of(const struct stress_process_notifier *n, unsigned int event)
{
	const struct hmm_dmirror_counts *now = &n->now, *before = &n->before;

	if (!n->kind || rule_is_interval(n->kind))
		return 0;
	return now->again[RULE_BLOCKABLE][event] -
	       before->again[RULE_BLOCKABLE][event] +
	       now->other[RULE_BLOCKABLE][event] -
	       before->other[RULE_BLOCKABLE][event];
}

/*
 * How many ends too many STRESS_BUG_RANGE_END_TWICE leads to: one for each invalidation
 * with a blockable failure. allowed_contexts() lets only one notifier fail, so there
 * are as many of these as failures.
 */
static long surplus_ends(const struct stress_process *process, unsigned int context,
			 unsigned int event)
{
	uint64_t sum = process->removed_failures[event];
	unsigned int id;

	if (!(process->stress->options.bugs & STRESS_BUG_RANGE_END_TWICE) ||
	    context != RULE_BLOCKABLE)
		return 0;
	for (id = 0; id <= STRESS_IDS; id++)
		sum += failures_of(&process->notifiers[id], event);
	return sum;
}

static long open_starts(const struct stress_process_notifier *n, unsigned int context,
			unsigned int event)
{
	return (long)(n->now.calls[context][event] -
		      n->before.calls[context][event]) -
	       (long)(n->now.ends[context][event] -
		      n->before.ends[context][event]);
}

/* Compares one kind of call of one notifier. A new one has missed some failures. */
static bool is_paired(const struct stress_process *process,
		      const struct stress_process_notifier *n,
		      unsigned int context, unsigned int event,
		      unsigned int in_flight)
{
	long open = open_starts(n, context, event);
	long surplus = surplus_ends(process, context, event);

	if (n->settled && !in_flight)
		return open == -surplus;
	return open >= -surplus && open <= (long)in_flight;
}

/* First passes that succeeded and had no second one */
static long open_passes(const struct stress_process_notifier *n)
{
	const struct hmm_dmirror_counts *now = &n->now, *before = &n->before;
	unsigned int context;
	uint64_t open = before->finishes - now->finishes;

	for (context = 0; context < 2; context++)
		open += dmirror_sum(now->calls[context]) -
			dmirror_sum(before->calls[context]) -
			dmirror_sum(now->again[context]) +
			dmirror_sum(before->again[context]);
	return open;
}

/* Says which calls of one notifier do not match. */
static bool has_unpaired(const struct stress_process *process,
			 const struct stress_process_notifier *n,
			 unsigned int in_flight, char *why, size_t size)
{
	unsigned int context, event;

	if (n->kind == RULE_INTERVAL_TWO_PASS) {
		snprintf(why, size, "second passes missing: %ld", open_passes(n));
		return open_passes(n) < 0 || open_passes(n) > (long)in_flight;
	}
	if (n->kind != RULE_HLIST_END)
		return false;
	for (context = 0; context < 2; context++)
		for (event = 0; event < HMM_DMIRROR_NR_EVENTS; event++) {
			if (is_paired(process, n, context, event, in_flight))
				continue;
			snprintf(why, size,
				 "%sblockable, event %u: starts without their end: %ld, surplus ends by the known bug: %ld",
				 context ? "" : "non-", event,
				 open_starts(n, context, event),
				 surplus_ends(process, context, event));
			return true;
		}
	return false;
}

/* Returns the first that has calls which do not match, -1 if none has. */
static int first_unpaired(const struct stress_process *process, unsigned int in_flight,
			  char *why, size_t size)
{
	unsigned int id;

	for (id = 0; id <= STRESS_IDS; id++)
		if (has_unpaired(process, &process->notifiers[id], in_flight, why,
				 size))
			return id;
	return -1;
}

static int read_counts(struct stress_process *process)
{
	unsigned int id;
	int err;

	for (id = 0; id <= STRESS_IDS; id++) {
		struct stress_process_notifier *n = &process->notifiers[id];

		if (!n->kind)
			continue;
		err = dmirror_counts(process->victim.device, id, &n->now);
		if (err)
			return stress_fail(process->stress, STRESS_FAULT_RESULT,
					   "counts of notifier %u of process %u: %s",
					   id, process->number, strerror(-err));
	}
	return 0;
}

/* Reads all counts until they match, @patience_ms at most. */
static int read_paired(struct stress_process *process, unsigned int in_flight)
{
	unsigned int waited;
	char why[160];
	int id = -1;

	for (waited = 0; waited < process->stress->options.patience_ms;
	     waited += SETTLE_STEP_MS) {
		if (read_counts(process))
			return -1;
		id = first_unpaired(process, in_flight, why, sizeof(why));
		if (id < 0)
			return 0;
		usleep(SETTLE_STEP_MS * 1000);
	}
	return stress_fail(process->stress, STRESS_FAULT_PAIRS,
			   "notifier %d of process %u, kind %u: %s", id,
			   process->number, process->notifiers[id].kind, why);
}

/* Without threads: the reaper's result tells whether any callback failed. */
static int check_reaped(struct stress_process *process)
{
	uint64_t failures = 0;
	unsigned int id, event;

	if (process->stress->threads || process->reaped == 1)
		return 0;
	for (id = 0; id <= STRESS_IDS; id++) {
		const struct stress_process_notifier *n = &process->notifiers[id];

		for (event = 0; n->kind && event < HMM_DMIRROR_NR_EVENTS; event++)
			failures += n->now.again[0][event] -
				    n->before.again[0][event] +
				    n->now.other[0][event] -
				    n->before.other[0][event];
	}
	if (!failures == !process->reaped)
		return 0;
	return stress_fail(process->stress, STRESS_FAULT_RESULT,
			   "process_mrelease() of process %u: %s, but %lu callbacks failed",
			   process->number, strerror(-process->reaped),
			   (unsigned long)failures);
}

int stress_process_count(struct stress_process *process, struct expected_warns *expected)
{
	unsigned int id;

	expected_warns_merge(expected, &process->removed);
	if (process->state == STRESS_PROCESS_EMPTY)
		return 0;
	if (read_paired(process, 0) || check_reaped(process))
		return -1;
	for (id = 0; id <= STRESS_IDS; id++) {
		const struct stress_process_notifier *n = &process->notifiers[id];

		if (n->kind)
			expected_warns_add(expected, n->kind, &n->now, &n->before);
	}
	return 0;
}

void stress_process_commit(struct stress_process *process)
{
	struct stress_process_notifier *that =
		&process->notifiers[process->fails_blockably];
	unsigned int id;

	for (id = 0; id <= STRESS_IDS; id++) {
		process->notifiers[id].before = process->notifiers[id].now;
		process->notifiers[id].settled = true;
	}
	process->removed = (struct expected_warns) { .forgets = process->removed.forgets };
	memset(process->removed_failures, 0, sizeof(process->removed_failures));
	process->reaped = 1;
	if (!that->kind || !(that->armed & HMM_DMIRROR_BLOCKABLE))
		process->fails_blockably = 0;
}

uint64_t stress_process_noise(const struct stress_process *process)
{
	uint64_t noise = 0;
	unsigned int id;

	for (id = 0; id <= STRESS_IDS; id++) {
		const struct stress_process_notifier *n = &process->notifiers[id];
		uint64_t hits = n->now.hits - n->hits_before;

		if (n->kind && n->armed && hits < n->times)
			noise += (n->times - hits) * n->noise;
	}
	return noise;
}

/* Disarms the notifier, and gives back the room in the log that it did not use. */
int stress_process_disarm(struct stress_process *process, unsigned int id)
{
	struct stress_process_notifier *n = &process->notifiers[id];
	__u64 hits;
	int err;

	if (!n->armed)
		return 0;
	err = dmirror_disarm_hits(process->victim.device, id, &hits);
	if (err)
		return stress_fail(process->stress, STRESS_FAULT_RESULT,
				   "disarm notifier %u of process %u: %s", id,
				   process->number, strerror(-err));
	atomic_fetch_sub(&process->stress->noise_ordered,
			 (n->times - hits) * n->noise);
	n->armed = 0;
	return 0;
}

static void forget(struct stress_process *process, unsigned int id)
{
	struct stress_process_notifier *n = &process->notifiers[id];
	unsigned int event;

	expected_warns_add(&process->removed, n->kind, &n->now, &n->before);
	for (event = 0; event < HMM_DMIRROR_NR_EVENTS; event++)
		process->removed_failures[event] += failures_of(n, event);
	memset(n, 0, sizeof(*n));
}

/*
 * Counts end with the notifier. It is disarmed first, so its failures are complete
 * before it is removed.
 */
int stress_process_retire(struct stress_process *process, unsigned int id)
{
	if (stress_process_disarm(process, id) ||
	    read_paired(process, process->stress->threads ? MAX_IN_FLIGHT : 0))
		return -1;
	forget(process, id);
	return 0;
}

/*
 * Each notifier that outlives the mm is told of its end, once. Only an interval
 * notifier may miss that: when its insertion was deferred to the end of an
 * invalidation that another process made and that has not ended.
 */
static bool is_released(const struct stress_process *process, bool must)
{
	unsigned int id;

	for (id = 0; id <= STRESS_IDS; id++) {
		const struct stress_process_notifier *n = &process->notifiers[id];
		uint64_t releases = n->now.releases;

		if (rule_is_interval(n->kind))
			releases = n->now.calls[RULE_BLOCKABLE]
					       [HMM_DMIRROR_EVENT_RELEASE];
		if (n->kind && n->kind != RULE_IDLE && releases != 1 &&
		    (must || !rule_is_interval(n->kind)))
			return false;
	}
	return true;
}

static int wait_released(struct stress_process *process)
{
	unsigned int waited;

	for (waited = 0; waited < process->stress->options.patience_ms;
	     waited += SETTLE_STEP_MS) {
		if (read_counts(process))
			return -1;
		if (is_released(process, true))
			return 0;
		usleep(SETTLE_STEP_MS * 1000);
	}
	if (process->stress->threads && is_released(process, false))
		return 0;
	return stress_fail(process->stress, STRESS_FAULT_PAIRS,
			   "a notifier of process %u was not released once when its mm ended",
			   process->number);
}

int stress_process_retire_all(struct stress_process *process)
{
	unsigned int id;

	for (id = 0; id <= STRESS_IDS; id++)
		if (process->notifiers[id].kind && stress_process_disarm(process, id))
			return -1;
	if (wait_released(process) ||
	    read_paired(process, process->stress->threads ? MAX_IN_FLIGHT : 0))
		return -1;
	for (id = 0; id <= STRESS_IDS; id++)
		if (process->notifiers[id].kind)
			forget(process, id);
	return 0;
}
