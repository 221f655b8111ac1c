// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/dmirror.h"
#include "core/victim.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

/* In the victim: its ends of the pipes for orders and for answers */
static int own_files[2] = { -1, -1 };

/* In the victim: its descriptor of its node */
static int own_device = -1;

static long do_open(const struct victim_args *args)
{
	own_device = dmirror_open((const char *)(uintptr_t)args->arg[0]);
	return own_device;
}

int victim_own_device(void)
{
	return own_device;
}

int victim_getfd(const struct victim *victim, int fd)
{
	int ours = syscall(SYS_pidfd_getfd, victim->pidfd, fd, 0);

	return ours < 0 ? -errno : ours;
}

int victim_open(struct victim *victim, const char *node)
{
	struct victim_args args = { .arg = { (uintptr_t)node } };
	long fd;
	int err;

	err = victim_call(victim, do_open, &args, &fd);
	if (err)
		return err;
	if (fd < 0)
		return fd;
	victim->device = victim_getfd(victim, fd);
	if (victim->device < 0)
		return victim->device;
	return keeper_start(&victim->keeper, victim->device);
}

/* The reader of our output must not wait for a victim that hangs. */
static void drop_output(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, 1);
	dup2(null, 2);
	close(null);
}

static int give_up_start(struct victim *victim, int orders[2], int answers[2])
{
	int err = -errno;

	/* Not -1: to kill() that is everybody. */
	victim->pid = 0;
	close(orders[0]);
	close(orders[1]);
	close(answers[0]);
	close(answers[1]);
	return err;
}

