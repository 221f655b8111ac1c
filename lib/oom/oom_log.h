/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the OOM killer and the oom_reaper say about whom in the kernel's log.
 */
#ifndef HMM_NOTIFIER_OOM_OOM_LOG_H
#define HMM_NOTIFIER_OOM_OOM_LOG_H

#include <sys/types.h>

enum oom_log_what {
	OOMLOG_NOTHING,
	OOMLOG_CONSTRAINT,	/* "oom-kill:constraint=CONSTRAINT_...,...,pid=" */
	OOMLOG_KILLED,		/* "Killed process" */
	OOMLOG_REAPED,		/* "oom_reaper: reaped process" */
	OOMLOG_UNABLE,		/* "oom_reaper: unable to reap" */
};

struct oomlog {
	enum oom_log_what what;
	pid_t pid;
	char constraint[32];
};

struct oomlog oom_log_parse(const char *text);

#endif
