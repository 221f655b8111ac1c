// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callers.h"
#include "sysfile.h"
#include "trace_pipe.h"

#define INSTANCE "/sys/kernel/tracing/instances/hmm_notifier_callers/"
#define TRACED	 "__mmu_notifier_invalidate_range_start"

int callers_start(void)
{
	int err;

	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		return -errno;
	/* The clock of one CPU says nothing about the order on two. */
	err = sysfile_write(INSTANCE "trace_clock", "global");
	err = err ?: sysfile_write(INSTANCE "set_ftrace_filter", TRACED);
	err = err ?: sysfile_write(INSTANCE "current_tracer", "function");
	err = err ?: sysfile_write(INSTANCE "tracing_on", "1");
	if (err)
		callers_stop();
	return err;
}

void callers_stop(void)
{
	sysfile_write(INSTANCE "current_tracer", "nop");
	rmdir(INSTANCE);
}

struct list {
	struct caller *callers;
	int max, nr;
};

/* " comm-12  [000] .....  1.234567: function <-caller.isra.0" */
static void take_line(const char *line, void *arg)
{
	const char *at = strstr(line, TRACED " <-");
	struct list *list = arg;
	size_t len;

	if (!at)
		return;
	at += strlen(TRACED " <-");
	len = strcspn(at, ". ");
	if (len >= sizeof(list->callers->name))
		len = sizeof(list->callers->name) - 1;
	if (list->nr < list->max)
		snprintf(list->callers[list->nr].name,
			 sizeof(list->callers->name), "%.*s", (int)len, at);
	list->nr++;
}

int callers_take(struct caller *callers, int max)
{
	struct list list = { callers, max, 0 };
	int err = trace_pipe_take(INSTANCE "trace_pipe", take_line, &list);

	if (err)
		return err;
	return list.nr > max ? -E2BIG : list.nr;
}
