// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fail_point.h"
#include "stress/stress_process.h"

#define WRITERS_FIRST	PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP

/*
 * As many WARNs as fit into the smallest log, 128 KiB, with room to spare, if its reader
 * does not run for a while.
 */
#define NOISE_LIMIT	stress_noise(24, 0)

_Static_assert(STRESS_IDS < MAPPING_PROBE_ID, "the probe has an id of its own");

/*
 * A fork inherits the files that other threads have open, until it closes them. No
 * process may start while a device is closed: that close has to be the last one.
 */
static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

void stress_process_init(struct stress_process *process, struct stress *stress,
			 unsigned int number, int file)
{
	pthread_rwlockattr_t attr;
	unsigned int i;

	memset(process, 0, sizeof(*process));
	process->stress = stress;
	process->number = number;
	process->file = file;
	process->reaped = 1;
	process->removed.forgets = stress->options.forgets;
	for (i = 0; i < STRESS_THREADS; i++)
		process->victim_threads[i] = (struct victim_thread) { .orders = -1, .answers = -1 };
	pthread_mutex_init(&process->change, NULL);

	/* Readers that overlap for ever must not keep the owner, a writer, waiting. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, WRITERS_FIRST);
	pthread_rwlock_init(&process->use, &attr);
}

/* @err: 0 or -errno */
static int must(const struct stress_process *process, const char *what, int err)
{
	if (!err)
		return 0;
	return stress_fail(process->stress, err == -ETIMEDOUT ?
			   STRESS_FAULT_HANG : STRESS_FAULT_RESULT,
			   "%s, process %u: %s", what, process->number,
			   strerror(-err));
}

static bool has_bug(const struct stress_process *process, unsigned int bug)
{
	return process->stress->options.bugs & bug;
}

static long do_map(const struct victim_args *args)
{
	return stress_memory_map(args->arg[0]);
}

static int start_process(struct stress_process *process, const char *node)
{
	struct victim_args args = { .arg = { process->file } };
	struct victim *victim = &process->victim;
	unsigned int i;
	long result;
	int err;

	if (pipe2(process->gone, O_CLOEXEC))
		return -errno;
	pthread_mutex_lock(&files);
	err = victim_start(victim, NULL);
	err = err ?: victim_close_files(victim, process->file);
	err = err ?: victim_open(victim, node);
	pthread_mutex_unlock(&files);

	err = err ?: victim_call(victim, do_map, &args, &result);
	err = err ?: (int)result;
	for (i = 0; !err && i < STRESS_THREADS; i++)
		err = victim_thread_start(&process->victim_threads[i], victim);
	return err;
}

static int start(struct stress_process *process, const struct stress_step *step)
{
	bool mirror = step->what & STRESS_STEP_START_MIRROR;
	int err;

	pthread_rwlock_wrlock(&process->use);
	err = start_process(process, mirror ? DMIRROR_MIRROR : DMIRROR_BARE);
	if (mirror)
		process->notifiers[0].kind = RULE_INTERVAL;
	process->fails_blockably = 0;
	memset(process->removed_failures, 0, sizeof(process->removed_failures));
	process->may_have_intervals = mirror || step->what & STRESS_STEP_START_INTERVALS;
	if (!err)
		process->state = STRESS_PROCESS_ALIVE;
	pthread_rwlock_unlock(&process->use);

	return err ? stress_fail(process->stress, STRESS_FAULT_SETUP,
				 "process %u does not run: %s", process->number,
				 strerror(-err)) : 0;
}

static int give_up_threads(struct stress_process *process)
{
	return write(process->gone[1], "", 1) == 1 ? 0 : -errno;
}

static int freeze(struct stress_process *process, const struct stress_step *step)
{
	int err;

	(void)step;
	if (process->state != STRESS_PROCESS_ALIVE)
		return 1;
	/* So that whoever waits for a victim's thread knows why nothing comes. */
	process->state = STRESS_PROCESS_DYING;
	err = victim_freeze(&process->victim);
	if (!err)
		process->state = STRESS_PROCESS_FROZEN;
	return must(process, "freeze", err ?: give_up_threads(process));
}

static long do_exit(const struct victim_args *args)
{
	_exit(args->arg[0]);
}

static int let_go(struct stress_process *process, bool by_exit)
{
	bool alive = process->state == STRESS_PROCESS_ALIVE;
	struct victim_args args = {};
	int err = -EPIPE;
	long result;

	process->state = STRESS_PROCESS_DYING;
	if (alive && by_exit)
		err = victim_call(&process->victim, do_exit, &args, &result);
	else
		victim_let_go(&process->victim);
	if (err == -EPIPE)
		err = give_up_threads(process);
	return must(process, "exit", err);
}

static int close_process(struct stress_process *process)
{
	unsigned int i;
	int err;

	for (i = 0; i < STRESS_THREADS; i++)
		victim_thread_close(&process->victim_threads[i]);
	close(process->gone[0]);
	close(process->gone[1]);
	pthread_mutex_lock(&files);
	err = victim_close(&process->victim);
	pthread_mutex_unlock(&files);
	return err;
}

/* The end of the mm overlaps what others do there; the last close does not. */
static int finish(struct stress_process *process, const struct stress_step *step)
{
	int ret;

	if (process->state == STRESS_PROCESS_EMPTY ||
	    (process->state == STRESS_PROCESS_ALIVE && step->what & STRESS_STEP_FINISH_FROZEN))
		return 1;
	if (let_go(process, step->what & STRESS_STEP_FINISH_BY_EXIT))
		return -1;
	pthread_rwlock_wrlock(&process->use);
	ret = must(process, "end of the process", victim_finish(&process->victim));
	ret = ret ?: stress_process_retire_all(process);
	ret = ret ?: must(process, "last close", close_process(process));
	process->state = STRESS_PROCESS_EMPTY;
	pthread_rwlock_unlock(&process->use);
	return ret;
}

/* Ignores the result if the process has begun to end by itself meanwhile. */
static int reap(struct stress_process *process, const struct stress_step *step)
{
	enum stress_process_state state = process->state;
	int err;

	(void)step;
	if (state != STRESS_PROCESS_FROZEN)
		return 1;
	err = victim_reap(&process->victim);
	if (process->state != state)
		return 0;
	if (!process->stress->threads)
		process->reaped = err;
	return must(process, "reap", err == -EAGAIN ? 0 : err);
}

/* An interval notifier on an mm that had none can lead to the known bug. */
static bool may_add_interval(const struct stress_process *process)
{
	return process->may_have_intervals ||
	       !has_bug(process, STRESS_BUG_TREE_NOT_ENDED);
}

static int add(struct stress_process *process, const struct stress_step *step)
{
	struct stress_process_notifier *n = &process->notifiers[step->id];
	uintptr_t start = 0, end = 0;
	int err;

	if (n->kind)
		return 1;
	if (rule_is_interval(step->what)) {
		if (!may_add_interval(process))
			return 1;
		start = stress_memory_address(step->range.area, step->range.page);
		end = stress_memory_address(step->range.area,
					    step->range.page + step->range.pages);
		if (step->everywhere) {
			start = 0;
			end = -getpagesize();
		}
	}
	err = dmirror_add_flags(process->victim.device, step->id, step->what, start, end,
				step->locked ? HMM_DMIRROR_LOCKED : 0);
	if (err == -EOPNOTSUPP && step->what == RULE_INTERVAL_TWO_PASS)
		return 1;
	/* It has one by mmu_notifier_get(). */
	if (err == -EBUSY && step->locked)
		return 1;
	/* The mm is gone. */
	if (err == -ESRCH && process->state == STRESS_PROCESS_DYING)
		return 1;
	if (err)
		return must(process, "add", err);
	memset(n, 0, sizeof(*n));
	n->kind = step->what;
	return 0;
}

static int del(struct stress_process *process, const struct stress_step *step)
{
	if (!process->notifiers[step->id].kind)
		return 1;
	if (stress_process_retire(process, step->id))
		return -1;
	return must(process, "del", dmirror_del(process->victim.device, step->id));
}

/*
 * The contexts that a fail point may have. Leaves out those that lead to a known bug
 * after which the run can't go on, or the number of ends can't be known:
 * - a non-blockable hlist failure beside interval notifiers leaves the tree's
 *   count up for ever;
 * - two hlist notifiers that fail blockably run range_end once more, or twice,
 *   depending on whether that was in the same invalidation.
 */
static unsigned int allowed_contexts(struct stress_process *process,
				     const struct stress_step *step)
{
	unsigned int contexts = step->contexts;

	if (rule_is_interval(process->notifiers[step->id].kind))
		return contexts;
	if (process->may_have_intervals &&
	    has_bug(process, STRESS_BUG_TREE_NOT_ENDED))
		contexts &= ~HMM_DMIRROR_NON_BLOCKABLE;
	if (contexts & HMM_DMIRROR_BLOCKABLE &&
	    has_bug(process, STRESS_BUG_RANGE_END_TWICE)) {
		if (!process->fails_blockably)
			process->fails_blockably = step->id;
		if (process->fails_blockably != step->id)
			contexts &= ~HMM_DMIRROR_BLOCKABLE;
	}
	if (contexts != step->contexts)
		atomic_fetch_add(&process->stress->avoided, 1);
	return contexts;
}

/* Whether the log has room for so many more WARNs. Reading it makes room again. */
static bool order_noise(struct stress *stress, uint64_t noise)
{
	uint64_t ordered = atomic_fetch_add(&stress->noise_ordered, noise);

	if (!noise ||
	    (int64_t)(ordered + noise - stress->noise_credit) <=
	    (int64_t)NOISE_LIMIT)
		return true;
	atomic_fetch_sub(&stress->noise_ordered, noise);
	atomic_fetch_add(&stress->held_back, 1);
	return false;
}

static int arm_as(struct stress_process *process, const struct stress_step *step,
		  unsigned int contexts)
{
	struct stress_process_notifier *n = &process->notifiers[step->id];
	struct hmm_dmirror_fail_point fail = {
		.id = step->id,
		.ret = rule_is_interval(n->kind) ? false : step->ret,
		.contexts = contexts,
		.events = step->events,
		.start = stress_memory_address(step->range.area, step->range.page),
		.end = stress_memory_address(step->range.area,
				     step->range.page + step->range.pages),
		.skip = step->skip,
		.times = step->times,
	};
	unsigned int warns, messages, noise;
	int err;

	expected_warns_noise(n->kind, contexts, fail.ret, &warns, &messages);
	noise = stress_noise(warns, messages);
	if (!order_noise(process->stress, noise * step->times))
		return 1;
	if (step->everywhere) {
		fail.start = 0;
		fail.end = -1;
	}
	err = dmirror_counts(process->victim.device, step->id, &n->now);
	err = err ?: dmirror_arm(process->victim.device, &fail);
	if (err)
		return must(process, "arm", err);
	n->armed = contexts;
	n->times = step->times;
	n->noise = noise;
	n->hits_before = n->now.hits;
	return 0;
}

static int arm(struct stress_process *process, const struct stress_step *step)
{
	unsigned int contexts;

	if (!process->notifiers[step->id].kind)
		return 1;
	if (stress_process_disarm(process, step->id))
		return -1;
	contexts = allowed_contexts(process, step);
	if (!contexts)
		return step->contexts ? 1 : 0;
	return arm_as(process, step, contexts);
}

/* Does not take the lock @change: it may wait for an invalidation to end. */
static int read_begin(struct stress_process *process, const struct stress_step *step)
{
	int err;

	if (!rule_is_interval(process->notifiers[step->id].kind))
		return 1;
	err = dmirror_read_begin(process->victim.device, step->id);
	/* It was removed meanwhile, and perhaps replaced by another one. */
	if (process->stress->threads && (err == -ENOENT || err == -EINVAL))
		return 0;
	return must(process, "read_begin", err);
}

static int transfer(struct stress_process *process, const struct stress_step *step)
{
	if (!process->notifiers[0].kind || process->state == STRESS_PROCESS_DYING)
		return 1;
	stress_memory_transfer(process->victim.device, &step->range, step->what);
	return 0;
}

static long do_change(const struct victim_args *args)
{
	struct stress_memory_range range;

	memcpy(&range, &args->arg[1], sizeof(range));
	stress_memory_run(&range, args->arg[0]);
	return 0;
}

static int change(struct stress_process *process, const struct stress_step *step)
{
	struct victim_args args = { .arg = { process->file } };
	long result;
	int err;

	_Static_assert(sizeof(step->range) <= sizeof(args.arg) - sizeof(args.arg[0]),
		       "fits into an order");
	if (process->state != STRESS_PROCESS_ALIVE)
		return 1;
	memcpy(&args.arg[1], &step->range, sizeof(step->range));
	err = victim_thread_call(&process->victim_threads[step->thread],
				 process->gone[0], do_change, &args, &result);
	/* Killed meanwhile */
	if (err && process->state != STRESS_PROCESS_ALIVE)
		return 0;
	return must(process, "memory", err);
}

static int run(struct stress_process *process, const struct stress_step *step)
{
	static int (*const steps[])(struct stress_process *,
				    const struct stress_step *) = {
		[STRESS_STEP_FREEZE] = freeze,
		[STRESS_STEP_REAP] = reap,
		[STRESS_STEP_ADD] = add,
		[STRESS_STEP_DEL] = del,
		[STRESS_STEP_ARM] = arm,
		[STRESS_STEP_READ_BEGIN] = read_begin,
		[STRESS_STEP_TRANSFER] = transfer,
		[STRESS_STEP_CHANGE] = change,
	};
	bool changes = step->kind == STRESS_STEP_ADD || step->kind == STRESS_STEP_DEL ||
		       step->kind == STRESS_STEP_ARM;
	int ret;

	if (changes)
		pthread_mutex_lock(&process->change);
	ret = steps[step->kind](process, step);
	if (changes)
		pthread_mutex_unlock(&process->change);
	return ret;
}

int stress_process_step(struct stress_process *process, const struct stress_step *step)
{
	int ret = 1;

	/* Only the owner starts and finishes a process: it needs no lock for that. */
	if (step->kind == STRESS_STEP_START)
		return process->state == STRESS_PROCESS_EMPTY ? start(process, step) : 1;
	if (step->kind == STRESS_STEP_FINISH)
		return finish(process, step);
	pthread_rwlock_rdlock(&process->use);
	if (process->state != STRESS_PROCESS_EMPTY)
		ret = run(process, step);
	pthread_rwlock_unlock(&process->use);
	return ret;
}

/*
 * What looks like a hang can be a kernel thread in an invalidation, which gets no CPU on
 * a busy machine. So this asks again, for @patience_ms.
 */
int stress_process_sound(struct stress_process *process)
{
	uint64_t began = stress_now();
	int err;

	if (process->state == STRESS_PROCESS_EMPTY || !may_add_interval(process))
		return 0;
	do {
		err = mm_soundness(process->victim.device);
	} while (err == -ETIMEDOUT &&
		 stress_now() - began < process->stress->options.patience_ms);
	return must(process, "use of interval notifiers at a checkpoint", err);
}
