// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bounded.h"
#include "stress/stress.h"
#include "stress/stress_driver.h"

/*
 * The reader of the log may sleep: threads that cause WARNs wait for it.
 */
#define READ_EVERY_MS	5
#define WARNS_PER_S	60
/* Longer runs cause fewer WARNs: at the full rate, an hour's log has 700 MB. */
#define LONG_RUN_MS	60000
#define LONG_WARNS_PER_S 20

/*
 * A step hangs when it takes this long, and also so many times as long as the slowest
 * one before it, as guests may be very slow (KASAN on a busy host); MAX_STUCK_MS at most.
 */
#define STUCK_MS	30000
#define STUCK_TIMES	10
#define MAX_STUCK_MS	300000
/* After a hang: how long to wait for the rest to end */
#define HANGING_END_MS	2000
#define PROGRESS_MS	10000

struct supervisor {
	struct stress *stress;
	struct stress_result *result;
	struct warn_watch *watch;
	struct warn_report recent;	/* since the last checkpoint */
	pid_t subreaper;
	int questions, orders;
	uint64_t started, disagreed, told;
};

void stress_steps(const struct stress_options *options, struct stress_step *steps,
		  unsigned int nr)
{
	struct stress_step_stream streams[STRESS_THREADS];
	unsigned int i;

	for (i = 0; i < STRESS_THREADS; i++)
		stress_step_begin(&streams[i], &stress_world, options->seed, i);
	for (i = 0; i < nr; i++)
		stress_step_next(&streams[i % STRESS_THREADS], &steps[i]);
}

static uint64_t noise_of(const struct warn_report *report)
{
	unsigned int site;
	uint64_t warns = 0;

	for (site = 0; site < RULE_NR_SITES; site++)
		warns += report->warns[site];
	return stress_noise(warns, report->messages);
}

/* Reads the log, and allows the threads as many more WARNs as it has read. */
static int listen_to_log(struct supervisor *supervisor)
{
	struct stress *stress = supervisor->stress;
	unsigned int pace = stress->options.milliseconds > LONG_RUN_MS ?
		LONG_WARNS_PER_S : WARNS_PER_S;
	uint64_t heard, paced;
	int ret;

	ret = warn_read(supervisor->watch, &supervisor->recent, NULL, NULL);
	if (ret < 0)
		return stress_fail(stress, STRESS_FAULT_LOG, "%s: %s",
				   strerror(-ret), supervisor->recent.why);
	if (supervisor->recent.others)
		return stress_fail(stress, STRESS_FAULT_SPLAT, "%s",
				   supervisor->recent.first_other);

	heard = noise_of(&supervisor->result->said) + noise_of(&supervisor->recent);
	paced = stress_noise(pace, 0) * (stress_now() - supervisor->started) / 1000;
	stress->noise_heard = heard;
	/* A run that is to repeat exactly must not depend on time. */
	stress->noise_credit = heard < paced || !stress->threads ? heard : paced;
	return 0;
}

/* 0, or -1 with the reason in @why and the fault in @fault */
static int compare(struct supervisor *supervisor, char *why, size_t size,
		   enum stress_fault *fault)
{
	int err;

	*fault = STRESS_FAULT_WARNS;
	if (!expected_warns_agrees(&supervisor->stress->epoch, &supervisor->recent, why, size))
		return -1;
	err = warn_check(supervisor->watch, &supervisor->recent);
	if (!err)
		return 0;
	*fault = err == -EBADMSG ? STRESS_FAULT_DETECTORS : STRESS_FAULT_LOG;
	snprintf(why, size, "%s", supervisor->recent.why);
	return -1;
}

static void answer(struct supervisor *supervisor, char order)
{
	if (write(supervisor->orders, &order, 1) != 1)
		stress_fail(supervisor->stress, STRESS_FAULT_SETUP,
			    "the driver is gone");
}

static bool time_is_up(const struct supervisor *supervisor)
{
	const struct stress_options *options = &supervisor->stress->options;
	uint64_t spent = stress_now() - supervisor->started;

	if (expected_warns_warns(&supervisor->result->expected) < options->least_warns)
		return spent >= options->milliseconds + STRESS_EXTRA_MS;
	return spent >= options->milliseconds;
}

