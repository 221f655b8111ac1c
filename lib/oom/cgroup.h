/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cgroups, version 2 (Documentation/admin-guide/cgroup-v2.rst): one for each set of
 * victims, with a limit that leads to an OOM kill.
 */
#ifndef HMM_NOTIFIER_OOM_CGROUP_H
#define HMM_NOTIFIER_OOM_CGROUP_H

#include <sys/types.h>

struct cgroup {
	char path[128];		/* "" if there is none */
};

/* Why no cgroup can have @controller, for a SKIP; NULL if one can. */
const char *cgroup_why_not(const char *controller);

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
 * Removes the cgroup once its processes have ended. Returns 0, or -EBUSY if one of
 * them is still there after 2 s.
 */
int cgroup_remove(struct cgroup *cgroup);

#endif
