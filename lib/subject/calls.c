// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/dmirror.h"
#include "subject/calls.h"

/* MMU_NOTIFIER_RANGE_BLOCKABLE of include/linux/mmu_notifier.h */
#define BLOCKABLE 1U

/* "comm-12      [000] d..1.  12.345678: what": a line of the trace */
struct line {
	pid_t thread;
	double time;
	const char *what;
};

static bool parse(const char *text, struct line *line)
{
	const char *cpu = text, *at;
	int end;

	while ((cpu = strstr(cpu, " ["))) {
		end = 0;
		if (sscanf(cpu, " [%*d] %*s %lf: %n", &line->time, &end) == 1 && end)
			break;
		cpu++;
	}
	if (!cpu)
		return false;
	line->what = cpu + end;
	for (at = cpu; at > text && *at == ' '; at--)
		;
	for (; at > text && *at >= '0' && *at <= '9'; at--)
		;
	return sscanf(at, "-%d", &line->thread) == 1;
}

static const struct callback *callback_of(const struct callbacks *callbacks,
					  const char *event)
{
	size_t len = strcspn(event, ":");
	unsigned int i;

	for (i = 0; i < callbacks->nr; i++)
		if (strlen(callbacks->list[i].name) == len &&
		    !strncmp(callbacks->list[i].name, event, len))
			return &callbacks->list[i];
	return NULL;
}

static struct open_call *open_of(struct calls *calls, pid_t thread)
{
	unsigned int i;

	for (i = 0; i < CALLS_MAX_OPEN; i++)
		if (calls->open[i].thread == thread)
			return &calls->open[i];
	return NULL;
}

static enum rule_context context_of(const struct callback *callback, unsigned int flags,
				    unsigned int event)
{
	if (rule_is_interval(callback->kind) && event == HMM_DMIRROR_EVENT_RELEASE)
		return RULE_RELEASE;
	return flags & BLOCKABLE ? RULE_BLOCKABLE : RULE_NON_BLOCKABLE;
}

/* What began in this thread and has not ended: the thread died, or the end got lost. */
static void begin_call(struct calls *calls, const struct line *line)
{
	const struct callback *callback = callback_of(calls->callbacks, line->what + 5);
	const char *args = strstr(line->what, " mm=0x");
	unsigned int flags, event;
	uint64_t mm, start, end;
	struct open_call *open;

	if (!callback || !args ||
	    sscanf(args, " mm=0x%lx start=0x%lx end=0x%lx flags=%u event=%u", &mm, &start,
		   &end, &flags, &event) != 5 || mm != calls->callbacks->mm)
		return;
	open = open_of(calls, 0);
	if (!open || open_of(calls, line->thread)) {
		calls->lost = true;
		return;
	}
	*open = (struct open_call) {
		.thread = line->thread,
		.callback = callback,
		.context = context_of(callback, flags, event),
		.inside = start < calls->mirror.end && end > calls->mirror.start,
		.time = line->time,
	};
}

static const char * const contexts[] = {
	[RULE_NON_BLOCKABLE] = "the non-blockable context",
	[RULE_BLOCKABLE] = "the blockable context",
	[RULE_RELEASE] = "the release of the mm",
};

static bool warns(const struct rule_outcome *outcome)
{
	unsigned int site;

	for (site = 0; site < RULE_NR_SITES; site++)
		if (outcome->warns[site])
			return true;
	return false;
}

static void tell_illegal(struct calls *calls, const struct open_call *call, int ret)
{
	char value[16];

	if (*calls->illegal)
		return;
	snprintf(value, sizeof(value), "%d", ret);
	snprintf(calls->illegal, sizeof(calls->illegal), "%s() returned %s in %s%s",
		 call->callback->name,
		 rule_is_interval(call->callback->kind) ? "false" : value,
		 contexts[call->context],
		 call->callback->kind == RULE_HLIST_END ?
		 ", and has ->invalidate_range_end()" : "");
}

static void end_call(struct calls *calls, const struct line *line)
{
	const struct callback *callback = callback_of(calls->callbacks, line->what + 5);
	struct open_call *open = open_of(calls, line->thread);
	const char *at = strstr(line->what, " ret=");
	const struct rule_outcome *outcome;
	long us;
	int ret;

	if (!open || callback != open->callback)
		return;
	if (!at || sscanf(at, " ret=%d", &ret) != 1) {
		calls->lost = true;
		return;
	}
	us = (line->time - open->time) * 1e6;
	if (open->context == RULE_NON_BLOCKABLE && us > calls->longest_us)
		calls->longest_us = us;
	outcome = rule_expect(callback->kind, open->context, ret);
	calls->nr[open->context]++;
	calls->inside[open->context] += open->inside;
	calls->messages += outcome->message;
	calls->refusals += outcome->fails;
	if (outcome->fails && !rule_is_interval(callback->kind) &&
	    callbacks_are_mixed(calls->callbacks))
		calls->unended = true;
	if (warns(outcome))
		tell_illegal(calls, open, ret);
	open->thread = 0;
}

/* "sleep_mutex_lock: (mutex_lock+0x0/0x30)" */
static void may_sleep(struct calls *calls, const struct line *line)
{
	struct open_call *open = open_of(calls, line->thread);

	if (!open || open->context != RULE_NON_BLOCKABLE || *calls->slept)
		return;
	snprintf(calls->slept, sizeof(calls->slept), "%.*s() was called in %s() in %s",
		 (int)strcspn(line->what + 6, ":"), line->what + 6, open->callback->name,
		 contexts[open->context]);
}

static void take_line(struct calls *calls, const struct line *line)
{
	if (!strncmp(line->what, "call_", 5))
		begin_call(calls, line);
	else if (!strncmp(line->what, "done_", 5))
		end_call(calls, line);
	else if (!strncmp(line->what, "sleep_", 6))
		may_sleep(calls, line);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Up to what came after this began: to read locks a mutex, which is traced as well. */
static int take_lines(struct calls *calls)
{
	double began = now();
	struct line line = {};
	bool lost = false;
	char *text;
	int ret;

	while (line.time <= began) {
		ret = trace_pipe_next(&calls->pipe, &text);
		if (!ret || (ret < 0 && ret != -EPIPE))
			return ret ?: lost ? -EPIPE : 0;
		if (ret == -EPIPE)
			lost = true;
		else if (parse(text, &line))
			take_line(calls, &line);
	}
	return lost ? -EPIPE : 0;
}

int calls_take(struct calls *calls)
{
	long missed = callbacks_missed();
	int err;

	memset(calls->nr, 0, sizeof(calls->nr));
	memset(calls->inside, 0, sizeof(calls->inside));
	calls->refusals = 0;
	err = take_lines(calls);
	if (missed != calls->missed)
		err = missed < 0 ? missed : -EOVERFLOW;
	calls->missed = missed;
	return err ?: calls->lost ? -EPROTO : 0;
}

int calls_begin(struct calls *calls, const struct callbacks *callbacks,
		const struct subject *subject, bool sleep)
{
	int err;

	*calls = (struct calls) {
		.callbacks = callbacks,
		.mirror = subject->mirrors[0],
		.missed = callbacks_missed(),
	};
	calls->pipe.fd = open(callbacks_trace(sleep), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (calls->pipe.fd < 0)
		return -errno;
	/* What was overwritten before is of no interest. */
	err = take_lines(calls);
	return err == -EPIPE ? 0 : err;
}

void calls_end(struct calls *calls)
{
	close(calls->pipe.fd);
}
