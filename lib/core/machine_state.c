// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/bounded.h"
#include "core/consent.h"
#include "core/ledger.h"
#include "core/machine_state.h"

#define NR_ANSWERS	64
#define MAX_CLIENTS	64
#define MAX_ONCE	16
/* An answer may have to wait for the undoing of what dead clients changed. */
#define ANSWER_MS	60000
#define START_MS	20000

struct request {
	unsigned int nr;
	pid_t client, owner;
	int (*what)(const struct request *request);
	int (*once)(pid_t program);
	char path[192];
	char value[96];
	char text[256];
};

_Static_assert(sizeof(struct request) <= 4096, "up to PIPE_BUF, a write is atomic");

/* Memory that all processes of the program share, mapped before main() */
static struct shared {
	pid_t program;
	atomic_int guardian;		/* 0: there is none yet */
	atomic_uint asked;
	struct {
		atomic_uint nr;
		int result;
	} answers[NR_ANSWERS];
} *shared;

static int requests[2] = { -1, -1 };
static ino_t requests_ino;

static struct client {
	pid_t pid;
	int pidfd;
} clients[MAX_CLIENTS];
static unsigned int nr_clients;

static int do_set(const struct request *r)
{
	return ledger_set(r->owner, r->path, r->value);
}

static int do_make_group(const struct request *r)
{
	return ledger_mkdir(r->owner, r->path);
}

static int do_put_back(const struct request *r)
{
	return ledger_put_back(r->owner, r->path);
}

static int do_enable(const struct request *r)
{
	return ledger_enable(r->owner, r->value);
}

static int do_once(const struct request *r)
{
	static struct {
		int (*fn)(pid_t program);
		int result;
	} done[MAX_ONCE];
	unsigned int i;

	for (i = 0; i < MAX_ONCE && done[i].fn; i++)
		if (done[i].fn == r->once)
			return done[i].result;
	if (i == MAX_ONCE)
		return -ENOSPC;
	done[i].result = r->once(r->owner);
	done[i].fn = r->once;
	return done[i].result;
}

static int do_probe(const struct request *r)
{
	char group[32];

	snprintf(group, sizeof(group), MACHINE_PROBES, r->owner);
	return ledger_add_probe(r->owner, r->path, group, r->value, r->text);
}

/*
 * The program ends. What a test that was killed has left of it, or it itself when it was
 * killed, would use what is put back now.
 */
static void kill_clients(pid_t but)
{
	unsigned int i;

	for (i = 0; i < nr_clients; i++)
		if (clients[i].pid != but)
			syscall(SYS_pidfd_send_signal, clients[i].pidfd, SIGKILL,
				NULL, 0);
}

static int do_finish(const struct request *r)
{
	kill_clients(r->client);
	ledger_undo(0);
	return 0;
}

