/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One victim of oom_run(): its notifier, its cgroup, its company, the kill, and
 * what is left of it.
 */
#ifndef HMM_NOTIFIER_OOM_OOM_VICTIM_H
#define HMM_NOTIFIER_OOM_OOM_VICTIM_H

#include "oom/cgroup.h"
#include "oom/oom.h"

#define OOM_MAX_COMPANY	2

struct oom_victim {
	const struct oom_plan *plan;
	struct oom_seen *seen;
	struct victim victim;
	pid_t company[OOM_MAX_COMPANY];	/* who has its mm, too */
	unsigned int nr_company;
	struct cgroup own_cgroup;
	struct cgroup *cgroup;		/* its own, or that of its group */
	pid_t reader;			/* through the mirror */
	bool held;
};

/*
 * Each returns 0 or -errno, which is also in ->seen->err. Set up does all but
 * the kill; @members are all that share the cgroup, @first the one of them that
 * has made it, NULL if that is to be this one.
 */
int oom_victim_set_up(struct oom_victim *ov, const char *name,
		      struct oom_victim *first, unsigned int members);
int oom_victim_kill(struct oom_victim *ov);

/* Until the victim and its company stand still in do_exit() */
int oom_victim_wait(struct oom_victim *ov);

/* Whether that process or thread is the victim or has its mm */
bool oom_victim_is(const struct oom_victim *ov, pid_t pid);

/* Fills in what the device counted and what memory is left. */
int oom_victim_look(struct oom_victim *ov);

/* Lets it go, and closes its device. Whatever has gone before, call this. */
void oom_victim_let_go(struct oom_victim *ov);

/* After all of its members have been let go */
int oom_victim_remove_cgroup(struct oom_victim *ov);

#endif
