/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that another process is made to do, by ptrace: it sleeps in one of its own,
 * as read(), which goes on afterwards as if nothing had been.
 */
#ifndef HMM_NOTIFIER_SUBJECT_SYSTEM_CALL_H
#define HMM_NOTIFIER_SUBJECT_SYSTEM_CALL_H

#include <sys/types.h>

/*
 * @...: up to six arguments, each a long. Returns what the call returns there; -EOPNOTSUPP
 * on an architecture that this was not written for; -ETIMEDOUT if the main thread is never
 * in a system call, or never back from this one; -ESRCH if it ends; or -errno.
 */
#define SYSTEM_CALL(pid, nr, ...) \
	system_call(pid, nr, (const long [6]) { __VA_ARGS__ })
long system_call(pid_t pid, long nr, const long args[6]);

/*
 * fork(). Returns the child, which is stopped before its first instruction, and ends with
 * the calling process; or -errno.
 */
pid_t system_call_fork(pid_t pid);

#endif
