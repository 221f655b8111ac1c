// SPDX-License-Identifier: GPL-2.0
/*
 * Runs that fail before there is a device, and how a fault is told. fork(),
 * kill() and what reads the kernel's log are ours: no test may reach a process
 * that is not its own, or change the machine.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress/stress.h"
#include "stress/stress_process.h"
#include "unit.h"
#include "wraps.h"

#define FAILERS	3
#define ROUNDS	20000
#define FORK_MS	50	/* until one fails: longer than stress.c sleeps */

/* In all processes of a run */
static struct shared {
	atomic_int forks;	/* that still work, below 0: one has failed */
	atomic_int bad_kills;
	bool breaks;		/* the log, once a fork has failed */
	struct stress stress;
} *shared;

static bool dies;	/* before it has written a reason */

pid_t __wrap_fork(void)
{
	if (atomic_fetch_sub(&shared->forks, 1) > 0)
		return __real_fork();
	usleep(FORK_MS * 1000);
	errno = EAGAIN;
	return -1;
}

int __wrap_kill(pid_t pid, int sig)
{
	if (pid > 0)
		return __real_kill(pid, sig);
	shared->bad_kills++;
	errno = EPERM;
	return -1;
}

int __wrap_vsnprintf(char *text, size_t size, const char *format, va_list args)
{
	if (dies)
		raise(SIGKILL);
	return __real_vsnprintf(text, size, format, args);
}

int __wrap_dmirror_open(const char *node)
{
	(void)node;
	return -ENXIO;
}

int __wrap_warn_read(struct warn_watch *watch, struct warn_report *report,
		     bool (*until)(const char *text, void *arg), void *arg)
{
	(void)watch;
	(void)report;
	(void)until;
	(void)arg;
	if (!shared->breaks)
		return 0;
	while (shared->forks >= 0)
		usleep(1000);
	usleep(2 * FORK_MS * 1000);
	return -EPIPE;
}

int __wrap_warn_check(struct warn_watch *watch, struct warn_report *report)
{
	(void)watch;
	(void)report;
	return 0;
}

static void share(int forks)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED, "%s", strerror(errno));
	shared->forks = forks;
}

/* One step, which starts a process, with so many forks, and a log or not */
static int run_with(int forks, bool breaks, struct stress_result *result)
{
	static const struct stress_step start = { .kind = STRESS_STEP_START };
	struct warn_watch watch = { .kmsg.fd = -1 };
	struct stress_options options = {
		.watch = &watch,
		.forgets = RULE_NR_SITES,
		.patience_ms = 100,
		.steps = &start,
		.nr_steps = 1,
	};
	int err;

	share(forks);
	shared->breaks = breaks;
	err = stress_run(&options, result);
	CHECK(!shared->bad_kills, "%d", shared->bad_kills);
	return err;
}

static void no_fork(void)
{
	struct stress_result result;
	int err = run_with(0, false, &result);

	CHECK(err == -EAGAIN, "%d", err);
	CHECK(!result.fault && !*result.why, "%d: %s", result.fault, result.why);
}

static void no_fork_of_the_driver(void)
{
	struct stress_result result;
	int err = run_with(1, false, &result);

	CHECK(!err, "%d", err);
	CHECK(result.fault == STRESS_FAULT_SETUP, "%d: %s", result.fault, result.why);
	CHECK(!strncmp(result.why, "fork: ", 6), "%s", result.why);
}

/* There is a fault, but no driver to be killed for it. */
static void nobody_to_kill(void)
{
	struct stress_result result;
	int err = run_with(1, true, &result);

	CHECK(!err, "%d", err);
	CHECK(result.fault, "%s", result.why);
}

static void no_fork_of_a_victim(void)
{
	struct stress_result result;
	int err = run_with(2, false, &result);

	CHECK(!err, "%d", err);
	CHECK(result.fault == STRESS_FAULT_SETUP, "%d: %s", result.fault, result.why);
	CHECK(strstr(result.why, strerror(EAGAIN)), "%s", result.why);
}

