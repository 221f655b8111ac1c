/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of a driver's callbacks, read from the trace and judged by the rule.
 */
#ifndef HMM_NOTIFIER_SUBJECT_CALLS_H
#define HMM_NOTIFIER_SUBJECT_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/rule.h"
#include "core/trace_pipe.h"
#include "subject/callbacks.h"
#include "subject/subject.h"

#define CALLS_MAX_OPEN 16

struct calls {
	/* In this period, by context; those in the first mirror; starts that failed by them */
	unsigned int nr[RULE_NR_CONTEXTS], inside[RULE_NR_CONTEXTS];
	unsigned int refusals;

	/* Since calls_begin(): the longest non-blockable call, the messages that the
	 * failures lead to, and the first that breaks the rule, or sleeps where it must
	 * not; "" if there was none
	 */
	long longest_us;
	unsigned int messages;
	bool unended;			/* an hlist notifier refused beside an interval one */
	char illegal[192], slept[192];

	struct trace_pipe pipe;
	const struct callbacks *callbacks;
	struct subject_range mirror;
	long missed;
	bool lost;
	struct open_call {
		pid_t thread;		/* 0: unused */
		const struct callback *callback;
		enum rule_context context;
		bool inside;
		double time;
	} open[CALLS_MAX_OPEN];
};

/*
 * The first period begins. With @sleep, after callbacks_watch_sleep(), functions that may
 * sleep are seen as well. Returns 0 or -errno.
 */
int calls_begin(struct calls *calls, const struct callbacks *callbacks,
		const struct subject *subject, bool sleep);

/*
 * Reads what the trace has so far into @calls, where a new period begins. Returns 0;
 * -EPIPE if the trace has lost calls, -EOVERFLOW if probes have missed some,
 * -EPROTO if one began in a call of the same thread, so that nothing is known of them.
 */
int calls_take(struct calls *calls);
void calls_end(struct calls *calls);

#endif
