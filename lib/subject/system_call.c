// SPDX-License-Identifier: GPL-2.0
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject/system_call.h"

#define BOUND_MS	10000
#define OPTIONS		(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK)

/*
 * For each architecture: to_call() says whether it is in a system call, and changes @regs
 * so that it is made again; arch_args() makes another one of it.
 */
#if defined(__x86_64__)

#define KNOWN_ARCH		1
#define ERESTARTSYS		512
#define ERESTART_RESTARTBLOCK	516

static bool to_call(pid_t pid, struct user_regs_struct *regs)
{
	long ret = regs->rax;

	if ((long)regs->orig_rax < 0 || ret > -ERESTARTSYS || ret < -ERESTART_RESTARTBLOCK)
		return false;
	regs->rax = ret == -ERESTART_RESTARTBLOCK ? SYS_restart_syscall : regs->orig_rax;
	regs->rip -= 2;
	/* "syscall" */
	return (ptrace(PTRACE_PEEKTEXT, pid, regs->rip, 0) & 0xffff) == 0x050f;
}

static void arch_args(struct user_regs_struct *regs, long nr, const long args[6])
{
	regs->rax = nr;
	regs->orig_rax = -1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

static long arch_result(const struct user_regs_struct *regs)
{
	return regs->rax;
}

#elif defined(__aarch64__)

#define KNOWN_ARCH		1

/* do_signal() of arch/arm64/kernel/signal.c has set the pc back before it stops. */
static bool to_call(pid_t pid, struct user_regs_struct *regs)
{
	/* "svc #0" */
	return (unsigned int)ptrace(PTRACE_PEEKTEXT, pid, regs->pc, 0) == 0xd4000001;
}

static void arch_args(struct user_regs_struct *regs, long nr, const long args[6])
{
	memcpy(regs->regs, args, 6 * sizeof(*args));
	regs->regs[8] = nr;
}

static long arch_result(const struct user_regs_struct *regs)
{
	return regs->regs[0];
}

#else

#define KNOWN_ARCH		0

struct no_regs {
	long none;
};

#define user_regs_struct no_regs

static bool to_call(pid_t pid, struct user_regs_struct *regs)
{
	(void)pid;
	(void)regs;
	return false;
}

static void arch_args(struct user_regs_struct *regs, long nr, const long args[6])
{
	(void)regs;
	(void)nr;
	(void)args;
}

static long arch_result(const struct user_regs_struct *regs)
{
	return regs->none;
}

#endif

static int get_regs(pid_t pid, struct user_regs_struct *regs)
{
	struct iovec io = { regs, sizeof(*regs) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) ? -errno : 0;
}

static int set_regs(pid_t pid, struct user_regs_struct *regs)
{
	struct iovec io = { regs, sizeof(*regs) };

	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io) ? -errno : 0;
}

static int wait_for_stop(pid_t pid, int *status)
{
	int ms;

	for (ms = 0; ms < BOUND_MS; ms++) {
		if (waitpid(pid, status, WNOHANG | __WALL) == pid)
			return WIFSTOPPED(*status) ? 0 : -ESRCH;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

static void let_go(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* Stops the main thread, in a system call. */
static int hold(pid_t pid)
{
	struct user_regs_struct regs;
	int status, tries, err;

	for (tries = 0; tries < 1000; tries++) {
		if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS))
			return -errno;
		err = ptrace(PTRACE_INTERRUPT, pid, 0, 0) ? -errno :
		      wait_for_stop(pid, &status);
		err = err ?: get_regs(pid, &regs);
		if (err || to_call(pid, &regs))
			return err;
		let_go(pid);
		usleep(2000);
	}
	return KNOWN_ARCH ? -ETIMEDOUT : -EOPNOTSUPP;
}

static bool is_syscall_stop(int status)
{
	return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

/* To its entry, or to its exit; there may be a PTRACE_EVENT_FORK on the way. */
static int run_to_syscall_stop(pid_t pid)
{
	int status, err;

	do {
		err = ptrace(PTRACE_SYSCALL, pid, 0, 0) ? -errno :
		      wait_for_stop(pid, &status);
	} while (!err && !is_syscall_stop(status));
	return err;
}

/* Once in a hold() */
static long do_call(pid_t pid, long nr, const long args[6])
{
	struct user_regs_struct before, regs;
	int err = get_regs(pid, &before);

	if (err)
		return err;
	if (!to_call(pid, &before))
		return -EBUSY;
	regs = before;
	arch_args(&regs, nr, args);
	err = set_regs(pid, &regs);
	err = err ?: run_to_syscall_stop(pid);
	err = err ?: run_to_syscall_stop(pid);
	err = err ?: get_regs(pid, &regs);
	err = err ?: set_regs(pid, &before);
	return err ? err : arch_result(&regs);
}

long system_call(pid_t pid, long nr, const long args[6])
{
	int err = hold(pid);
	long ret;

	if (err)
		return err;
	ret = do_call(pid, nr, args);
	let_go(pid);
	return ret;
}

pid_t system_call_fork(pid_t pid)
{
	static const long args[6] = { SIGCHLD };
	int status, err = hold(pid);
	long child;

	if (err)
		return err;
	child = do_call(pid, SYS_clone, args);
	let_go(pid);
	if (child <= 0)
		return child;
	err = wait_for_stop(child, &status);
	return err ? err : child;
}
