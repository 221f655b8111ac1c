// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent.h"

static bool is_asked_for(const char *what)
{
	return getenv("HMM_NOTIFIER_VM") || getenv(what);
}

static bool is_set(const char *sysctl)
{
	FILE *file = fopen(sysctl, "re");
	long value = 0;

	if (!file)
		return false;
	if (fscanf(file, "%ld", &value) != 1)
		value = 0;
	fclose(file);
	return value > 0;
}

const char *consent_splat(void)
{
	/* Said by who has booted a kernel to see it panic */
	if (getenv("HMM_NOTIFIER_MAY_PANIC"))
		return NULL;
	if (is_set("/proc/sys/kernel/panic_on_warn"))
		return "kernel.panic_on_warn is set";
	if (is_set("/proc/sys/kernel/warn_limit"))
		return "kernel.warn_limit is set";
	if (!is_asked_for("HMM_NOTIFIER_SPLATS"))
		return "splats are not asked for (HMM_NOTIFIER_SPLATS=1)";
	return NULL;
}

const char *consent_hang(void)
{
	if (!is_asked_for("HMM_NOTIFIER_HANGS"))
		return "a task in state D is not asked for (HMM_NOTIFIER_HANGS=1)";
	return NULL;
}

const char *consent_machine(void)
{
	if (!is_asked_for("HMM_NOTIFIER_MACHINE"))
		return "changing the machine is not asked for (HMM_NOTIFIER_MACHINE=1)";
	return NULL;
}

const char *consent_global_oom(void)
{
	if (!is_asked_for("HMM_NOTIFIER_GLOBAL_OOM"))
		return "global OOM is not asked for (HMM_NOTIFIER_GLOBAL_OOM=1)";
	return NULL;
}