static void answer(const struct request *request, int result)
{
	unsigned int i = request->nr % NR_ANSWERS;

	shared->answers[i].result = result;
	shared->answers[i].nr = request->nr;
	syscall(SYS_futex, &shared->answers[i].nr, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Watches the process that asks, before its request is done. False if it is gone. */
static bool watch_client(pid_t pid)
{
	unsigned int i;
	int pidfd;

	for (i = 0; i < nr_clients; i++)
		if (clients[i].pid == pid)
			return true;
	pidfd = nr_clients < MAX_CLIENTS ? open_task(pid) : -EMFILE;
	if (pidfd < 0)
		return false;
	clients[nr_clients++] = (struct client) { pid, pidfd };
	return true;
}

/* Undoes the changes of dead clients, before the next request. */
static void undo_of_dead(const struct pollfd *waits)
{
	unsigned int i;

	for (i = nr_clients; i-- > 0;) {
		if (!waits[i].revents)
			continue;
		ledger_undo(clients[i].pid);
		close(clients[i].pidfd);
		clients[i] = clients[--nr_clients];
	}
}

/* Never returns. */
static void guard(int in, int ending)
{
	struct pollfd waits[MAX_CLIENTS + 2];
	struct request request;
	unsigned int i, nr;

	for (;;) {
		for (nr = i = 0; i < nr_clients; i++)
			waits[nr++] = (struct pollfd) {
				.fd = clients[i].pidfd, .events = POLLIN };
		waits[nr++] = (struct pollfd) { .fd = ending, .events = POLLIN };
		waits[nr++] = (struct pollfd) { .fd = in, .events = POLLIN };
		if (poll(waits, nr, -1) < 0)
			continue;
		if (waits[nr - 2].revents) {
			kill_clients(0);
			ledger_undo(0);
			_exit(0);
		}
		undo_of_dead(waits);
		if (!waits[nr - 1].revents ||
		    read(in, &request, sizeof(request)) != sizeof(request) ||
		    !watch_client(request.client))
			continue;
		answer(&request, request.what(&request));
		if (request.what == do_finish)
			_exit(0);
	}
}

/* Never returns. It gives up all that it inherits, but the memory. */
static void guardian_main(void)
{
	const struct sched_param none = {};
	sigset_t all;
	int null, ending, none_yet = 0;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sched_setscheduler(0, SCHED_OTHER, &none);
	machine_write("/proc/self/oom_score_adj", "-1000");
	/* Else the last close of a device, or the end of a pipe, would wait for us. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	dup3(requests[0], 3, O_CLOEXEC);
	close_range(4, ~0U, 0);
	ending = open_task(shared->program);
	if (ending < 0 || chdir("/"))
		_exit(ESRCH);
	/* Another process may have started one at the same time. */
	if (!atomic_compare_exchange_strong(&shared->guardian, &none_yet, getpid()))
		_exit(0);
	guard(3, ending);
}

static int start_guardian(void)
{
	unsigned int waited;
	int status = 0;
	pid_t pid;

	if (!shared)
		return -ENOMEM;
	if (shared->guardian)
		return 0;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		guardian_main();
	for (waited = 0; waited < START_MS && !shared->guardian; waited++) {
		if (waitpid(pid, &status, WNOHANG) == pid && !shared->guardian)
			return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
		usleep(1000);
	}
	return shared->guardian ? 0 : -ETIMEDOUT;
}

/* A test may have closed it, and opened another file with its number. */
static bool pipe_is_ours(void)
{
	struct stat stat;

	return !fstat(requests[1], &stat) && S_ISFIFO(stat.st_mode) &&
	       stat.st_ino == requests_ino;
}

/* Whether it has ended, a zombie included */
static bool has_ended(pid_t pid)
{
	struct pollfd end = { .fd = open_task(pid), .events = POLLIN };
	bool ended = end.fd < 0 || poll(&end, 1, 0) == 1;

	if (end.fd >= 0)
		close(end.fd);
	return ended;
}

static int wait_for_answer(unsigned int nr)
{
	const struct timespec while_waiting = { .tv_nsec = 100000000 };
	unsigned int i = nr % NR_ANSWERS, was, waited;

	for (waited = 0; waited < ANSWER_MS; waited += 100) {
		was = shared->answers[i].nr;
		if (was == nr)
			return shared->answers[i].result;
		syscall(SYS_futex, &shared->answers[i].nr, FUTEX_WAIT, was,
			&while_waiting, NULL, 0);
		if (was == shared->answers[i].nr && has_ended(shared->guardian))
			return -EPIPE;
	}
	return -ETIMEDOUT;
}

static int ask(struct request *request)
{
	int err = start_guardian();

	if (err)
		return err;
	if (!pipe_is_ours())
		return -EBADF;
	request->client = getpid();
	request->nr = ++shared->asked;
	if (write(requests[1], request, sizeof(*request)) < 0)
		return -errno;
	return wait_for_answer(request->nr);
}

static int ask_about(int (*what)(const struct request *), pid_t owner,
		     const char *path, const char *value)
{
	struct request request = { .what = what, .owner = owner };

	if (strlen(path) >= sizeof(request.path) ||
	    strlen(value) >= sizeof(request.value))
		return -E2BIG;
	strcpy(request.path, path);
	strcpy(request.value, value);
	return ask(&request);
}

static pid_t program(void)
{
	return shared ? shared->program : 0;
}

int machine_set(const char *path, const char *value)
{
	return consent_why_not_machine() ? -EPERM :
	       ask_about(do_set, program(), path, value);
}

int machine_set_for_now(const char *path, const char *value)
{
	return consent_why_not_machine() ? -EPERM :
	       ask_about(do_set, getpid(), path, value);
}

int machine_enable(const char *controller)
{
	return consent_why_not_machine() ? -EPERM :
	       ask_about(do_enable, program(), "", controller);
}

int machine_make_group(const char *path)
{
	return ask_about(do_make_group, getpid(), path, "");
}

int machine_put_back(const char *path)
{
	return ask_about(do_put_back, getpid(), path, "");
}

int machine_once(int (*fn)(pid_t program))
{
	struct request request = {
		.what = do_once,
		.once = fn,
		.owner = program(),
	};

	return ask(&request);
}

const char *machine_trace(const char *instance, const char *file)
{
	static char path[192];

	snprintf(path, sizeof(path),
		 "/sys/kernel/tracing/instances/hmm_notifier.%d.%s%s%s",
		 program(), instance, *file ? "/" : "", file);
	return path;
}

static int write_trace(const char *instance, const char *file, const char *value)
{
	return ledger_write(machine_trace(instance, file), value, strlen(value));
}

int machine_trace_function(pid_t program, const char *instance, const char *function)
{
	int err = ledger_mkdir(program, machine_trace(instance, ""));
	char line[128];

	/*
	 * Without the newline nobody says that there is no such function, and all that
	 * the kernel has are traced.
	 */
	if (snprintf(line, sizeof(line), "%s\n", function) >= (int)sizeof(line))
		return -E2BIG;
	/* The clock of one CPU says nothing about the order on two. */
	err = err ?: write_trace(instance, "trace_clock", "global");
	err = err ?: write_trace(instance, "set_ftrace_filter", line);
	err = err ?: write_trace(instance, "current_tracer", "function");
	return err ?: write_trace(instance, "tracing_on", "1");
}

int machine_probe(const char *instance, const char *name, const char *what)
{
	struct request request = { .what = do_probe, .owner = program() };

	if (strlen(name) >= sizeof(request.value) || strlen(what) >= sizeof(request.text))
		return -E2BIG;
	strcpy(request.value, name);
	strcpy(request.text, what);
	snprintf(request.path, sizeof(request.path), "%s", machine_trace(instance, ""));
	return ask(&request);
}

const char *machine_root(void)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root",
		 shared ? shared->guardian : 0);
	return path;
}

