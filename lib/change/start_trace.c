// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/start_trace.h"
#include "core/machine_state.h"
#include "core/trace_pipe.h"

#define INSTANCE "callers"
#define TRACED	 "__mmu_notifier_invalidate_range_start"

static int trace(pid_t program)
{
	return machine_trace_function(program, INSTANCE, TRACED);
}

int start_trace_start(void)
{
	return machine_once(trace);
}

struct list {
	struct start_trace_caller *callers;
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

int start_trace_take(struct start_trace_caller *callers, int max)
{
	struct list list = { callers, max, 0 };
	int err = trace_pipe_take(machine_trace(INSTANCE, "trace_pipe"),
				  take_line, &list);

	if (err)
		return err;
	return list.nr > max ? -E2BIG : list.nr;
}
