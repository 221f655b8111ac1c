// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "sysfile.h"

#define ROOT		"/sys/fs/cgroup"
#define REMOVE_MS	2000

const char *cgroup_why_not(const char *controller)
{
	char text[256], *at, *next;

	if (sysfile_read(ROOT "/cgroup.controllers", text, sizeof(text)))
		return "no cgroup v2 on " ROOT;
	for (at = text; (at = strtok_r(at, " ", &next)); at = NULL)
		if (!strcmp(at, controller))
			break;
	if (!at)
		return !strcmp(controller, "cpuset") ?
		       "no cpuset controller in cgroup v2 (CONFIG_CPUSETS)" :
		       "no memory controller in cgroup v2 (CONFIG_MEMCG)";
	snprintf(text, sizeof(text), "+%s", controller);
	if (sysfile_write(ROOT "/cgroup.subtree_control", text))
		return "can't enable the controller in " ROOT "/cgroup.subtree_control";
	return NULL;
}

int cgroup_create(struct cgroup *cgroup, const char *name)
{
	snprintf(cgroup->path, sizeof(cgroup->path), ROOT "/%s", name);
	if (!mkdir(cgroup->path, 0700))
		return 0;
	cgroup->path[0] = '\0';
	return -errno;
}

int cgroup_enter(const struct cgroup *cgroup, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return cgroup_write(cgroup, "cgroup.procs", text);
}

int cgroup_write(const struct cgroup *cgroup, const char *file,
		 const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, file);
	return sysfile_write(path, value);
}

long long cgroup_number(const struct cgroup *cgroup, const char *file)
{
	char path[192], text[32];
	int err;

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, file);
	err = sysfile_read(path, text, sizeof(text));
	return err ? err : strtoll(text, NULL, 10);
}

int cgroup_remove(struct cgroup *cgroup)
{
	int waited;

	if (!cgroup->path[0])
		return 0;
	/* A task leaves its group a little after its parent could wait for it. */
	for (waited = 0; rmdir(cgroup->path); waited++) {
		if (errno != EBUSY || waited == REMOVE_MS)
			return -errno;
		usleep(1000);
	}
	cgroup->path[0] = '\0';
	return 0;
}
