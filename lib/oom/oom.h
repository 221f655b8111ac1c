/* SPDX-License-Identifier: GPL-2.0 */
/*
 * OOM kills: victims whose notifiers fail are killed by the kernel's OOM killer,
 * and held in do_exit() with their mm alive until the oom_reaper is done with
 * them.
 *
 * The kernel waits 2 s before it reaps, and 100 ms between tries. So many
 * victims are killed at once. One thread reaps them, one after the other, and
 * says so in the log, which is how the splats of one victim are told from those
 * of the next: they come before the line that ends its reaping.
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

/* What memory it is that runs out */
enum oom_place {
	OOM_MEMCG,		/* memory.max of the victim's cgroup */
	OOM_NUMA_BIND,		/* a node, by the task's policy: numa_bind() */
	OOM_MBIND,		/* a node, by the mapping's policy */
	OOM_CPUSET,		/* a node, by cpuset.mems */
	OOM_GLOBAL,
	OOM_SYSRQ,		/* none: sysrq-f */
};

/* Who else has the victim's mm */
enum oom_company {
	OOM_ALONE,
	OOM_THREADS,		/* two more threads */
	OOM_SHARERS,		/* two more processes, by clone(CLONE_VM) */
};

struct oom_plan {
	enum oom_place place;
	enum oom_company company;
	const char *group;	/* memory.oom.group, with others of that name */

	/* The victim has one notifier, which fails non-blockably. */
	enum rule_kind kind;
	bool mirror;		/* the mirror's own, which a device reads through */
	bool beside_interval;	/* with an interval notifier that succeeds */
	int ret;
	unsigned int act;	/* HMM_DMIRROR_ACT_... */
	unsigned int times;	/* how often, 0: always */
	/*
	 * For all memory; one try has a call for each VMA then, which are more
	 * than six. Otherwise for mapping 0 only, with one call in each try.
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
	int err;		/* nothing below is known if it could not be killed */
	char step[32];		/* what failed then */

	bool killed;		/* "Killed process" */
	char constraint[32];	/* CONSTRAINT_..., "" if the log does not say */
	enum oom_end end;
	struct warn_report report;	/* what came with its reaping */

	unsigned int tries[OOM_MAPPINGS];	/* non-blockable starts */
	unsigned int failed[OOM_MAPPINGS];	/* of these, without success */
	unsigned int hits;	/* of the fail point, in all memory */
	unsigned int starts;	/* non-blockable ones in all memory */
	unsigned int ends;
	int resident[OOM_MAPPINGS];
	int intact[OOM_MAPPINGS];
	long rss_before, rss_after;
	long long charged_at_kill, charged_after;	/* of the cgroup */

	/* The mirror: pages that the device can read, or -errno */
	int mirrored_before[OOM_MAPPINGS], mirrored[OOM_MAPPINGS];

	int finish, close;	/* after it was let go; 0 or -ETIMEDOUT */
};

/* What belongs to none of the victims */
struct oom_rest {
	struct warn_report report;
	struct warn_report all;	/* that, and what belongs to them */
	int detectors;		/* of warn_check() over all */
	unsigned int strangers;	/* "Killed process" of somebody else */
	char why[256];
};

/* Why there can be no such OOM kill here, for a SKIP; NULL if there can. */
const char *oom_why_not(enum oom_place place);

/*
 * Kills a victim for each of @nr plans, all at once, and returns when all of
 * them have been reaped, looked at, and let go. Returns 0, or the first error.
 * At most one of them can be of a place other than OOM_MEMCG: the kernel kills
 * nobody else as long as that one is not reaped. @watch is read all the time, from
 * where it stands. @progress is told what has been
 * done to one more of them, for who must not be silent for too long.
 */
int oom_run(const struct oom_plan *plans, unsigned int nr,
	    struct warn_watch *watch, struct oom_seen *seen,
	    struct oom_rest *rest,
	    void (*progress)(const char *what));

#endif
