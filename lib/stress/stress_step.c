// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/rule.h"
#include "stress/stress_step.h"
#include "test_hmm_uapi.h"

const char * const op_names[OP_NR_KINDS] = {
	"start", "freeze", "reap", "finish", "add", "del", "arm", "read_begin",
	"transfer", "change",
};

/* Steps that make no sense cost nothing, so starting one may come often. */
static const unsigned int weights[OP_NR_KINDS] = {
	[OP_START] = 150,
	[OP_FREEZE] = 12,
	[OP_REAP] = 120,
	[OP_FINISH] = 20,
	[OP_ADD] = 100,
	[OP_DEL] = 40,
	[OP_ARM] = 240,
	[OP_READ_BEGIN] = 40,
	[OP_TRANSFER] = 20,
	[OP_CHANGE] = 360,
};

static const unsigned int change_weights[ARENA_NR_CHANGES] = {
	[ARENA_WRITE] = 25,
	[ARENA_READ] = 6,
	[ARENA_DONTNEED] = 12,
	[ARENA_FREE] = 5,
	[ARENA_COLLAPSE] = 4,
	[ARENA_UNMAP] = 8,
	[ARENA_MAP] = 10,
	[ARENA_PROTECT] = 12,
	[ARENA_MOVE] = 5,
	[ARENA_FORK] = 3,
	[ARENA_PUNCH] = 5,
	[ARENA_MIGRATE] = 4,
	[ARENA_SOFT_DIRTY] = 1,
	[ARENA_PAGEOUT] = 4,
	[ARENA_GUARD] = 2,
	[ARENA_UFFD_PROTECT] = 4,
	[ARENA_UFFD_MOVE] = 3,
	[ARENA_SCAN] = 3,
};

/* Half of all legal failures, the rest spread over what is not */
static const int rets[] = {
	-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN,
	-EINTR, -ENOMEM, -EBUSY, -EINVAL, -1, 1, INT_MIN,
};

