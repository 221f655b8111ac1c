// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/rule.h"
#include "stress/stress_step.h"
#include "test_hmm_uapi.h"

const char * const stress_step_names[STRESS_STEP_NR_KINDS] = {
	"start", "freeze", "reap", "finish", "add", "del", "arm", "read_begin",
	"transfer", "change",
};

/* Steps that make no sense cost nothing, so starting one may come often. */
static const unsigned int weights[STRESS_STEP_NR_KINDS] = {
	[STRESS_STEP_START] = 150,
	[STRESS_STEP_FREEZE] = 12,
	[STRESS_STEP_REAP] = 120,
	[STRESS_STEP_FINISH] = 20,
	[STRESS_STEP_ADD] = 100,
	[STRESS_STEP_DEL] = 40,
	[STRESS_STEP_ARM] = 240,
	[STRESS_STEP_READ_BEGIN] = 40,
	[STRESS_STEP_TRANSFER] = 20,
	[STRESS_STEP_CHANGE] = 360,
};

static const unsigned int change_weights[STRESS_MEMORY_NR_CHANGES] = {
	[STRESS_MEMORY_WRITE] = 25,
	[STRESS_MEMORY_READ] = 6,
	[STRESS_MEMORY_DONTNEED] = 12,
	[STRESS_MEMORY_FREE] = 5,
	[STRESS_MEMORY_COLLAPSE] = 4,
	[STRESS_MEMORY_UNMAP] = 8,
	[STRESS_MEMORY_MAP] = 10,
	[STRESS_MEMORY_PROTECT] = 12,
	[STRESS_MEMORY_MOVE] = 5,
	[STRESS_MEMORY_FORK] = 3,
	[STRESS_MEMORY_PUNCH] = 5,
	[STRESS_MEMORY_MIGRATE] = 4,
	[STRESS_MEMORY_SOFT_DIRTY] = 1,
	[STRESS_MEMORY_PAGEOUT] = 4,
	[STRESS_MEMORY_GUARD] = 2,
	[STRESS_MEMORY_UFFD_PROTECT] = 4,
	[STRESS_MEMORY_UFFD_MOVE] = 3,
	[STRESS_MEMORY_SCAN] = 3,
};

/* Half of all failures are legal, the others are spread over illegal values. */
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

static void random_range(struct random *random, struct stress_memory_range *range)
{
	unsigned int pages, max;

	range->area = random_below(random, STRESS_MEMORY_NR_AREAS);
	pages = stress_memory_pages(range->area);
	range->page = random_below(random, pages);
	max = pages - range->page;
	if (max > pages / 4)
		max = pages / 4;
	range->pages = 1 + random_below(random, max);
	range->arg = random_next(random);
}

static void random_fail_point(struct random *random, struct stress_step *step)
{
	static const uint8_t contexts[] = {
		0, HMM_DMIRROR_BLOCKABLE, HMM_DMIRROR_BLOCKABLE,
		HMM_DMIRROR_NON_BLOCKABLE, HMM_DMIRROR_NON_BLOCKABLE,
		HMM_DMIRROR_NON_BLOCKABLE,
		HMM_DMIRROR_BLOCKABLE | HMM_DMIRROR_NON_BLOCKABLE,
	};

	step->contexts = contexts[random_below(random, NR(contexts))];
	step->ret = rets[random_below(random, NR(rets))];
	step->skip = random_below(random, 4) ? 0 : random_below(random, 4);
	step->times = 1 + random_below(random, 6);
	step->everywhere = random_below(random, 4);
	if (!random_below(random, 4))
		step->events = 1 << events[random_below(random, NR(events))];
}

static unsigned int random_own_slot(struct stress_step_stream *stream)
{
	const struct stress_step_world *world = stream->world;
	unsigned int own = (world->processes - stream->thread + world->threads - 1) /
			   world->threads;

	return stream->thread +
	       world->threads * random_below(&stream->random, own);
}

void stress_step_begin(struct stress_step_stream *stream,
		       const struct stress_step_world *world, uint64_t seed,
		       unsigned int thread)
{
	*stream = (struct stress_step_stream) { .world = world, .thread = thread };
	random_seed(&stream->random, seed, thread);
}

