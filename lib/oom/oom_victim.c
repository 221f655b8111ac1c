// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/dmirror.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "oom/memory_hog.h"
#include "oom/oom_victim.h"

#define NOTIFIER_ID	1
#define MIRROR_ID	0
#define BESIDE_ID	2

/*
 * 10 to 60 pages stay charged when a victim is reaped: page tables, and the 64 that each
 * CPU charges in advance, unless memory.max took these back. So a victim needs much more
 * than that: in pages of 4 KiB 4 MiB, and 1 and 16.
 */
#define MEMCG_LIMIT	(1024 * getpagesize())
#define TAKEN_BEFORE	(256 * getpagesize())
#define TAKEN_SYSRQ	(4096 * getpagesize())

#define GO_MS		10000

/* It takes 2 s to use up the machine's memory, on a busy host up to 14 s. */
#define KILL_MS		120000
#define READ_MS		100	/* between readings of the calls */

static int fail(struct oom_victim *ov, const char *step, int err)
{
	if (err && !ov->seen->err) {
		ov->seen->err = err;
		snprintf(ov->seen->step, sizeof(ov->seen->step), "%s", step);
	}
	return err;
}

static unsigned int notifier_id(const struct oom_plan *plan)
{
	return plan->mirror ? MIRROR_ID : NOTIFIER_ID;
}

static int arm(struct oom_victim *ov)
{
	const struct oom_plan *plan = ov->plan;
	struct hmm_dmirror_fail_point point = {
		.id = notifier_id(plan),
		.ret = plan->ret,
		.contexts = HMM_DMIRROR_NON_BLOCKABLE,
		.start = plan->everywhere ? 0 : victim_start_of(0),
		.end = plan->everywhere ? UINT64_MAX : victim_end_of(0),
		.times = plan->times,
		.act = plan->act,
	};
	bool interval = rule_is_interval(plan->kind);
	int err = 0;

	if (plan->beside_interval)
		err = dmirror_add(ov->victim.device, BESIDE_ID,
				  HMM_DMIRROR_INTERVAL, victim_start_of(0),
				  victim_end_of(OOM_MAPPINGS));
	if (!plan->mirror && !err)
		err = dmirror_add(ov->victim.device, NOTIFIER_ID, plan->kind,
				  interval ? victim_start_of(0) : 0,
				  interval ? victim_end_of(OOM_MAPPINGS) : 0);
	return err ? err : dmirror_arm(ov->victim.device, &point);
}

static int make_cgroup(struct oom_victim *ov, const char *name,
		       unsigned int members)
{
	struct cgroup *cgroup = &ov->own_cgroup;
	char text[16];
	int err;

	err = cgroup_create(cgroup, name);
	if (err)
		return err;
	/* There is no such file without swap. */
	cgroup_write(cgroup, "memory.swap.max", "0");
	if (ov->plan->group)
		err = cgroup_write(cgroup, "memory.oom.group", "1");
	if (!err && ov->plan->place == OOM_MEMCG) {
		snprintf(text, sizeof(text), "%u", members * MEMCG_LIMIT);
		err = cgroup_write(cgroup, "memory.max", text);
	}
	if (!err && ov->plan->place == OOM_CPUSET) {
		snprintf(text, sizeof(text), "%d", memory_hog_node());
		err = cgroup_write(cgroup, "cpuset.mems", text);
	}
	return err;
}

static int enter_cgroup(struct oom_victim *ov, const char *name,
			struct oom_victim *first, unsigned int members)
{
	int err = 0;

	ov->cgroup = first ? &first->own_cgroup : &ov->own_cgroup;
	if (!first)
		err = make_cgroup(ov, name, members);
	return err ? err : cgroup_enter(ov->cgroup, ov->victim.pid);
}

/* Makes sure that the kernel picks this victim. */
static int offer(const struct oom_victim *ov)
{
	char path[64];

	if (ov->plan->place == OOM_MEMCG)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", ov->victim.pid);
	return machine_write(path, "1000");
}

