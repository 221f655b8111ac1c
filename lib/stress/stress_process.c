// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fail_point.h"
#include "stress/stress_process.h"

#define WRITERS_FIRST	PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP

/*
 * In WARNs: what the smallest log, 128 KiB, takes with room to spare, should
 * its reader not run for a while.
 */
#define NOISE_LIMIT	stress_noise(24, 0)

_Static_assert(STRESS_IDS < REGION_PROBE_ID, "the probe has an id of its own");

/*
 * A fork has whatever files the others just had open, until it closes them. So
 * that the last close of a device is ours, no process starts meanwhile.
 */
static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

void slot_init(struct slot *slot, struct stress *stress, unsigned int number,
	       int file)
{
	pthread_rwlockattr_t attr;
	unsigned int i;

	memset(slot, 0, sizeof(*slot));
	slot->stress = stress;
	slot->number = number;
	slot->file = file;
	slot->reaped = 1;
	slot->removed.forgets = stress->options.forgets;
	for (i = 0; i < STRESS_THREADS; i++)
		slot->hands[i] = (struct hand) { .orders = -1, .answers = -1 };
	pthread_mutex_init(&slot->change, NULL);

	/* The owner must not wait for others until they happen not to overlap. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, WRITERS_FIRST);
	pthread_rwlock_init(&slot->use, &attr);
}

/* @err: 0 or -errno */
static int must(const struct slot *slot, const char *what, int err)
{
	if (!err)
		return 0;
	return stress_fail(slot->stress, err == -ETIMEDOUT ?
			   STRESS_FAULT_HANG : STRESS_FAULT_RESULT,
			   "%s, process %u: %s", what, slot->number,
			   strerror(-err));
}

static bool has_bug(const struct slot *slot, unsigned int bug)
{
	return slot->stress->options.bugs & bug;
}

static long do_map(const struct victim_args *args)
{
	return arena_map(args->arg[0]);
}

static int start_process(struct slot *slot, const char *node)
{
	struct victim_args args = { .arg = { slot->file } };
	struct victim *victim = &slot->victim;
	unsigned int i;
	long result;
	int err;

	if (pipe2(slot->gone, O_CLOEXEC))
		return -errno;
	pthread_mutex_lock(&files);
	err = victim_start(victim, NULL);
	err = err ?: victim_close_files(victim, slot->file);
	err = err ?: victim_open(victim, node);
	pthread_mutex_unlock(&files);

	err = err ?: victim_call(victim, do_map, &args, &result);
	err = err ?: (int)result;
	for (i = 0; !err && i < STRESS_THREADS; i++)
		err = hand_start(&slot->hands[i], victim);
	return err;
}

static int start(struct slot *slot, const struct op *op)
{
	bool mirror = op->what & OP_START_MIRROR;
	int err;

	pthread_rwlock_wrlock(&slot->use);
	err = start_process(slot, mirror ? DMIRROR_MIRROR : DMIRROR_BARE);
	if (mirror)
		slot->notifiers[0].kind = RULE_INTERVAL;
	slot->fails_blockably = 0;
	memset(slot->removed_failures, 0, sizeof(slot->removed_failures));
	slot->may_have_intervals = mirror || op->what & OP_START_INTERVALS;
	if (!err)
		slot->state = SLOT_ALIVE;
	pthread_rwlock_unlock(&slot->use);

	return err ? stress_fail(slot->stress, STRESS_FAULT_SETUP,
				 "process %u does not run: %s", slot->number,
				 strerror(-err)) : 0;
}

static int give_up_hands(struct slot *slot)
{
	return write(slot->gone[1], "", 1) == 1 ? 0 : -errno;
}

static int freeze(struct slot *slot, const struct op *op)
{
	int err;

	(void)op;
	if (slot->state != SLOT_ALIVE)
		return 1;
	/* So that who waits for a hand knows why nothing comes. */
	slot->state = SLOT_DYING;
	err = victim_freeze(&slot->victim);
	if (!err)
		slot->state = SLOT_FROZEN;
	return must(slot, "freeze", err ?: give_up_hands(slot));
}

static long do_exit(const struct victim_args *args)
{
	_exit(args->arg[0]);
}

static int let_go(struct slot *slot, bool by_exit)
{
	bool alive = slot->state == SLOT_ALIVE;
	struct victim_args args = {};
	int err = -EPIPE;
	long result;

	slot->state = SLOT_DYING;
	if (alive && by_exit)
		err = victim_call(&slot->victim, do_exit, &args, &result);
	else
		victim_let_go(&slot->victim);
	if (err == -EPIPE)
		err = give_up_hands(slot);
	return must(slot, "exit", err);
}

static int close_process(struct slot *slot)
{
	unsigned int i;
	int err;

	for (i = 0; i < STRESS_THREADS; i++)
		hand_close(&slot->hands[i]);
	close(slot->gone[0]);
	close(slot->gone[1]);
	pthread_mutex_lock(&files);
	err = victim_close(&slot->victim);
	pthread_mutex_unlock(&files);
	return err;
}

/* The end of the mm overlaps what others do there; the last close does not. */
static int finish(struct slot *slot, const struct op *op)
{
	int ret;

	if (slot->state == SLOT_EMPTY ||
	    (slot->state == SLOT_ALIVE && op->what & OP_FINISH_FROZEN))
		return 1;
	if (let_go(slot, op->what & OP_FINISH_BY_EXIT))
		return -1;
	pthread_rwlock_wrlock(&slot->use);
	ret = must(slot, "end of the process", victim_finish(&slot->victim));
	ret = ret ?: slot_retire_all(slot);
	ret = ret ?: must(slot, "last close", close_process(slot));
	slot->state = SLOT_EMPTY;
	pthread_rwlock_unlock(&slot->use);
	return ret;
}

/* While the process ends by itself, it may be too early or too late for it. */
static int reap(struct slot *slot, const struct op *op)
{
	enum slot_state state = slot->state;
	int err;

	(void)op;
	if (state != SLOT_FROZEN)
		return 1;
	err = victim_reap(&slot->victim);
	if (slot->state != state)
		return 0;
	if (!slot->stress->threads)
		slot->reaped = err;
	return must(slot, "reap", err == -EAGAIN ? 0 : err);
}

/* An interval notifier on an mm that had none can lead to the known bug. */
static bool may_add_interval(const struct slot *slot)
{
	return slot->may_have_intervals ||
	       !has_bug(slot, STRESS_BUG_TREE_NOT_ENDED);
}

static int add(struct slot *slot, const struct op *op)
{
	struct slot_notifier *n = &slot->notifiers[op->id];
	uintptr_t start = 0, end = 0;
	int err;

	if (n->kind)
		return 1;
	if (rule_is_interval(op->what)) {
		if (!may_add_interval(slot))
			return 1;
		start = arena_address(op->range.area, op->range.page);
		end = arena_address(op->range.area,
				    op->range.page + op->range.pages);
		if (op->everywhere) {
			start = 0;
			end = -getpagesize();
		}
	}
	err = dmirror_add_flags(slot->victim.device, op->id, op->what, start, end,
				op->locked ? HMM_DMIRROR_LOCKED : 0);
	if (err == -EOPNOTSUPP && op->what == RULE_INTERVAL_TWO_PASS)
		return 1;
	/* It has one by mmu_notifier_get(). */
	if (err == -EBUSY && op->locked)
		return 1;
	/* The mm is gone. */
	if (err == -ESRCH && slot->state == SLOT_DYING)
		return 1;
	if (err)
		return must(slot, "add", err);
	memset(n, 0, sizeof(*n));
	n->kind = op->what;
	return 0;
}

static int del(struct slot *slot, const struct op *op)
{
	if (!slot->notifiers[op->id].kind)
		return 1;
	if (slot_retire(slot, op->id))
		return -1;
	return must(slot, "del", dmirror_del(slot->victim.device, op->id));
}

/*
 * Less than asked for, where that would lead to a known bug which can't be
 * gone on from, or which leads to nobody knows how many ends:
 * - a non-blockable hlist failure beside interval notifiers leaves the tree's
 *   count up for ever;
 * - two hlist notifiers that fail blockably run range_end once more, or twice,
 *   depending on whether that was in the same invalidation.
 */
static unsigned int allowed_contexts(struct slot *slot, const struct op *op)
{
	unsigned int contexts = op->contexts;

	if (rule_is_interval(slot->notifiers[op->id].kind))
		return contexts;
	if (slot->may_have_intervals &&
	    has_bug(slot, STRESS_BUG_TREE_NOT_ENDED))
		contexts &= ~HMM_DMIRROR_NON_BLOCKABLE;
	if (contexts & HMM_DMIRROR_BLOCKABLE &&
	    has_bug(slot, STRESS_BUG_RANGE_END_TWICE)) {
		if (!slot->fails_blockably)
			slot->fails_blockably = op->id;
		if (slot->fails_blockably != op->id)
			contexts &= ~HMM_DMIRROR_BLOCKABLE;
	}
	if (contexts != op->contexts)
		atomic_fetch_add(&slot->stress->avoided, 1);
	return contexts;
}

/* Whether the log can take as many more WARNs; the reader makes it so again. */
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

static int arm_as(struct slot *slot, const struct op *op, unsigned int contexts)
{
	struct slot_notifier *n = &slot->notifiers[op->id];
	struct hmm_dmirror_fail_point fail = {
		.id = op->id,
		.ret = rule_is_interval(n->kind) ? false : op->ret,
		.contexts = contexts,
		.events = op->events,
		.start = arena_address(op->range.area, op->range.page),
		.end = arena_address(op->range.area,
				     op->range.page + op->range.pages),
		.skip = op->skip,
		.times = op->times,
	};
	unsigned int warns, messages, noise;
	int err;

	model_noise(n->kind, contexts, fail.ret, &warns, &messages);
	noise = stress_noise(warns, messages);
	if (!order_noise(slot->stress, noise * op->times))
		return 1;
	if (op->everywhere) {
		fail.start = 0;
		fail.end = -1;
	}
	err = dmirror_counts(slot->victim.device, op->id, &n->now);
	err = err ?: dmirror_arm(slot->victim.device, &fail);
	if (err)
		return must(slot, "arm", err);
	n->armed = contexts;
	n->times = op->times;
	n->noise = noise;
	n->hits_before = n->now.hits;
	return 0;
}

static int arm(struct slot *slot, const struct op *op)
{
	unsigned int contexts;

	if (!slot->notifiers[op->id].kind)
		return 1;
	if (slot_disarm(slot, op->id))
		return -1;
	contexts = allowed_contexts(slot, op);
	if (!contexts)
		return op->contexts ? 1 : 0;
	return arm_as(slot, op, contexts);
}

/* Without the lock @change: it may wait for an invalidation to end. */
static int read_begin(struct slot *slot, const struct op *op)
{
	int err;

	if (!rule_is_interval(slot->notifiers[op->id].kind))
		return 1;
	err = dmirror_read_begin(slot->victim.device, op->id);
	/* Meanwhile it was removed, and another one may have taken its place. */
	if (slot->stress->threads && (err == -ENOENT || err == -EINVAL))
		return 0;
	return must(slot, "read_begin", err);
}

static int transfer(struct slot *slot, const struct op *op)
{
	if (!slot->notifiers[0].kind || slot->state == SLOT_DYING)
		return 1;
	arena_transfer(slot->victim.device, &op->range, op->what);
	return 0;
}

static long do_change(const struct victim_args *args)
{
	struct arena_op range;

	memcpy(&range, &args->arg[1], sizeof(range));
	arena_run(&range, args->arg[0]);
	return 0;
}

static int change(struct slot *slot, const struct op *op)
{
	struct victim_args args = { .arg = { slot->file } };
	long result;
	int err;

	_Static_assert(sizeof(op->range) <= sizeof(args.arg) - sizeof(args.arg[0]),
		       "fits into an order");
	if (slot->state != SLOT_ALIVE)
		return 1;
	memcpy(&args.arg[1], &op->range, sizeof(op->range));
	err = hand_call(&slot->hands[op->thread], slot->gone[0], do_change,
			&args, &result);
	/* Killed meanwhile */
	if (err && slot->state != SLOT_ALIVE)
		return 0;
	return must(slot, "memory", err);
}

static int run(struct slot *slot, const struct op *op)
{
	static int (* const steps[])(struct slot *, const struct op *) = {
		[OP_FREEZE] = freeze,
		[OP_REAP] = reap,
		[OP_ADD] = add,
		[OP_DEL] = del,
		[OP_ARM] = arm,
		[OP_READ_BEGIN] = read_begin,
		[OP_TRANSFER] = transfer,
		[OP_CHANGE] = change,
	};
	bool changes = op->kind == OP_ADD || op->kind == OP_DEL ||
		       op->kind == OP_ARM;
	int ret;

	if (changes)
		pthread_mutex_lock(&slot->change);
	ret = steps[op->kind](slot, op);
	if (changes)
		pthread_mutex_unlock(&slot->change);
	return ret;
}

int slot_step(struct slot *slot, const struct op *op)
{
	int ret = 1;

	/* These two are the owner's, who needs no lock to look at the state. */
	if (op->kind == OP_START)
		return slot->state == SLOT_EMPTY ? start(slot, op) : 1;
	if (op->kind == OP_FINISH)
		return finish(slot, op);
	pthread_rwlock_rdlock(&slot->use);
	if (slot->state != SLOT_EMPTY)
		ret = run(slot, op);
	pthread_rwlock_unlock(&slot->use);
	return ret;
}

/*
 * What looks like a hang can be a kernel thread amidst an invalidation, on a
 * machine that is too busy to let it run. So who has the time asks again.
 */
int slot_sound(struct slot *slot)
{
	uint64_t began = stress_now();
	int err;

	if (slot->state == SLOT_EMPTY || !may_add_interval(slot))
		return 0;
	do {
		err = region_soundness(slot->victim.device);
	} while (err == -ETIMEDOUT &&
		 stress_now() - began < slot->stress->options.patience_ms);
	return must(slot, "use of interval notifiers at a checkpoint", err);
}
