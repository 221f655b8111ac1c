/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that may never return. A child makes them, so a hang is a result.
 *
 * A task that waits for a notifier whose end got lost sleeps in state D, and
 * nothing can kill it. So such a call must not be made by the test itself, and
 * the test must not be the last one to close the device.
 */
#ifndef HMM_NOTIFIER_CORE_BOUNDED_H
#define HMM_NOTIFIER_CORE_BOUNDED_H

#include <sys/types.h>

/*
 * Runs @fn in a child. Returns what it returned (0 to 125, or -errno),
 * -ETIMEDOUT if it sleeps in mmu_interval_read_begin() or
 * mmu_interval_notifier_remove() and nothing wakes it, or has not returned
 * within 10 s.
 */
int bounded_call(int (*fn)(void *arg), void *arg);

/* As above, for a child that exists: 0, or -ETIMEDOUT. Does not reap it. */
int bounded_wait(pid_t pid, int pidfd);

/* pidfd_open(). Returns the file descriptor or -errno. */
int open_task(pid_t pid);

/*
 * kill() of exactly one process. Returns 0 or -errno; -EINVAL for a @pid of 0 or less,
 * which a failed fork or an unset field leaves.
 */
int kill_task(pid_t pid, int sig);

/* The state of a process or thread as in /proc/PID/stat, 'R' and so on; 0 if it is gone */
char task_state(pid_t pid);

/* In a child of @parent: has the kernel kill it when its parent ends. */
void end_with_parent(pid_t parent);

/* A process that closes a file last, after everybody else has */
struct keeper {
	pid_t pid;
	int pidfd;
	int order;
};

/*
 * Keeps @fd open until keeper_close(), or until the calling process ends. Returns 0 or
 * -errno.
 */
int keeper_start(struct keeper *keeper, int fd);

/*
 * Has the keeper close the file, after the caller closed its own descriptors. Returns
 * 0, -ETIMEDOUT if that last close hangs, or -errno.
 */
int keeper_close(struct keeper *keeper);

#endif