void stress_step_next(struct stress_step_stream *stream, struct stress_step *step)
{
	struct random *random = &stream->random;

	memset(step, 0, sizeof(*step));
	step->kind = stream->started ? weighted(random, weights, STRESS_STEP_NR_KINDS) :
				     STRESS_STEP_START;
	stream->started = true;
	step->thread = stream->thread;
	step->process = random_below(random, stream->world->processes);
	step->id = 1 + random_below(random, stream->world->ids);
	step->what = random_below(random, 4);
	random_range(random, &step->range);

	switch (step->kind) {
	case STRESS_STEP_START:
	case STRESS_STEP_FREEZE:
	case STRESS_STEP_FINISH:
		step->process = random_own_slot(stream);
		break;
	case STRESS_STEP_ADD:
		step->what = RULE_INTERVAL +
			   random_below(random, RULE_IDLE);
		step->everywhere = !random_below(random, 4);
		step->locked = (step->what == RULE_INTERVAL ||
			      step->what == RULE_HLIST) &&
			     !random_below(random, 4);
		break;
	case STRESS_STEP_ARM:
		/* The notifier of the mirror itself, too */
		if (!random_below(random, 8))
			step->id = 0;
		random_fail_point(random, step);
		break;
	case STRESS_STEP_TRANSFER:
		step->what = random_below(random, STRESS_MEMORY_NR_TRANSFERS);
		break;
	case STRESS_STEP_CHANGE:
		step->range.change = weighted(random, change_weights,
					      STRESS_MEMORY_NR_CHANGES);
		break;
	}
}

static int describe_range(const struct stress_step *step, char *text, size_t size)
{
	if (step->everywhere)
		return snprintf(text, size, " everywhere");
	return snprintf(text, size, " in %s pages %u to %u",
			stress_memory_area_names[step->range.area], step->range.page,
			step->range.page + step->range.pages - 1);
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

static void describe_fail_point(const struct stress_step *step, char *text, size_t size)
{
	int len = snprintf(text, size, " %u: %d if %s, after %u, %u times",
			   step->id, step->ret, context_names[step->contexts],
			   step->skip, step->times);

	len += describe_range(step, text + len, size - len);
	if (step->events)
		snprintf(text + len, size - len, ", events %#x", step->events);
}

void stress_step_describe(const struct stress_step *step, char *text, size_t size)
{
	int len = snprintf(text, size, "thread %u, process %u: %s", step->thread,
			   step->process, stress_step_names[step->kind]);

	text += len;
	size -= len;
	switch (step->kind) {
	case STRESS_STEP_START:
		snprintf(text, size, "%s%s",
			 step->what & STRESS_STEP_START_MIRROR ? " with a mirror" : "",
			 step->what & STRESS_STEP_START_INTERVALS ?
				" that may have interval notifiers" : "");
		break;
	case STRESS_STEP_FINISH:
		snprintf(text, size, "%s", step->what & STRESS_STEP_FINISH_FROZEN ? "" :
			 step->what & STRESS_STEP_FINISH_BY_EXIT ? " by exit" : " by kill");
		break;
	case STRESS_STEP_ADD:
		len = snprintf(text, size, " %u: %s%s", step->id,
			       kind_names[step->what],
			       step->locked ? " with the lock held" : "");
		if (rule_is_interval(step->what))
			describe_range(step, text + len, size - len);
		break;
	case STRESS_STEP_DEL:
	case STRESS_STEP_READ_BEGIN:
		snprintf(text, size, " %u", step->id);
		break;
	case STRESS_STEP_ARM:
		describe_fail_point(step, text, size);
		break;
	case STRESS_STEP_TRANSFER:
		len = snprintf(text, size, " %s", stress_memory_transfer_names[step->what]);
		describe_range(step, text + len, size - len);
		break;
	case STRESS_STEP_CHANGE:
		len = snprintf(text, size, " %s",
			       stress_memory_change_names[step->range.change]);
		describe_range(step, text + len, size - len);
		break;
	}
}
