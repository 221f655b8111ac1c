// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/consent.h"
#include "core/ledger.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "oom/cgroup.h"

#define ROOT		"/sys/fs/cgroup"
#define FREEZE_MS	20000

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

const char *cgroup_why_not_freezer(unsigned int version)
{
	const char *why = version == 1 ? consent_why_not_machine() : NULL;
	int err;

	if (version != 1 || why)
		return why;
	err = machine_once(ledger_mount_freezer);
	if (err == -EBUSY)
		return "somebody else uses the freezer of cgroup v1";
	return err ? "no freezer in cgroup v1 (CONFIG_CGROUP_FREEZER)" : NULL;
}

/* Empty if there is none */
static int make_group(char *path)
{
	int err = machine_make_group(path);

	if (err)
		path[0] = '\0';
	return err;
}

int cgroup_create(struct cgroup *cgroup, const char *name)
{
	cgroup->freezer[0] = '\0';
	snprintf(cgroup->path, sizeof(cgroup->path), ROOT "/%s", name);
	return make_group(cgroup->path);
}

static int write_in(const char *group, const char *file, const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return machine_write(path, value);
}

static int enter(const char *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return write_in(group, "cgroup.procs", text);
}

int cgroup_enter(const struct cgroup *cgroup, pid_t pid)
{
	return enter(cgroup->path, pid);
}

int cgroup_write(const struct cgroup *cgroup, const char *file,
		 const char *value)
{
	return write_in(cgroup->path, file, value);
}

long long cgroup_number(const struct cgroup *cgroup, const char *file)
{
	char path[192], text[32];
	int err;

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, file);
	err = sysfile_read(path, text, sizeof(text));
	return err ? err : strtoll(text, NULL, 10);
}

static bool is_frozen(const struct cgroup *cgroup)
{
	char path[192], state[16];

	if (!cgroup->freezer[0]) {
		snprintf(path, sizeof(path), "%s/cgroup.events", cgroup->path);
		return sysfile_counter(path, "frozen") == 1;
	}
	snprintf(path, sizeof(path), "%s/freezer.state", cgroup->freezer);
	return !sysfile_read(path, state, sizeof(state)) && !strcmp(state, "FROZEN");
}

/* A group of the same name in version 1's own hierarchy */
static int freeze_in_v1(struct cgroup *cgroup, pid_t pid)
{
	int err;

	snprintf(cgroup->freezer, sizeof(cgroup->freezer), "%s" LEDGER_FREEZER "%s",
		 machine_root(), strrchr(cgroup->path, '/'));
	err = make_group(cgroup->freezer) ?: enter(cgroup->freezer, pid);
	return err ?: write_in(cgroup->freezer, "freezer.state", "FROZEN");
}

int cgroup_freeze(struct cgroup *cgroup, unsigned int version, pid_t pid)
{
	int err = version == 1 ? freeze_in_v1(cgroup, pid) :
				 cgroup_write(cgroup, "cgroup.freeze", "1");
	unsigned int waited;

	for (waited = 0; !err && !is_frozen(cgroup); waited++) {
		if (waited == FREEZE_MS)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return err;
}

int cgroup_thaw(const struct cgroup *cgroup)
{
	return cgroup->freezer[0] ? write_in(cgroup->freezer, "freezer.state", "THAWED") :
				    cgroup_write(cgroup, "cgroup.freeze", "0");
}

/* Empties it if there is none any more. */
static int remove_group(char *path)
{
	int err = path[0] ? machine_put_back(path) : 0;

	if (!err)
		path[0] = '\0';
	return err;
}

int cgroup_remove(struct cgroup *cgroup)
{
	return remove_group(cgroup->freezer) ?: remove_group(cgroup->path);
}