static const unsigned int events[] = {
	HMM_DMIRROR_EVENT_UNMAP, HMM_DMIRROR_EVENT_CLEAR,
	HMM_DMIRROR_EVENT_PROTECTION_VMA, HMM_DMIRROR_EVENT_PROTECTION_PAGE,
	HMM_DMIRROR_EVENT_SOFT_DIRTY, HMM_DMIRROR_EVENT_RELEASE,
	HMM_DMIRROR_EVENT_MIGRATE, HMM_DMIRROR_EVENT_EXCLUSIVE,
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static unsigned int weighted(struct random *random, const unsigned int *weight,
			     unsigned int nr)
{
	unsigned int i, at, sum = 0;

	for (i = 0; i < nr; i++)
		sum += weight[i];
	at = random_below(random, sum);
	for (i = 0; at >= weight[i]; i++)
		at -= weight[i];
	return i;
}

static void random_range(struct random *random, struct arena_op *range)
{
	unsigned int pages, max;

	range->area = random_below(random, ARENA_NR_AREAS);
	pages = arena_pages(range->area);
	range->page = random_below(random, pages);
	max = pages - range->page;
	if (max > pages / 4)
		max = pages / 4;
	range->pages = 1 + random_below(random, max);
	range->arg = random_next(random);
}

static void random_fail_point(struct random *random, struct op *op)
{
	static const uint8_t contexts[] = {
		0, HMM_DMIRROR_BLOCKABLE, HMM_DMIRROR_BLOCKABLE,
		HMM_DMIRROR_NON_BLOCKABLE, HMM_DMIRROR_NON_BLOCKABLE,
		HMM_DMIRROR_NON_BLOCKABLE,
		HMM_DMIRROR_BLOCKABLE | HMM_DMIRROR_NON_BLOCKABLE,
	};

	op->contexts = contexts[random_below(random, NR(contexts))];
	op->ret = rets[random_below(random, NR(rets))];
	op->skip = random_below(random, 4) ? 0 : random_below(random, 4);
	op->times = 1 + random_below(random, 6);
	op->everywhere = random_below(random, 4);
	if (!random_below(random, 4))
		op->events = 1 << events[random_below(random, NR(events))];
}

static unsigned int random_own_slot(struct op_stream *stream)
{
	const struct op_world *world = stream->world;
	unsigned int own = (world->slots - stream->thread + world->threads - 1) /
			   world->threads;

	return stream->thread +
	       world->threads * random_below(&stream->random, own);
}

void op_begin(struct op_stream *stream, const struct op_world *world,
	      uint64_t seed, unsigned int thread)
{
	*stream = (struct op_stream) { .world = world, .thread = thread };
	random_seed(&stream->random, seed, thread);
}

void op_next(struct op_stream *stream, struct op *op)
{
	struct random *random = &stream->random;

	memset(op, 0, sizeof(*op));
	op->kind = stream->started ? weighted(random, weights, OP_NR_KINDS) :
				     OP_START;
	stream->started = true;
	op->thread = stream->thread;
	op->slot = random_below(random, stream->world->slots);
	op->id = 1 + random_below(random, stream->world->ids);
	op->what = random_below(random, 4);
	random_range(random, &op->range);

	switch (op->kind) {
	case OP_START:
	case OP_FREEZE:
	case OP_FINISH:
		op->slot = random_own_slot(stream);
		break;
	case OP_ADD:
		op->what = RULE_INTERVAL +
			   random_below(random, RULE_IDLE);
		op->everywhere = !random_below(random, 4);
		op->locked = (op->what == RULE_INTERVAL ||
			      op->what == RULE_HLIST) &&
			     !random_below(random, 4);
		break;
	case OP_ARM:
		/* The notifier of the mirror itself, too */
		if (!random_below(random, 8))
			op->id = 0;
		random_fail_point(random, op);
		break;
	case OP_TRANSFER:
		op->what = random_below(random, ARENA_NR_TRANSFERS);
		break;
	case OP_CHANGE:
		op->range.change = weighted(random, change_weights,
					    ARENA_NR_CHANGES);
		break;
	}
}

static int describe_range(const struct op *op, char *text, size_t size)
{
	if (op->everywhere)
		return snprintf(text, size, " everywhere");
	return snprintf(text, size, " in %s pages %u to %u",
			arena_area_names[op->range.area], op->range.page,
			op->range.page + op->range.pages - 1);
}

static const char * const kind_names[] = {
	[RULE_INTERVAL] = "interval",
	[RULE_HLIST] = "hlist",
	[RULE_HLIST_END] = "hlist_end",
	[RULE_INTERVAL_TWO_PASS] = "interval_two_pass",
	[RULE_IDLE] = "idle",
};

static const char * const context_names[] = {
	"never", "non-blockable", "blockable", "blockable or not",
};

static void describe_fail_point(const struct op *op, char *text, size_t size)
{
	int len = snprintf(text, size, " %u: %d if %s, after %u, %u times",
			   op->id, op->ret, context_names[op->contexts],
			   op->skip, op->times);

	len += describe_range(op, text + len, size - len);
	if (op->events)
		snprintf(text + len, size - len, ", events %#x", op->events);
}

void op_describe(const struct op *op, char *text, size_t size)
{
	int len = snprintf(text, size, "thread %u, process %u: %s", op->thread,
			   op->slot, op_names[op->kind]);

	text += len;
	size -= len;
	switch (op->kind) {
	case OP_START:
		snprintf(text, size, "%s%s",
			 op->what & OP_START_MIRROR ? " with a mirror" : "",
			 op->what & OP_START_INTERVALS ?
				" that may have interval notifiers" : "");
		break;
	case OP_FINISH:
		snprintf(text, size, "%s", op->what & OP_FINISH_FROZEN ? "" :
			 op->what & OP_FINISH_BY_EXIT ? " by exit" : " by kill");
		break;
	case OP_ADD:
		len = snprintf(text, size, " %u: %s%s", op->id,
			       kind_names[op->what],
			       op->locked ? " with the lock held" : "");
		if (rule_is_interval(op->what))
			describe_range(op, text + len, size - len);
		break;
	case OP_DEL:
	case OP_READ_BEGIN:
		snprintf(text, size, " %u", op->id);
		break;
	case OP_ARM:
		describe_fail_point(op, text, size);
		break;
	case OP_TRANSFER:
		len = snprintf(text, size, " %s", arena_transfer_names[op->what]);
		describe_range(op, text + len, size - len);
		break;
	case OP_CHANGE:
		len = snprintf(text, size, " %s",
			       arena_change_names[op->range.change]);
		describe_range(op, text + len, size - len);
		break;
	}
}
