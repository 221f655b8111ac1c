/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One victim of oom_run(): its notifier, its cgroup, who shares its mm, the kill, and
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
	pid_t company[OOM_MAX_COMPANY];	/* threads or processes with its mm */
	unsigned int nr_company;
	struct cgroup own_cgroup;
	struct cgroup *cgroup;		/* its own, or that of its group */
	pid_t reader;			/* has the device read through its mirror */
	bool held;
};

/*
 * Each returns 0 or -errno, which is also in ->seen->err. oom_victim_set_up() does all
 * but the kill. @members is the number of victims in the same cgroup. @first is the one
 * that has made the cgroup, or NULL: this one makes it.
 */
int oom_victim_set_up(struct oom_victim *ov, const char *name,
		      struct oom_victim *first, unsigned int members);
int oom_victim_kill(struct oom_victim *ov);

/* Waits until the victim and its company are held in do_exit(). */
int oom_victim_wait(struct oom_victim *ov);

/* Whether @pid is the victim, or a thread or process with its mm */
bool oom_victim_is(const struct oom_victim *ov, pid_t pid);

/* Fills ->seen with what the device counted and what memory is left. 0 or -errno */
int oom_victim_look(struct oom_victim *ov);

/* Lets the victim go, and closes its device. To be called after any error, too */
void oom_victim_let_go(struct oom_victim *ov);

/* Removes the cgroup, after all of its members have been let go. 0 or -errno */
int oom_victim_remove_cgroup(struct oom_victim *ov);

#endif
