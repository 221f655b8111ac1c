// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/consent.h"
#include "core/sysfile.h"

/* Set to 0 is no consent. */
static bool is_1(const char *variable)
{
	const char *value = getenv(variable);

	return value && !strcmp(value, "1");
}

static bool is_asked_for(const char *variable)
{
	return is_1("HMM_NOTIFIER_VM") || is_1(variable);
}

#define IS_SET(name)	(sysfile_number("/proc/sys/" name) > 0)

const char *consent_why_not_splat(void)
{
	/* This kernel was booted to see it panic. */
	if (is_1("HMM_NOTIFIER_MAY_PANIC"))
		return NULL;
	if (IS_SET("kernel/panic_on_warn"))
		return "kernel.panic_on_warn is set";
	if (IS_SET("kernel/warn_limit"))
		return "kernel.warn_limit is set";
	if (IS_SET("kernel/traceoff_on_warning"))
		return "kernel.traceoff_on_warning is set";
	if (!is_asked_for("HMM_NOTIFIER_SPLATS"))
		return "splats are not asked for (HMM_NOTIFIER_SPLATS=1)";
	return NULL;
}

const char *consent_why_not_hang(void)
{
	if (IS_SET("kernel/hung_task_panic"))
		return "kernel.hung_task_panic is set";
	if (!is_asked_for("HMM_NOTIFIER_HANGS"))
		return "a task in state D is not asked for (HMM_NOTIFIER_HANGS=1)";
	return NULL;
}

const char *consent_why_not_machine(void)
{
	if (!is_asked_for("HMM_NOTIFIER_MACHINE"))
		return "changing the machine is not asked for (HMM_NOTIFIER_MACHINE=1)";
	return NULL;
}

const char *consent_why_not_oom(void)
{
	/* 1 panics only when the whole machine is out of memory, not a cgroup. */
	if (sysfile_number("/proc/sys/vm/panic_on_oom") > 1)
		return "vm.panic_on_oom is 2";
	return NULL;
}

const char *consent_why_not_global_oom(void)
{
	if (IS_SET("vm/panic_on_oom"))
		return "vm.panic_on_oom is set";
	if (!is_asked_for("HMM_NOTIFIER_GLOBAL_OOM"))
		return "global OOM is not asked for (HMM_NOTIFIER_GLOBAL_OOM=1)";
	return NULL;
}
