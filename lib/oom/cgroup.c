// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/consent.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "oom/cgroup.h"

#define ROOT		"/sys/fs/cgroup"

const char *cgroup_why_not(const char *controller)
{
	const char *why;

	if (access(ROOT "/cgroup.controllers", R_OK))
		return "no cgroup v2 on " ROOT;
	if (!sysfile_has(ROOT "/cgroup.controllers", controller))
		return !strcmp(controller, "cpuset") ?
		       "no cpuset controller in cgroup v2 (CONFIG_CPUSETS)" :
		       "no memory controller in cgroup v2 (CONFIG_MEMCG)";
	if (sysfile_has(ROOT "/cgroup.subtree_control", controller))
		return NULL;
	why = consent_why_not_machine();
	if (!why && machine_enable(controller))
		why = "can't enable the controller in " ROOT "/cgroup.subtree_control";
	return why;
}

int cgroup_create(struct cgroup *cgroup, const char *name)
{
	int err;

	snprintf(cgroup->path, sizeof(cgroup->path), ROOT "/%s", name);
	err = machine_make_group(cgroup->path);
	if (err)
		cgroup->path[0] = '\0';
	return err;
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
	return machine_write(path, value);
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
	int err = cgroup->path[0] ? machine_put_back(cgroup->path) : 0;

	if (!err)
		cgroup->path[0] = '\0';
	return err;
}