/* The driver has counted, and waits for what to do next. */
static void judge(struct supervisor *supervisor)
{
	struct stress_result *result = supervisor->result;
	enum stress_fault fault;
	char why[256];

	if (listen_to_log(supervisor))
		return;
	if (compare(supervisor, why, sizeof(why), &fault)) {
		uint64_t now = stress_now();

		if (!supervisor->disagreed)
			supervisor->disagreed = now;
		if (now - supervisor->disagreed >=
		    supervisor->stress->options.patience_ms) {
			stress_fail(supervisor->stress, fault, "%s", why);
			return;
		}
		usleep(READ_EVERY_MS * 1000);
		answer(supervisor, STRESS_COUNT_AGAIN);
		return;
	}
	supervisor->disagreed = 0;
	result->checkpoints++;
	expected_warns_merge(&result->expected, &supervisor->stress->epoch);
	warn_add(&result->said, &supervisor->recent);
	memset(&supervisor->recent, 0, sizeof(supervisor->recent));
	answer(supervisor, time_is_up(supervisor) ? STRESS_FINISH : STRESS_GO_ON);
}

static void look_for_hang(struct supervisor *supervisor)
{
	struct stress *stress = supervisor->stress;
	uint64_t now = stress_now(), slowest = 0, bound = STUCK_MS;
	unsigned int i;
	char text[160];

	for (i = 0; i < STRESS_THREADS; i++)
		if (stress->busy[i].slowest > slowest)
			slowest = stress->busy[i].slowest;
	if (bound < slowest * STUCK_TIMES)
		bound = slowest * STUCK_TIMES;
	if (bound > MAX_STUCK_MS)
		bound = MAX_STUCK_MS;

	for (i = 0; i < STRESS_THREADS; i++) {
		uint64_t since = stress->busy[i].since;

		if (!since || now < since + bound)
			continue;
		stress_step_describe(&stress->busy[i].step, text, sizeof(text));
		/* The step has ended meanwhile; this is another one. */
		if (stress->busy[i].since != since)
			continue;
		stress_fail(stress, STRESS_FAULT_HANG,
			    "%" PRIu64 " s in: %s (the slowest that ended: %" PRIu64
			    " ms)", bound / 1000, text, slowest);
	}
}

static void tell(struct supervisor *supervisor)
{
	const struct stress_result *result = supervisor->result;
	uint64_t now = stress_now();
	char text[160];

	if (!supervisor->stress->options.progress || now - supervisor->told < PROGRESS_MS)
		return;
	supervisor->told = now;
	snprintf(text, sizeof(text),
		 "%" PRIu64 " s: %" PRIu64 " checkpoints, %" PRIu64
		 " failures, %" PRIu64 " WARNs",
		 (now - supervisor->started) / 1000, result->checkpoints,
		 expected_warns_failures(&result->expected),
		 expected_warns_warns(&result->expected));
	supervisor->stress->options.progress(text);
}

/* Returns when the driver has ended, or there is a fault. */
static void watch_driver(struct supervisor *supervisor)
{
	struct pollfd asked = { .fd = supervisor->questions, .events = POLLIN };
	char byte;

	while (!supervisor->stress->fault) {
		poll(&asked, 1, READ_EVERY_MS);
		if (asked.revents) {
			if (read(supervisor->questions, &byte, 1) != 1)
				return;
			judge(supervisor);
		} else {
			listen_to_log(supervisor);
		}
		look_for_hang(supervisor);
		tell(supervisor);
	}
}

