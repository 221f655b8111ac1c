// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/consent.h"
#include "oom/memory_hog.h"
#include "oom/oom_log.h"
#include "oom/oom_victim.h"

/*
 * The longest time between the ends of two reapings: 2 s until the first, then 10 tries
 * 100 ms apart; on a busy host ten times as long.
 */
#define END_BOUND_S	60

struct oom_run {
	struct oom_victim victims[OOM_MAX_VICTIMS];
	bool pending[OOM_MAX_VICTIMS];	/* no end yet */
	unsigned int nr;
	struct warn_watch *watch;
	struct oom_rest *rest;
	struct oom_log line;		/* the last one that ended a reaping */
	void (*progress)(const char *what);
};

static bool is_node_place(enum oom_place place)
{
	return place == OOM_NUMA_BIND || place == OOM_MBIND ||
	       place == OOM_CPUSET;
}

const char *oom_why_not(enum oom_place place)
{
	const char *why = consent_why_not_oom();

	/* All other places take memory from other processes, or may kill them. */
	if (!why && place != OOM_MEMCG)
		why = consent_why_not_global_oom();
	if (why)
		return why;
	if (place == OOM_SYSRQ && access("/proc/sysrq-trigger", W_OK))
		return "no /proc/sysrq-trigger (CONFIG_MAGIC_SYSRQ)";
	if (is_node_place(place) && memory_hog_node() < 0)
		return "there is one memory node only (CONFIG_NUMA, two nodes)";
	why = cgroup_why_not("memory");
	if (!why && place == OOM_CPUSET)
		why = cgroup_why_not("cpuset");
	return why;
}

static int find(const struct oom_run *run, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < run->nr; i++)
		if (oom_victim_is(&run->victims[i], pid))
			return i;
	return -1;
}

/* Says whether the record ends a reaping. */
static bool note_line(const char *text, void *arg)
{
	struct oom_run *run = arg;
	struct oom_seen *seen;
	int i;

	run->line = oom_log_parse(text);
	if (run->line.what == OOM_LOG_NOTHING)
		return false;
	i = find(run, run->line.pid);
	seen = i < 0 ? NULL : run->victims[i].seen;
	if (run->line.what == OOM_LOG_CONSTRAINT) {
		if (seen)
			memcpy(seen->constraint, run->line.constraint,
			       sizeof(seen->constraint));
		return false;
	}
	if (run->line.what == OOM_LOG_KILLED) {
		if (seen)
			seen->killed = true;
		else if (!run->rest->strangers++)
			snprintf(run->rest->why, sizeof(run->rest->why),
				 "%.255s", text);
		return false;
	}
	return true;
}

static void note_end(struct oom_run *run, const struct warn_report *report)
{
	int i = find(run, run->line.pid);
	struct oom_seen *seen;

	run->progress("reaped");
	warn_add(&run->rest->all, report);
	/* Somebody else's, or a second one: what came with it is nobody's. */
	if (i < 0 || !run->pending[i]) {
		warn_add(&run->rest->report, report);
		return;
	}
	seen = run->victims[i].seen;
	run->pending[i] = false;
	seen->report = *report;
	seen->end = run->line.what == OOM_LOG_REAPED ? OOM_REAPED : OOM_UNABLE;
}

static bool some_pending(const struct oom_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr; i++)
		if (run->pending[i])
			return true;
	return false;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Victims whose end does not come stay OOM_NO_END. Returns 0 or -errno. */
static int wait_for_ends(struct oom_run *run)
{
	struct pollfd log = { .fd = run->watch->kmsg.fd, .events = POLLIN };
	struct warn_report report = {};
	time_t since = now();
	int ret = 0;

	while (some_pending(run) && now() - since < END_BOUND_S) {
		ret = warn_read(run->watch, &report, note_line, run);
		if (ret < 0)
			break;
		if (ret) {
			note_end(run, &report);
			report = (struct warn_report) {};
			since = now();
		} else {
			run->progress("waited for");
			poll(&log, 1, 100);
		}
	}
	/* Without the line of an end, nobody knows whose splats these are. */
	warn_add(&run->rest->all, &report);
	warn_add(&run->rest->report, &report);
	return ret < 0 ? ret : 0;
}

/* The victim that makes the cgroup of this group; @members: how many will be in it */
static struct oom_victim *first_of_group(struct oom_run *run, unsigned int index,
					 unsigned int *members)
{
	const char *group = run->victims[index].plan->group;
	struct oom_victim *first = NULL;
	unsigned int i;

	*members = 1;
	for (i = 0; group && i < run->nr; i++) {
		const char *other = run->victims[i].plan->group;

		if (i == index || !other || strcmp(other, group))
			continue;
		(*members)++;
		if (i < index && !first)
			first = &run->victims[i];
	}
	return first;
}

