// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>

#include "core/bounded.h"
#include "core/fail_point.h"

struct hmm_dmirror_fail_point fail_point_in(unsigned int mapping,
					    enum rule_context context, unsigned int id,
					    int ret)
{
	return (struct hmm_dmirror_fail_point) {
		.id = id,
		.ret = ret,
		/* HMM_DMIRROR_BLOCKABLE and so on, by SAME_AS_RULE() of dmirror.c */
		.contexts = 1 << context,
		.start = victim_start_of(mapping),
		.end = victim_end_of(mapping),
	};
}

int fail_point_arm(int device, unsigned int mapping, enum rule_context context,
		   unsigned int id, int ret)
{
	struct hmm_dmirror_fail_point fail =
		fail_point_in(mapping, context, id, ret);

	return dmirror_arm(device, &fail);
}

int fail_point_add_notifier(int device, unsigned int id,
			    const struct rule_notifier *notifier)
{
	bool interval = rule_is_interval(notifier->kind);

	return dmirror_add_flags(device, id, notifier->kind,
				 interval ? victim_start_of(0) : 0,
				 interval ? victim_end_of(7) : 0,
				 notifier->no_finish ? HMM_DMIRROR_NO_FINISH : 0);
}

static bool is_in(const struct hmm_dmirror_call *call, enum rule_context context,
		  unsigned int mapping)
{
	return call->end > victim_start_of(mapping) &&
	       call->start < victim_end_of(mapping) &&
	       dmirror_context(call) == context;
}

struct calls_seen calls_seen(const struct hmm_dmirror_call *calls, int nr,
			     unsigned int id, enum rule_context context,
			     unsigned int mapping)
{
	struct calls_seen seen = {};
	int i;

	for (i = 0; i < nr; i++) {
		const struct hmm_dmirror_call *c = &calls[i];

		if (c->id != id || !is_in(c, context, mapping))
			continue;
		seen.calls += c->call == HMM_DMIRROR_CALL_START;
		seen.ends += c->call == HMM_DMIRROR_CALL_END;
		seen.finishes += c->call == HMM_DMIRROR_CALL_FINISH;
		if (c->flags & HMM_DMIRROR_CALL_WAS_HIT) {
			seen.hits++;
			seen.ret = c->ret;
		}
	}
	return seen;
}

void calls_sequence(const struct hmm_dmirror_call *calls, int nr,
		    enum rule_context context, unsigned int mapping, char *text,
		    size_t size)
{
	size_t len = 0;
	int i;

	*text = '\0';
	for (i = 0; i < nr && len < size; i++) {
		bool start = calls[i].call == HMM_DMIRROR_CALL_START;

		if ((start || calls[i].call == HMM_DMIRROR_CALL_FINISH) &&
		    is_in(&calls[i], context, mapping))
			len += snprintf(text + len, size - len, "%s%u ",
					start ? "start" : "finish",
					calls[i].id);
	}
}

static int use_interval(void *arg)
{
	int device = *(int *)arg;
	unsigned int id;
	int err;

	/* An attempt that was given up has left one. */
	dmirror_del(device, MAPPING_PROBE_ID);
	err = dmirror_add(device, MAPPING_PROBE_ID, HMM_DMIRROR_INTERVAL,
			  victim_start_of(0), victim_end_of(0));
	/* The new one, those that saw the failure, and 0: the node's own mirror */
	for (id = MAPPING_PROBE_ID + 1; !err && id-- > 0;) {
		err = dmirror_read_begin(device, id);
		if (err == -ENOENT || err == -EINVAL)
			err = 0;	/* no notifier, or an hlist one */
	}
	return err ?: dmirror_del(device, MAPPING_PROBE_ID);
}

int mm_soundness(int device)
{
	return bounded_call(use_interval, &device);
}