/* A driver with a task that hangs can't end, even if killed. */
static void end_driver(struct supervisor *supervisor)
{
	struct stress *stress = supervisor->stress;
	unsigned int waited, bound = stress_fault(stress) == STRESS_FAULT_HANG ?
		HANGING_END_MS : STUCK_MS;
	pid_t pid = stress->driver;
	int status = 0;

	if (stress->fault && pid > 0)
		kill_task(pid, SIGKILL);
	for (waited = 0; waited < bound; waited += READ_EVERY_MS) {
		pid = waitpid(supervisor->subreaper, &status, WNOHANG);
		if (pid)
			break;
		usleep(READ_EVERY_MS * 1000);
	}
	if (!pid)
		stress_fail(stress, STRESS_FAULT_HANG,
			    "the driver does not end");
	else if (status)
		stress_fail(stress, STRESS_FAULT_SETUP,
			    "the driver ended with status %#x", status);
}

static void fill_result(struct supervisor *supervisor)
{
	struct stress_result *result = supervisor->result;
	struct stress *stress = supervisor->stress;
	unsigned int i;

	result->fault = stress_fault(stress);
	snprintf(result->why, sizeof(result->why), "%s", stress_why(stress));
	result->failed_step = stress->position;
	for (i = 0; i < STRESS_STEP_NR_KINDS; i++)
		result->ran[i] = stress->ran[i];
	result->avoided = stress->avoided;
	result->held_back = stress->held_back;
	result->milliseconds = stress_now() - supervisor->started;
}

/*
 * The parent of the driver and of its orphans: when this process has ended, nothing of
 * the run is left that could WARN in the next one.
 */
static void subreaper_main(struct stress *stress, int questions, int orders)
{
	int status, failed = 1;
	pid_t driver, pid, subreaper = getpid();

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	driver = fork();
	if (!driver) {
		end_with_parent(subreaper);
		stress_driver_main(stress, questions, orders);
	}
	if (driver < 0)
		stress_fail(stress, STRESS_FAULT_SETUP, "fork: %s",
			    strerror(errno));
	else
		stress->driver = driver;
	close(questions);
	close(orders);
	while ((pid = wait(&status)) > 0) {
		if (pid != driver)
			continue;
		/* Another process may get its pid from now on. */
		stress->driver = 0;
		failed = status;
	}
	_exit(!!failed);
}

void stress_sum(struct stress_result *sum, const struct stress_result *result)
{
	unsigned int i;

	expected_warns_merge(&sum->expected, &result->expected);
	warn_add(&sum->said, &result->said);
	for (i = 0; i < STRESS_STEP_NR_KINDS; i++)
		sum->ran[i] += result->ran[i];
	sum->avoided += result->avoided;
	sum->held_back += result->held_back;
	sum->checkpoints += result->checkpoints;
	sum->milliseconds += result->milliseconds;
}

static int run(struct supervisor *supervisor)
{
	int questions[2], orders[2];
	pid_t parent = getpid();

	if (pipe2(questions, O_CLOEXEC) || pipe2(orders, O_CLOEXEC))
		return -errno;
	/* To write to a dead driver is to be -EPIPE, not to end the test. */
	signal(SIGPIPE, SIG_IGN);
	supervisor->questions = questions[0];
	supervisor->orders = orders[1];
	supervisor->subreaper = fork();
	if (supervisor->subreaper < 0)
		return -errno;
	if (!supervisor->subreaper) {
		close(questions[0]);
		close(orders[1]);
		kmsg_close(&supervisor->watch->kmsg);
		end_with_parent(parent);
		subreaper_main(supervisor->stress, questions[1], orders[0]);
	}
	close(questions[1]);
	close(orders[0]);
	watch_driver(supervisor);
	end_driver(supervisor);
	close(questions[0]);
	close(orders[1]);
	return 0;
}

int stress_run(const struct stress_options *options,
	       struct stress_result *result)
{
	struct supervisor supervisor = { .result = result, .watch = options->watch };
	struct stress *stress;
	int err;

	stress = mmap(NULL, sizeof(*stress), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stress == MAP_FAILED)
		return -errno;
	stress->options = *options;
	stress->threads = !options->steps;
	memset(result, 0, sizeof(*result));
	result->expected.forgets = options->forgets;
	supervisor.stress = stress;
	supervisor.started = stress_now();
	supervisor.told = supervisor.started;

	err = run(&supervisor);
	fill_result(&supervisor);
	munmap(stress, sizeof(*stress));
	return err;
}