/* How many pages of a mapping the device reads as they were written; or -errno */
static int mirrored(const struct oom_victim *ov, unsigned int mapping)
{
	static char page[VICTIM_MAPPING_PAGES * 65536];
	uintptr_t addr, first = victim_start_of(mapping);
	int pages = 0, err;

	err = dmirror_read(ov->victim.device, first, page,
			   VICTIM_MAPPING_PAGES);
	if (err)
		return err;
	for (addr = first; addr < victim_end_of(mapping); addr += getpagesize())
		pages += *(uintptr_t *)(page + addr - first) == addr;
	return pages;
}

/* Reads through the device, so that its faults race with the reaper. */
static int start_reader(struct oom_victim *ov)
{
	pid_t parent = getpid();
	unsigned int i;

	for (i = 0; i < OOM_MAPPINGS; i++)
		ov->seen->mirrored_before[i] = mirrored(ov, i);
	ov->reader = fork();
	if (ov->reader < 0)
		return -errno;
	if (!ov->reader)
		end_with_parent(parent);
	while (!ov->reader) {
		mirrored(ov, i++ % OOM_MAPPINGS);
		usleep(3000);
	}
	return 0;
}

static int start_company(struct oom_victim *ov)
{
	unsigned int i, nr = ov->plan->company == OOM_ALONE ? 0 : OOM_MAX_COMPANY;
	pid_t pid;
	int err;

	for (i = 0; i < nr; i++) {
		pid = ov->plan->company == OOM_THREADS ?
			memory_hog_start_thread(&ov->victim) :
			memory_hog_start_sharer(&ov->victim);
		if (pid < 0)
			return pid;
		err = victim_hold(pid);
		if (err)
			return err;
		ov->company[ov->nr_company++] = pid;
	}
	return victim_hold(ov->victim.pid);
}

int oom_victim_set_up(struct oom_victim *ov, const char *name,
		      struct oom_victim *first, unsigned int members)
{
	const struct oom_plan *plan = ov->plan;
	struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	int err;

	err = fail(ov, "start", victim_start(&ov->victim, plan->mirror ?
					     DMIRROR_MIRROR : DMIRROR_BARE));
	if (!err)
		err = fail(ov, "cgroup", enter_cgroup(ov, name, first, members));
	if (!err)
		err = fail(ov, "populate",
			   victim_populate(&ov->victim, OOM_MAPPINGS));
	if (!err)
		err = fail(ov, "take",
			   memory_hog_take(&ov->victim, plan->place == OOM_SYSRQ ?
				       TAKEN_SYSRQ : TAKEN_BEFORE));
	if (!err && plan->place == OOM_NUMA_BIND)
		err = fail(ov, "bind", memory_hog_bind(&ov->victim));
	if (!err)
		err = fail(ov, "arm", arm(ov));
	if (!err)
		err = fail(ov, "offer", offer(ov));
	if (!err)
		err = fail(ov, "hold", start_company(ov));
	if (!err && plan->mirror)
		err = fail(ov, "read", start_reader(ov));
	if (err)
		return err;
	ov->seen->rss_before = victim_rss(&ov->victim);
	/* Only calls from here on count. */
	err = dmirror_calls(ov->victim.device, calls, HMM_DMIRROR_NR_CALLS);
	return fail(ov, "calls", err < 0 ? err : 0);
}

int oom_victim_kill(struct oom_victim *ov)
{
	struct victim *victim = &ov->victim;
	int err;

	switch (ov->plan->place) {
	case OOM_MEMCG:
		/* For a group, one of its victims is enough. */
		err = ov->cgroup == &ov->own_cgroup ?
		      memory_hog_take_all(victim, MEMORY_HOG_SMALL) : 0;
		break;
	case OOM_MBIND:
		err = memory_hog_take_all(victim, MEMORY_HOG_HUGE_MBIND);
		break;
	case OOM_SYSRQ:
		err = machine_write("/proc/sysrq-trigger", "f");
		break;
	default:
		err = memory_hog_take_all(victim, MEMORY_HOG_HUGE);
	}
	return fail(ov, "kill", err);
}

bool oom_victim_is(const struct oom_victim *ov, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < ov->nr_company; i++)
		if (ov->company[i] == pid)
			return true;
	return ov->victim.pid == pid;
}

static bool is_failure(const struct oom_plan *plan, int ret)
{
	return rule_is_interval(plan->kind) ? !ret : ret;
}

