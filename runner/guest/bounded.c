// SPDX-License-Identifier: GPL-2.0
/*
 * bounded SECONDS SILENCE PROGRAM [ARG...] - runs a test program in a bound.
 *
 * Its output is copied to stdout, each line behind "# ", which is how
 * kselftest nests KTAP.  A program that runs for SECONDS, or says nothing for
 * SILENCE seconds, is given up: the kernel is asked to log its blocked tasks,
 * everything in the program's session is killed, and, because a task in state D
 * does not die of that, waited for only shortly.
 *
 * Exits as the program did (128 + N after signal N), 124 when it was given up.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GIVEN_UP 124
#define PIPE_READS 32	/* twice a pipe of 64 KiB, by 4 KiB */

static const char *program;
static int line_open;		/* the last line has no newline yet */
static char running[512];	/* the test that last said it runs */
static char line[512];
static size_t line_len;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void note_line(void)
{
	char name[512];

	line[line_len] = '\0';
	line_len = 0;
	if (sscanf(line, "# RUN %511s", name) == 1)
		strcpy(running, name);
}

static void copy(const char *buf, size_t len)
{
	while (len--) {
		if (!line_open)
			fputs("# ", stdout);
		putchar(*buf);
		line_open = *buf != '\n';
		if (!line_open)
			note_line();
		else if (line_len < sizeof(line) - 1)
			line[line_len++] = *buf;
		buf++;
	}
	fflush(stdout);
}

/* Says one line, in the KTAP and in the kernel's log. */
static void say(const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int fd;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("%s# hmm_notifier: %s\n", line_open ? "\n" : "", text);
	fflush(stdout);
	line_open = 0;
	fd = open("/dev/kmsg", O_WRONLY);
	if (fd >= 0) {
		dprintf(fd, "hmm_notifier: %s\n", text);
		close(fd);
	}
}

static void press_sysrq(char key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	if (fd >= 0) {
		if (write(fd, &key, 1) != 1)
			perror("sysrq");
		close(fd);
	}
}

static pid_t session_of(pid_t pid)
{
	char path[64], stat[512], *p;
	int session = -1;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	p = strrchr(stat, ')'); /* the command may hold blanks and brackets */
	if (!p || sscanf(p, ") %*c %*d %*d %d", &session) != 1)
		return -1;
	return session;
}

/*
 * The harness gives each test a process group, so a group is not enough. Returns
 * the number of processes that were there.
 */
static int kill_session(pid_t session)
{
	struct dirent *d;
	int count = 0;
	DIR *proc;

	proc = opendir("/proc");
	while (proc && (d = readdir(proc))) {
		pid_t pid = isdigit(d->d_name[0]) ? atoi(d->d_name) : 0;

		if (pid > 1 && session_of(pid) == session) {
			kill(pid, SIGKILL);
			count++;
		}
	}
	if (proc)
		closedir(proc);
	return count;
}

/* What has ended is reaped. Returns 0 if no child is left; status is that of pid. */
static int reap(pid_t pid, int *status, int *ended)
{
	pid_t child;
	int how;

	while ((child = waitpid(-1, &how, WNOHANG)) > 0) {
		if (child == pid) {
			*status = how;
			*ended = 1;
		}
	}
	return child == 0;
}

/*
 * What a program left must not disturb the next. Something that a failed test
 * left and that does not die is blocked, and the log should say where. All that
 * is left is a child of ours, so without one there is nothing to look for.
 */
static void clean_up(pid_t session, int failed)
{
	double end = now() + 1;
	int unused;

	while (reap(0, &unused, &unused) && kill_session(session) && failed) {
		if (now() > end) {
			say("%s left tasks that do not die", program);
			press_sysrq('w');
			return;
		}
		usleep(20000);
	}
}

/* Orphans become children of ours, and the end of each is told by what is returned. */
static int adopt(sigset_t *child)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(child);
	sigaddset(child, SIGCHLD);
	sigprocmask(SIG_BLOCK, child, NULL);
	return signalfd(-1, child, SFD_NONBLOCK | SFD_CLOEXEC);
}

static pid_t start(char **argv, const sigset_t *child, int *out)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (pid == 0) {
		setsid();
		sigprocmask(SIG_UNBLOCK, child, NULL);
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(126);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*out = fds[0];
	return pid;
}

/*
 * Copies what has come; 1 if something has. As much as a pipe holds, and no more:
 * a program that never stops writing must not keep us from the clock.
 */
static int pump(int fd)
{
	char buf[4096];
	ssize_t n;
	int reads;

	for (reads = 0; reads < PIPE_READS; reads++) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		copy(buf, n);
	}
	return reads > 0;
}

static int give_up(pid_t pid, int fd, const char *why, double bound)
{
	double end;
	int status;

	say("hang: %s:%s: %s for %.0f s", program, running[0] ? running : "-",
	    why, bound);
	press_sysrq('w');
	kill_session(pid);
	for (end = now() + 2; now() < end; usleep(20000)) {
		pump(fd);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return GIVEN_UP;
	}
	say("unkillable: the program is still there after SIGKILL");
	return GIVEN_UP;
}

/* Waits for the program; its end is its own exit, not that of the pipe. */
static int watch(pid_t pid, int fd, int ends, double seconds, double silence)
{
	double began = now(), heard = began;
	struct pollfd waits[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = ends, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int status, ended = 0;

	for (;;) {
		poll(waits, 2, 50);
		if (pump(fd))
			heard = now();
		else if (waits[0].revents & POLLHUP)
			waits[0].fd = -1; /* it says no more */
		while (read(ends, &info, sizeof(info)) > 0)
			;
		reap(pid, &status, &ended);
		if (ended) {
			pump(fd);
			clean_up(pid, status);
			return WIFEXITED(status) ? WEXITSTATUS(status) :
			       128 + WTERMSIG(status);
		}
		if (now() - heard > silence)
			return give_up(pid, fd, "nothing said", silence);
		if (now() - began > seconds)
			return give_up(pid, fd, "running", seconds);
	}
}

int main(int argc, char **argv)
{
	int fd, ends, ret;
	sigset_t child;
	pid_t pid;

	if (argc < 4)
		return 2;
	program = basename(argv[3]);
	ends = adopt(&child);
	pid = start(argv + 3, &child, &fd);
	if (pid < 0)
		return 2;
	ret = watch(pid, fd, ends, atof(argv[1]), atof(argv[2]));
	if (line_open)
		putchar('\n');
	fflush(stdout);
	return ret;
}
