// SPDX-License-Identifier: GPL-2.0
/*
 * Victims and their threads without a device, some of them slow. kill() and fork() are
 * ours: no test may reach a process that is not its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/victim_thread.h"
#include "unit.h"
#include "wraps.h"

#define SHORT_MS	50
#define SLOW_MS		200

static bool no_forks;

pid_t __wrap_fork(void)
{
	if (!no_forks)
		return __real_fork();
	errno = EAGAIN;
	return -1;
}

int __wrap_kill(pid_t pid, int sig)
{
	CHECK(pid > 0, "kill(%d, %d)", pid, sig);
	return __real_kill(pid, sig);
}

/* arg: what to return, and after how many ms */
static long slow(const struct victim_args *args)
{
	usleep(args->arg[1] * 1000);
	return args->arg[0];
}

static long end(const struct victim_args *args)
{
	_exit(args->arg[0]);
}

static int call(struct victim *victim, long value, int ms, long *result)
{
	struct victim_args args = { .arg = { value, ms } };

	*result = -1;
	return victim_call(victim, slow, &args, result);
}

static struct victim started(void)
{
	struct victim victim;
	int err = victim_start(&victim, NULL);

	CHECK(!err, "%s", strerror(-err));
	return victim;
}

/* After a call that was given up, the next one only has to wait for its end. */
static void late_answers_are_dropped(void)
{
	struct victim victim = started();
	long result, value;
	int err;

	for (value = 1; value <= 3; value++) {
		victim.bound_ms = SHORT_MS;
		err = call(&victim, value, SLOW_MS, &result);
		CHECK(err == -ETIMEDOUT, "%d", err);
		victim.bound_ms = VICTIM_BOUND_MS;
		err = call(&victim, -value, 0, &result);
		CHECK(!err && result == -value, "%d, %ld", err, result);
	}
	CHECK(!victim_finish(&victim), "finish");
}

/* The late answer is there before the next call, and two are. */
static void late_answers_that_wait(void)
{
	struct victim victim = started();
	long result;
	int err;

	victim.bound_ms = 0;
	err = call(&victim, 1, 0, &result);
	CHECK(err == -ETIMEDOUT || (!err && result == 1), "%d", err);
	err = call(&victim, 2, SHORT_MS, &result);
	CHECK(err == -ETIMEDOUT, "%d", err);
	usleep(SLOW_MS * 1000);
	victim.bound_ms = VICTIM_BOUND_MS;
	err = call(&victim, 3, 0, &result);
	CHECK(!err && result == 3, "%d, %ld", err, result);
	CHECK(!victim_finish(&victim), "finish");
}

static void the_dead_do_not_answer(void)
{
	struct victim victim = started();
	struct victim_args args = {};
	long result;
	int err;

	err = victim_call(&victim, end, &args, &result);
	CHECK(err == -EPIPE, "%d", err);
	err = call(&victim, 1, 0, &result);
	CHECK(err == -EPIPE, "%d", err);
	CHECK(!victim_finish(&victim), "finish");
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void signals_do_no_harm(void)
{
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction action = { .sa_handler = on_alarm };
	struct victim victim = started();
	long result;
	int err;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	err = call(&victim, 1, SLOW_MS, &result);
	CHECK(!err && result == 1, "%d, %ld", err, result);
	victim.bound_ms = SLOW_MS;
	err = call(&victim, 2, VICTIM_BOUND_MS, &result);
	CHECK(err == -ETIMEDOUT, "%d", err);
	CHECK(!victim_finish(&victim), "finish");
}

static void hands_drop_late_answers(void)
{
	struct victim_args fast = { .arg = { 2, 0 } }, late = { .arg = { 1, SLOW_MS } };
	struct victim victim = started();
	struct victim_thread thread;
	int gone[2], err;
	long result = -1;

	CHECK(!pipe2(gone, O_CLOEXEC), "%s", strerror(errno));
	err = victim_thread_start(&thread, &victim);
	CHECK(!err, "%s", strerror(-err));
	thread.bound_ms = SHORT_MS;
	err = victim_thread_call(&thread, gone[0], slow, &late, &result);
	CHECK(err == -ETIMEDOUT, "%d", err);
	thread.bound_ms = VICTIM_BOUND_MS;
	err = victim_thread_call(&thread, gone[0], slow, &fast, &result);
	CHECK(!err && result == 2, "%d, %ld", err, result);

	/* Nor does a late one hide that no more will come. */
	thread.bound_ms = SHORT_MS;
	err = victim_thread_call(&thread, gone[0], slow, &late, &result);
	CHECK(err == -ETIMEDOUT, "%d", err);
	usleep(SLOW_MS * 1000);
	CHECK(write(gone[1], "", 1) == 1, "%s", strerror(errno));
	late.arg[1] = VICTIM_BOUND_MS;
	thread.bound_ms = VICTIM_BOUND_MS;
	err = victim_thread_call(&thread, gone[0], slow, &late, &result);
	CHECK(err == -EPIPE, "%d", err);
	CHECK(!victim_finish(&victim), "finish");
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	CHECK(dir, "%s", strerror(errno));
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static void without_a_fork(void)
{
	int err, files = open_files();
	struct victim victim;
	struct keeper keeper;

	no_forks = true;
	err = victim_start(&victim, NULL);
	CHECK(err == -EAGAIN && !victim.pid, "%d, %d", err, victim.pid);
	CHECK(!victim_finish(&victim), "finish");
	err = keeper_start(&keeper, 0);
	CHECK(err == -EAGAIN && !keeper.pid, "%d, %d", err, keeper.pid);
	CHECK(!keeper_close(&keeper), "close");
	CHECK(open_files() == files, "%d, not %d", open_files(), files);
}

static const struct unit_test tests[] = {
	{ "late_answers_are_dropped", late_answers_are_dropped },
	{ "late_answers_that_wait", late_answers_that_wait },
	{ "the_dead_do_not_answer", the_dead_do_not_answer },
	{ "signals_do_no_harm", signals_do_no_harm },
	{ "hands_drop_late_answers", hands_drop_late_answers },
	{ "without_a_fork", without_a_fork },
};

UNIT_MAIN(tests)