static bool begins_with(const char *path, const char *with)
{
	return !strncmp(path, with, strlen(with));
}

static bool is_own(const char *path)
{
	const char *root = machine_root();
	int pid, end = 0;

	if (strstr(path, "/../"))
		return false;
	if (sscanf(path, "/proc/%d/oom_score_adj%n", &pid, &end) == 1 && end)
		return !path[end];
	return begins_with(path, "/proc/self/") ||
	       begins_with(path, "/proc/thread-self/") ||
	       begins_with(path, "/sys/fs/cgroup/hmm_notifier.") ||
	       (begins_with(path, root) &&
		begins_with(path + strlen(root), LEDGER_FREEZER "/hmm_notifier.")) ||
	       begins_with(path, "/sys/kernel/tracing/instances/hmm_notifier.") ||
	       !strcmp(path, "/sys/kernel/debug/split_huge_pages");
}

int machine_write(const char *path, const char *text)
{
	if (!is_own(path) && (strcmp(path, "/proc/sysrq-trigger") ||
			      consent_why_not_global_oom()))
		return -EPERM;
	return ledger_write_text(path, text);
}

/* Waits for the guardian: whoever waits for the program finds the machine as it was. */
static void finish(void)
{
	struct request request = { .what = do_finish };
	struct pollfd gone = { .events = POLLIN };

	if (getpid() != shared->program || !shared->guardian)
		return;
	gone.fd = open_task(shared->guardian);
	if (gone.fd < 0)
		return;
	if (!ask(&request))
		poll(&gone, 1, ANSWER_MS);
	close(gone.fd);
}

static void __attribute__((constructor)) prepare(void)
{
	struct stat stat;
	void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || pipe2(requests, O_CLOEXEC) ||
	    fstat(requests[1], &stat))
		return;
	requests_ino = stat.st_ino;
	shared = memory;
	shared->program = getpid();
	atexit(finish);
}