/*
 * A victim is a fork of ours, with the files of the victims before it. It has to close
 * them, or no close of theirs is the last one.
 */
static long do_close_others(const struct victim_args *args)
{
	const struct oom_run *run = (const struct oom_run *)args->arg[0];
	unsigned int i;

	for (i = 0; i < args->arg[1]; i++) {
		const struct victim *other = &run->victims[i].victim;

		close(other->orders);
		close(other->answers);
		close(other->device);
		close(other->pidfd);
		close(other->keeper.order);
		close(other->keeper.pidfd);
	}
	return 0;
}

static void close_others(struct oom_run *run, unsigned int index)
{
	struct victim_args args = { .arg = { (uintptr_t)run, index } };
	long result;

	victim_call(&run->victims[index].victim, do_close_others, &args,
		    &result);
}

static void set_up_all(struct oom_run *run)
{
	struct oom_victim *first;
	unsigned int i, members;
	char name[64];

	for (i = 0; i < run->nr; i++) {
		snprintf(name, sizeof(name), "hmm_notifier.%d.%u", getpid(), i);
		first = first_of_group(run, i, &members);
		run->progress("set up");
		if (!oom_victim_set_up(&run->victims[i], name, first, members))
			close_others(run, i);
	}
}

static void wait_killed(struct oom_run *run, unsigned int i)
{
	run->progress("killed");
	run->pending[i] = !run->victims[i].seen->err &&
			    !oom_victim_wait(&run->victims[i]);
}

/*
 * All wait for the same 2 s. A victim of the whole machine comes first: the kernel kills
 * nobody for the machine while an earlier victim is not reaped.
 */
static void kill_all(struct oom_run *run)
{
	struct oom_victim *ov;
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		ov = &run->victims[i];
		if (ov->plan->place == OOM_MEMCG || ov->seen->err)
			continue;
		oom_victim_kill(ov);
		wait_killed(run, i);
	}
	for (i = 0; i < run->nr; i++) {
		ov = &run->victims[i];
		if (ov->plan->place == OOM_MEMCG && !ov->seen->err)
			oom_victim_kill(ov);
	}
	for (i = 0; i < run->nr; i++)
		if (run->victims[i].plan->place == OOM_MEMCG)
			wait_killed(run, i);
}

static void let_all_go(struct oom_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		run->progress("let go");
		oom_victim_let_go(&run->victims[i]);
	}
	for (i = 0; i < run->nr; i++)
		oom_victim_remove_cgroup(&run->victims[i]);
}

static bool never(const char *text, void *arg)
{
	note_line(text, arg);
	return false;
}

/* What came after the last end, and whether the detectors agree on all */
static int note_rest(struct oom_run *run)
{
	struct warn_report report = {};
	int err;

	err = warn_read(run->watch, &report, never, run);
	warn_add(&run->rest->all, &report);
	warn_add(&run->rest->report, &report);
	if (!err)
		err = warn_check(run->watch, &run->rest->all);
	if (err)
		snprintf(run->rest->why, sizeof(run->rest->why), "%s",
			 *run->rest->all.why ? run->rest->all.why : report.why);
	return err;
}

static struct oom_run *make_run(const struct oom_plan *plans, unsigned int nr,
				struct oom_seen *seen, struct oom_rest *rest)
{
	struct oom_run *run;
	unsigned int i;

	run = calloc(1, sizeof(*run));
	if (!run)
		return NULL;
	memset(seen, 0, nr * sizeof(*seen));
	memset(rest, 0, sizeof(*rest));
	run->rest = rest;
	run->nr = nr;
	for (i = 0; i < nr; i++) {
		run->victims[i].plan = &plans[i];
		run->victims[i].seen = &seen[i];
	}
	return run;
}

int oom_run(const struct oom_plan *plans, unsigned int nr,
	    struct warn_watch *watch, struct oom_seen *seen,
	    struct oom_rest *rest,
	    void (*progress)(const char *what))
{
	struct oom_run *run;
	unsigned int i;
	int err;

	if (nr > OOM_MAX_VICTIMS)
		return -E2BIG;
	run = make_run(plans, nr, seen, rest);
	if (!run)
		return -ENOMEM;
	run->watch = watch;
	run->progress = progress;

	set_up_all(run);
	kill_all(run);
	err = wait_for_ends(run);
	for (i = 0; i < nr; i++)
		if (!seen[i].err)
			oom_victim_look(&run->victims[i]);
	let_all_go(run);

	rest->detectors = note_rest(run);
	free(run);
	return err;
}
