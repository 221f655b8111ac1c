/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cgroups, version 2 (Documentation/admin-guide/cgroup-v2.rst): one for each set of
 * victims, with a limit that leads to an OOM kill. Version 1 has another freezer, in a
 * hierarchy beside (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
 */
#ifndef HMM_NOTIFIER_OOM_CGROUP_H
#define HMM_NOTIFIER_OOM_CGROUP_H

#include <sys/types.h>

struct cgroup {
	char path[128];		/* "" if there is none */
	char freezer[128];	/* version 1's, likewise */
};

/* Why no cgroup can have @controller, for a SKIP; NULL if one can. */
const char *cgroup_why_not(const char *controller);

/* Why there is no freezer of that version, 1 or 2, for a SKIP; NULL if there is one. */
const char *cgroup_why_not_freezer(unsigned int version);

/* Makes a cgroup of that name below the root. Returns 0 or -errno. */
int cgroup_create(struct cgroup *cgroup, const char *name);

/* Moves the process with its threads and future children into it. 0 or -errno */
int cgroup_enter(const struct cgroup *cgroup, pid_t pid);

/* Writes to a file of the cgroup. Returns 0 or -errno. */
int cgroup_write(const struct cgroup *cgroup, const char *file,
		 const char *value);

/* The number in a file of the cgroup, or -errno */
long long cgroup_number(const struct cgroup *cgroup, const char *file);

/*
 * Freezes the process @pid, all that is in the cgroup, by the freezer of that version, and
 * waits until it is frozen. Returns 0 or -errno.
 */
int cgroup_freeze(struct cgroup *cgroup, unsigned int version, pid_t pid);
int cgroup_thaw(const struct cgroup *cgroup);

/*
 * Removes the cgroup once its processes have ended. Returns 0, or -EBUSY if one of
 * them is still there after 2 s.
 */
int cgroup_remove(struct cgroup *cgroup);

#endif
