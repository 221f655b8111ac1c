/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Control groups, version 2 (Documentation/admin-guide/cgroup-v2.rst): one for
 * each set of victims, with limits that an OOM kill comes from.
 */
#ifndef HMM_NOTIFIER_OOM_CGROUP_H
#define HMM_NOTIFIER_OOM_CGROUP_H

#include <sys/types.h>

struct cgroup {
	char path[128];		/* "" if there is none */
};

/* Why no group can have @controller, for a SKIP; NULL if one can. */
const char *cgroup_why_not(const char *controller);

/* Makes a group of that name below the root. Returns 0 or -errno. */
int cgroup_create(struct cgroup *cgroup, const char *name);

/* Has the process, all its threads and its future children be in the group. */
int cgroup_enter(const struct cgroup *cgroup, pid_t pid);

int cgroup_write(const struct cgroup *cgroup, const char *file,
		 const char *value);

/* The number in a file of the group, or -errno */
long long cgroup_number(const struct cgroup *cgroup, const char *file);

/*
 * Removes the group, whose processes have ended. Returns 0, or -EBUSY if one of
 * them is still there after 2 s.
 */
int cgroup_remove(struct cgroup *cgroup);

#endif