/* What a run ends with when every fork works */
static void no_device(void)
{
	struct stress_result result;
	int err = run_with(1000, false, &result);

	CHECK(!err, "%d", err);
	CHECK(result.fault == STRESS_FAULT_SETUP, "%d: %s", result.fault, result.why);
	CHECK(strstr(result.why, strerror(ENXIO)), "%s", result.why);
}

static pthread_barrier_t barrier;

static void *fail_all_rounds(void *arg)
{
	unsigned int fault = (uintptr_t)arg, round;

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		stress_fail(&shared->stress, fault, "%0*u", 300 + fault, fault);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Whoever sees that there is a fault has all of its reason. */
static void reasons_come_first(void)
{
	pthread_t threads[FAILERS];
	unsigned int round;
	uintptr_t i;

	share(0);
	pthread_barrier_init(&barrier, NULL, FAILERS + 1);
	for (i = 0; i < FAILERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, fail_all_rounds,
				      (void *)(i + 1)), "%lu", i);
	for (round = 0; round < ROUNDS; round++) {
		unsigned int fault, spins;
		char why[512];

		memset(&shared->stress, 0, sizeof(shared->stress));
		pthread_barrier_wait(&barrier);
		/* Without a free CPU, it waits. */
		for (spins = 0; !shared->stress.fault; spins++)
			if (spins > 1000)
				sched_yield();
		snprintf(why, sizeof(why), "%s", stress_why(&shared->stress));
		fault = stress_fault(&shared->stress);
		CHECK(strlen(why) == 300 + fault &&
		      (unsigned int)atoi(why) == fault,
		      "round %u: %u of \"%s\"", round, fault, why);
		pthread_barrier_wait(&barrier);
	}
	for (i = 0; i < FAILERS; i++)
		pthread_join(threads[i], NULL);
}

/* One that dies of SIGKILL while it tells of a fault leaves that to others. */
static void the_dead_have_no_fault(void)
{
	int status;
	pid_t pid;

	share(0);
	pid = __real_fork();
	CHECK(pid >= 0, "%s", strerror(errno));
	if (!pid) {
		dies = true;
		stress_fail(&shared->stress, STRESS_FAULT_HANG, "told by the dead");
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "%d", status);
	CHECK(!shared->stress.fault && !*stress_why(&shared->stress), "%s",
	      stress_why(&shared->stress));
	stress_fail(&shared->stress, STRESS_FAULT_LOG, "told by %s", "us");
	CHECK(stress_fault(&shared->stress) == STRESS_FAULT_LOG, "%d",
	      stress_fault(&shared->stress));
	CHECK(!strcmp(stress_why(&shared->stress), "told by us"), "%s",
	      stress_why(&shared->stress));
}

static void the_first_fault_stays(void)
{
	unsigned int i;

	share(0);
	for (i = 1; i < 100; i++)
		stress_fail(&shared->stress, i % STRESS_FAULT_SETUP + 1, "no. %u", i);
	CHECK(stress_fault(&shared->stress) == 2, "%d", stress_fault(&shared->stress));
	CHECK(!strcmp(stress_why(&shared->stress), "no. 1"), "%s",
	      stress_why(&shared->stress));
}

static const struct unit_test tests[] = {
	{ "no_fork", no_fork },
	{ "no_fork_of_the_driver", no_fork_of_the_driver },
	{ "nobody_to_kill", nobody_to_kill },
	{ "no_fork_of_a_victim", no_fork_of_a_victim },
	{ "no_device", no_device },
	{ "reasons_come_first", reasons_come_first },
	{ "the_dead_have_no_fault", the_dead_have_no_fault },
	{ "the_first_fault_stays", the_first_fault_stays },
};

UNIT_MAIN(tests)
