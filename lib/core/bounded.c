// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bounded.h"

#define BOUND_MS	10000
#define SAMPLE_MS	20
/*
 * Whoever waits for an invalidation waits for somebody else's end. When a test
 * waits, the invalidation under test is over and the victim does nothing, so
 * all that a working kernel needs is one wake-up. Never seen to take two
 * samples in a row; 15 of them are 300 ms.
 */
#define STUCK_SAMPLES	15

int open_task(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int kill_task(pid_t pid, int sig)
{
	/* To kill(), 0 is our process group, -1 everybody, less than that a group. */
	if (pid <= 0)
		return -EINVAL;
	return kill(pid, sig) ? -errno : 0;
}

static bool waits_for_end(pid_t pid)
{
	char path[64], where[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, where, sizeof(where) - 1);
	close(fd);
	if (len <= 0)
		return false;
	where[len] = '\0';
	return !strcmp(where, "mmu_interval_notifier_remove") ||
	       !strcmp(where, "mmu_interval_read_begin");
}

int bounded_wait(pid_t pid, int pidfd)
{
	struct pollfd exited = { .fd = pidfd, .events = POLLIN };
	unsigned int waited, stuck = 0;

	for (waited = 0; waited < BOUND_MS; waited += SAMPLE_MS) {
		if (poll(&exited, 1, SAMPLE_MS) > 0)
			return 0;
		stuck = waits_for_end(pid) ? stuck + 1 : 0;
		if (stuck == STUCK_SAMPLES)
			break;
	}
	return -ETIMEDOUT;
}

/* What a child that has ended returned, or -errno */
static int child_result(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!WIFEXITED(status))
		return -ECANCELED;
	/* -errno comes as 256 - errno, see bounded_call() */
	status = WEXITSTATUS(status);
	return status > 125 ? status - 256 : status;
}

/* Kills a child for which there is no pidfd to wait with. */
static void discard(pid_t pid)
{
	unsigned int waited;

	kill_task(pid, SIGKILL);
	for (waited = 0; waited < BOUND_MS; waited += SAMPLE_MS) {
		if (waitpid(pid, NULL, WNOHANG))
			return;
		poll(NULL, 0, SAMPLE_MS);
	}
}

int bounded_call(int (*fn)(void *arg), void *arg)
{
	int pidfd, err;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* The reader of our output must not wait for a child that hangs. */
		close_range(0, 2, 0);
		_exit(fn(arg));
	}

	pidfd = open_task(pid);
	if (pidfd < 0) {
		discard(pid);
		return pidfd;
	}
	err = bounded_wait(pid, pidfd);
	close(pidfd);
	if (err) {
		kill_task(pid, SIGKILL);
		return err;
	}
	return child_result(pid);
}

char task_state(pid_t pid)
{
	char path[32], text[256], *name;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	name = strrchr(text, ')');
	return name && name[1] ? name[2] : 0;
}

void end_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before that. */
	if (getppid() != parent)
		_exit(0);
}

/* Never returns. Keeps three files alone, so that nobody waits for our end of a pipe. */
static void keep_open(int fd, int order, int parent)
{
	struct pollfd wait[] = {
		{ .fd = 1, .events = POLLIN },
		{ .fd = 2, .events = POLLIN },
	};

	dup2(fd, 0);
	dup2(order, 1);
	dup2(parent, 2);
	close_range(3, ~0U, 0);

	/*
	 * Until the order comes or the parent has ended. The pidfd gets readable after
	 * the parent closed its files; a hangup of the pipe may come before.
	 */
	while (!((wait[0].revents | wait[1].revents) & POLLIN)) {
		if (wait[0].revents)
			wait[0].fd = -1;
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			break;
	}
	close(0);
	_exit(0);
}

int keeper_start(struct keeper *keeper, int fd)
{
	int order[2], parent, err;

	*keeper = (struct keeper) { .pidfd = -1, .order = -1 };
	if (pipe2(order, O_CLOEXEC))
		return -errno;
	parent = open_task(getpid());
	if (parent < 0)
		return parent;
	keeper->pid = fork();
	if (keeper->pid < 0) {
		err = -errno;
		keeper->pid = 0;
		close(order[0]);
		close(order[1]);
		close(parent);
		return err;
	}
	if (!keeper->pid) {
		/* The harness kills the group of a test that takes too long. */
		setsid();
		keep_open(fd, order[0], parent);
	}
	close(order[0]);
	close(parent);
	keeper->order = order[1];
	keeper->pidfd = open_task(keeper->pid);
	return keeper->pidfd < 0 ? keeper->pidfd : 0;
}

int keeper_close(struct keeper *keeper)
{
	int err;

	if (keeper->pid <= 0)
		return 0;
	if (write(keeper->order, "", 1) != 1)
		return -errno;
	err = bounded_wait(keeper->pid, keeper->pidfd);
	if (!err)
		waitpid(keeper->pid, NULL, 0);
	close(keeper->order);
	close(keeper->pidfd);
	keeper->pid = 0;
	return err;
}