static int count_calls(struct oom_victim *ov)
{
	struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS], *call;
	struct oom_seen *seen = ov->seen;
	unsigned int i;
	int nr;

	nr = dmirror_calls(ov->victim.device, calls, HMM_DMIRROR_NR_CALLS);
	for (call = calls; call < calls + nr; call++) {
		if (dmirror_context(call) == RULE_BLOCKABLE ||
		    call->id != notifier_id(ov->plan))
			continue;
		seen->ends += call->call == HMM_DMIRROR_CALL_END;
		if (call->call != HMM_DMIRROR_CALL_START)
			continue;
		seen->starts++;
		seen->hits += !!(call->flags & HMM_DMIRROR_CALL_WAS_HIT);
		for (i = 0; i < OOM_MAPPINGS; i++) {
			if (call->start >= victim_end_of(i) ||
			    call->end <= victim_start_of(i))
				continue;
			seen->tries[i]++;
			seen->failed[i] += is_failure(ov->plan, call->ret);
		}
	}
	return nr < 0 ? nr : 0;
}

/*
 * While memory fills up, NUMA balancing and reclaim call the notifier, more often than
 * the device can record. So calls are read all the time.
 */
static int held(struct oom_victim *ov, pid_t pid)
{
	int waited, err = -ETIMEDOUT;

	for (waited = 0; waited < KILL_MS && err == -ETIMEDOUT;
	     waited += READ_MS) {
		err = victim_held(pid, READ_MS);
		if (count_calls(ov))
			return -EOVERFLOW;
	}
	return err;
}

int oom_victim_wait(struct oom_victim *ov)
{
	int err = held(ov, ov->victim.pid);
	unsigned int i;

	for (i = 0; i < ov->nr_company && !err; i++)
		err = held(ov, ov->company[i]);
	ov->held = !err;
	return fail(ov, "wait for the kill", err);
}

static void stop_reader(struct oom_victim *ov)
{
	if (ov->reader <= 0)
		return;
	kill_task(ov->reader, SIGKILL);
	waitpid(ov->reader, NULL, 0);
	ov->reader = 0;
}

int oom_victim_look(struct oom_victim *ov)
{
	struct oom_seen *seen = ov->seen;
	unsigned int i;

	seen->charged_at_kill = cgroup_number(ov->cgroup, "memory.peak");
	seen->charged_after = cgroup_number(ov->cgroup, "memory.current");
	seen->rss_after = victim_rss(&ov->victim);
	stop_reader(ov);
	for (i = 0; i < OOM_MAPPINGS; i++) {
		if (ov->plan->mirror)
			seen->mirrored[i] = mirrored(ov, i);
		seen->resident[i] = victim_resident(&ov->victim, i);
		seen->intact[i] = victim_intact(&ov->victim, i);
	}
	return fail(ov, "look", count_calls(ov));
}

/* Lets a task go that we trace. It may stop once more on its way. */
static int let_go(pid_t pid)
{
	int waited, status;
	pid_t found;

	kill_task(pid, SIGKILL);
	ptrace(PTRACE_CONT, pid, 0, 0);
	for (waited = 0; waited < GO_MS; waited++) {
		found = waitpid(pid, &status, WNOHANG | __WALL);
		if (found < 0 || (found == pid && !WIFSTOPPED(status)))
			return 0;
		if (found == pid)
			ptrace(PTRACE_CONT, pid, 0, 0);
		usleep(1000);
	}
	return -ETIMEDOUT;
}

void oom_victim_let_go(struct oom_victim *ov)
{
	int err = 0, one;
	unsigned int i;

	stop_reader(ov);
	if (!ov->held && ov->victim.pid > 0) {
		kill_task(ov->victim.pid, SIGKILL);
		victim_held(ov->victim.pid, GO_MS);
	}
	for (i = 0; i < ov->nr_company; i++) {
		one = let_go(ov->company[i]);
		err = err ? err : one;
	}
	one = victim_finish(&ov->victim);
	ov->seen->finish = err ? err : one;
	ov->seen->close = victim_close(&ov->victim);
}

int oom_victim_remove_cgroup(struct oom_victim *ov)
{
	return fail(ov, "remove the cgroup", cgroup_remove(&ov->own_cgroup));
}
