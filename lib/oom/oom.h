/* SPDX-License-Identifier: GPL-2.0 */
/*
 * OOM kills: the kernel kills victims whose notifiers fail. They are held in do_exit(),
 * with their mm alive, until the oom_reaper is done with them.
 *
 * The kernel waits 2 s before it reaps, and 100 ms between tries, so many victims are
 * killed at once. The oom_reaper, one thread, reaps one after the other and logs a line
 * at the end of each. The splats before that line belong to that victim.
 */
#ifndef HMM_NOTIFIER_OOM_OOM_H
#define HMM_NOTIFIER_OOM_OOM_H

#include <stdbool.h>

#include "core/rule.h"
#include "core/victim.h"
#include "core/warn.h"

#define OOM_MAX_VICTIMS	48
#define OOM_MAPPINGS	4	/* of victim_populate() */

/* MAX_OOM_REAP_RETRIES of mm/oom_kill.c */
#define OOM_MAX_TRIES	10

/* Which memory runs out */
enum oom_place {
	OOM_MEMCG,		/* memory.max of the victim's cgroup */
	OOM_NUMA_BIND,		/* a node, by the task's policy: numa_bind() */
	OOM_MBIND,		/* a node, by the mapping's policy */
	OOM_CPUSET,		/* a node, by cpuset.mems */
	OOM_GLOBAL,
	OOM_SYSRQ,		/* none: sysrq-f */
};

/* Who else uses the victim's mm */
enum oom_company {
	OOM_ALONE,
	OOM_THREADS,		/* two more threads */
	OOM_SHARERS,		/* two more processes, by clone(CLONE_VM) */
};

struct oom_plan {
	enum oom_place place;
	enum oom_company company;
	const char *group;	/* killed with all others of that name: memory.oom.group */

	/* The victim has one notifier, which fails when it must not block. */
	enum rule_kind kind;
	bool mirror;		/* it is that of test_hmm's mirror, which is in use */
	bool beside_interval;	/* there is an interval notifier too, which succeeds */
	int ret;
	unsigned int act;	/* HMM_DMIRROR_ACT_... */
	unsigned int times;	/* how often it fails, 0: always */
	/*
	 * Fails in all memory: then a try has a call for each VMA, more than six.
	 * Otherwise in mapping 0 only: then a try has one call.
	 */
	bool everywhere;
};

enum oom_end {
	OOM_NO_END,
	OOM_REAPED,		/* "oom_reaper: reaped process" */
	OOM_UNABLE,		/* "oom_reaper: unable to reap" */
};

/* What became of one victim. Sizes are in pages. */
struct oom_seen {
	int err;		/* if not 0, it was not killed; nothing below is known */
	char step[32];		/* what failed then */

	bool killed;		/* "Killed process" */
	char constraint[32];	/* CONSTRAINT_..., "" if the log does not say */
	enum oom_end end;
	struct warn_report report;	/* what came with its reaping */

	unsigned int tries[OOM_MAPPINGS];	/* non-blockable starts */
	unsigned int failed[OOM_MAPPINGS];	/* how many of these failed */
	unsigned int hits;	/* of the fail point, in all memory */
	unsigned int starts;	/* non-blockable starts, in all memory */
	unsigned int ends;
	int resident[OOM_MAPPINGS];
	int intact[OOM_MAPPINGS];
	long rss_before, rss_after;
	long long charged_at_kill, charged_after;	/* of the cgroup */

	/* How many pages the device can read through test_hmm's mirror, or -errno */
	int mirrored_before[OOM_MAPPINGS], mirrored[OOM_MAPPINGS];

	int finish, close;	/* of victim_finish(), victim_close(): 0 or -ETIMEDOUT */
};

/* What belongs to none of the victims */
struct oom_rest {
	struct warn_report report;
	struct warn_report all;	/* that, and all that belongs to the victims */
	int detectors;		/* what warn_check() of @all returned */
	unsigned int strangers;	/* "Killed process" lines of other processes */
	char why[256];
};

/* Why there can be no such OOM kill here, for a SKIP; NULL if there can. */
const char *oom_why_not(enum oom_place place);

/*
 * Kills a victim for each of @nr plans, all at once. Returns when all of them have been
 * reaped, examined, and let go: 0, or the first -errno. At most one plan may have a
 * place other than OOM_MEMCG: until that victim is reaped, the kernel kills nobody else.
 * Reads @watch all the time. Calls @progress for each step that a victim has done, so
 * that the caller can show that it is not stuck.
 */
int oom_run(const struct oom_plan *plans, unsigned int nr,
	    struct warn_watch *watch, struct oom_seen *seen,
	    struct oom_rest *rest,
	    void (*progress)(const char *what));

#endif