int victim_start(struct victim *victim, const char *node)
{
	int orders[2], answers[2], err;
	pid_t parent = getpid();

	*victim = (struct victim) {
		.pidfd = -1, .orders = -1, .answers = -1, .device = -1,
		.bound_ms = VICTIM_BOUND_MS,
	};
	/* Pipes, not sockets: CONFIG_NET may be off. */
	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		return -errno;
	/* To write to a dead victim is to be -EPIPE, not to end the test. */
	signal(SIGPIPE, SIG_IGN);
	victim->pid = fork();
	if (victim->pid < 0)
		return give_up_start(victim, orders, answers);
	if (!victim->pid) {
		end_with_parent(parent);
		drop_output();
		close(orders[1]);
		close(answers[0]);
		own_files[0] = orders[0];
		own_files[1] = answers[1];
		victim_obey(orders[0], answers[1]);
		_exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	victim->orders = orders[1];
	victim->answers = answers[0];
	victim->pidfd = syscall(SYS_pidfd_open, victim->pid, 0);
	if (victim->pidfd < 0)
		return -errno;
	err = node ? victim_open(victim, node) : 0;
	if (err)
		victim_finish(victim);
	return err;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static long do_close_files(const struct victim_args *args)
{
	int keep[] = { 2, own_files[0], own_files[1], args->arg[0] };
	size_t i, nr = sizeof(keep) / sizeof(keep[0]);

	qsort(keep, nr, sizeof(keep[0]), by_number);
	for (i = 0; i < nr; i++) {
		int last = i + 1 < nr ? keep[i + 1] - 1 : INT_MAX;

		if (keep[i] >= 2 && last > keep[i])
			close_range(keep[i] + 1, last, 0);
	}
	return 0;
}

int victim_close_files(struct victim *victim, int keep)
{
	struct victim_args args = { .arg = { keep } };
	long result;

	return victim_call(victim, do_close_files, &args, &result);
}

uintptr_t victim_start_of(unsigned int mapping)
{
	return VICTIM_BASE + mapping * VICTIM_STRIDE;
}

uintptr_t victim_end_of(unsigned int mapping)
{
	return victim_start_of(mapping) + VICTIM_MAPPING_PAGES * getpagesize();
}

/* The first word of each page is its own address, so that no two are the same. */
static long do_populate(const struct victim_args *args)
{
	uintptr_t addr, end;
	unsigned int i;

	for (i = 0; i < args->arg[0]; i++) {
		addr = victim_start_of(i);
		end = victim_end_of(i);
		if (mmap((void *)addr, end - addr, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0) != (void *)addr)
			return -errno;
		for (; addr < end; addr += getpagesize())
			*(volatile uintptr_t *)addr = addr;
	}
	return 0;
}

static int call_for_errno(struct victim *victim,
			  long (*fn)(const struct victim_args *), uint64_t arg)
{
	struct victim_args args = { .arg = { arg } };
	long result;
	int err;

	err = victim_call(victim, fn, &args, &result);
	return err ? err : (int)result;
}

int victim_populate(struct victim *victim, unsigned int mappings)
{
	return call_for_errno(victim, do_populate, mappings);
}

static long do_munmap(const struct victim_args *args)
{
	uintptr_t addr = victim_start_of(args->arg[0]);

	return munmap((void *)addr, victim_end_of(args->arg[0]) - addr) ?
		-errno : 0;
}

static long do_nothing(const struct victim_args *unused)
{
	(void)unused;
	return 0;
}

int victim_settle(struct victim *victim)
{
	return call_for_errno(victim, do_nothing, 0);
}

int victim_munmap(struct victim *victim, unsigned int mapping)
{
	return call_for_errno(victim, do_munmap, mapping);
}

static long do_dontneed(const struct victim_args *args)
{
	uintptr_t addr = victim_start_of(args->arg[0]);

	return madvise((void *)addr, victim_end_of(args->arg[0]) - addr,
		       MADV_DONTNEED) ? -errno : 0;
}

int victim_dontneed(struct victim *victim, unsigned int mapping)
{
	return call_for_errno(victim, do_dontneed, mapping);
}

static bool is_exit_event(int status)
{
	return WIFSTOPPED(status) &&
	       status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

int victim_hold(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, 0,
		      PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) ? -errno : 0;
}

int victim_held(pid_t pid, int bound_ms)
{
	siginfo_t info = {};
	int waited, status;

	/* Polls: no descriptor gets readable when a task stops. */
	for (waited = 0; waited < bound_ms; waited++) {
		if (waitid(P_PID, pid, &info,
			   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL))
			return -errno;
		if (info.si_pid)
			break;
		usleep(1000);
	}
	if (!info.si_pid)
		return -ETIMEDOUT;
	if (waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return is_exit_event(status) ? 0 : -ECHILD;
}

int victim_freeze(struct victim *victim)
{
	int err = victim_hold(victim->pid);

	if (err)
		return err;
	err = kill_task(victim->pid, SIGKILL);
	if (err)
		return err;
	return victim_held(victim->pid, VICTIM_BOUND_MS);
}

int victim_mrelease(int pidfd, unsigned int flags)
{
	return syscall(SYS_process_mrelease, pidfd, flags) ? -errno : 0;
}

int victim_reap(struct victim *victim)
{
	return victim_mrelease(victim->pidfd, 0);
}

static int open_proc(const struct victim *victim, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", victim->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int victim_resident(const struct victim *victim, unsigned int mapping)
{
	uint64_t entries[VICTIM_MAPPING_PAGES] = {};
	int fd = open_proc(victim, "pagemap");
	int i, resident = 0;
	ssize_t len;

	if (fd < 0)
		return fd;
	len = pread(fd, entries, sizeof(entries),
		    victim_start_of(mapping) / getpagesize() * sizeof(*entries));
	close(fd);
	if (len != sizeof(entries))
		return -EIO;
	for (i = 0; i < VICTIM_MAPPING_PAGES; i++)
		/* The bit "page present" of Documentation/admin-guide/mm/pagemap.rst */
		resident += entries[i] >> 63;
	return resident;
}

int victim_intact(const struct victim *victim, unsigned int mapping)
{
	int fd = open_proc(victim, "mem");
	uintptr_t addr, word;
	int intact = 0;

	if (fd < 0)
		return fd;
	for (addr = victim_start_of(mapping); addr < victim_end_of(mapping);
	     addr += getpagesize())
		/* -EIO: the page was reaped. */
		intact += pread(fd, &word, sizeof(word), addr) == sizeof(word) &&
			  word == addr;
	close(fd);
	return intact;
}

long victim_rss(const struct victim *victim)
{
	int fd = open_proc(victim, "smaps_rollup");
	char text[1024], *at;
	ssize_t len;

	if (fd < 0)
		return fd;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -EIO;
	text[len] = '\0';
	at = strstr(text, "\nRss:");
	return at ? atol(at + strlen("\nRss:")) * 1024 / getpagesize() : -EIO;
}

void victim_let_go(struct victim *victim)
{
	kill_task(victim->pid, SIGKILL);
	ptrace(PTRACE_CONT, victim->pid, 0, 0);
}

int victim_finish(struct victim *victim)
{
	int err;

	if (victim->pid <= 0)
		return 0;
	victim_let_go(victim);
	err = bounded_wait(victim->pid, victim->pidfd);
	if (!err)
		waitpid(victim->pid, NULL, 0);
	close(victim->pidfd);
	close(victim->orders);
	close(victim->answers);
	victim->pid = 0;
	return err;
}

int victim_close(struct victim *victim)
{
	if (victim->device < 0)
		return 0;
	close(victim->device);
	victim->device = -1;
	return keeper_close(&victim->keeper);
}
