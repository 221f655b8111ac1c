/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver's notifier callbacks, found without its name: probes on the functions that
 * register notifiers tell which functions these call, and probes on those tell of each
 * call. All is in a trace instance of our own.
 */
#ifndef HMM_NOTIFIER_SUBJECT_CALLBACKS_H
#define HMM_NOTIFIER_SUBJECT_CALLBACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/rule.h"

#define CALLBACKS_MAX 8

/* Events in the trace: call_NAME and done_NAME; sleep_NAME of what may sleep */
struct callback {
	char name[56];			/* of the function */
	char module[56];		/* "" if it is built in */
	enum rule_kind kind;
};

struct callbacks {
	uint64_t mm;			/* of the process that registered them */
	unsigned int nr;
	struct callback list[CALLBACKS_MAX];
};

/* Of both kinds, interval and hlist */
bool callbacks_are_mixed(const struct callbacks *callbacks);

/*
 * From now on registrations are seen. Returns 0 or -errno: this kernel has no kprobes, or
 * the caller may not have them.
 */
int callbacks_watch(void);

/*
 * Finds what @pid registered since, and begins to trace these callbacks. Returns 0, -EPIPE
 * if the trace lost something, -E2BIG if there are too many; or -errno of a probe.
 */
int callbacks_find(struct callbacks *callbacks, pid_t pid);

/*
 * From now on the calls by @thread are in another instance as well, together with the
 * functions that may sleep. 0 or -errno
 */
int callbacks_watch_sleep(pid_t thread);

/* The path of a trace_pipe, until next call: of calls alone, or with these functions */
const char *callbacks_trace(bool sleep);

/* How many hits of our probes the kernel has missed so far, or -errno */
long callbacks_missed(void);

#endif
