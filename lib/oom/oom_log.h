/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lines of the OOM killer and the oom_reaper (mm/oom_kill.c) in the kernel's log
 */
#ifndef HMM_NOTIFIER_OOM_OOM_LOG_H
#define HMM_NOTIFIER_OOM_OOM_LOG_H

#include <sys/types.h>

enum oom_log_what {
	OOM_LOG_NOTHING,
	OOM_LOG_CONSTRAINT,	/* "oom-kill:constraint=CONSTRAINT_...,...,pid=" */
	OOM_LOG_KILLED,		/* "Killed process" */
	OOM_LOG_REAPED,		/* "oom_reaper: reaped process" */
	OOM_LOG_UNABLE,		/* "oom_reaper: unable to reap" */
};

struct oom_log {
	enum oom_log_what what;
	pid_t pid;
	char constraint[32];
};

/* Parses one record. @what is OOM_LOG_NOTHING if it is none of these lines. */
struct oom_log oom_log_parse(const char *text);

#endif
