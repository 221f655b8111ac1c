// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callers.h"
#include "sysfile.h"

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

/* " comm-12  [000] .....  1.234567: function <-caller.isra.0" */
static void take_line(const char *line, struct caller *callers, int max, int *nr)
{
	const char *at = strstr(line, TRACED " <-");
	size_t len;

	if (!at)
		return;
	at += strlen(TRACED " <-");
	len = strcspn(at, ". ");
	if (len >= sizeof(callers->name))
		len = sizeof(callers->name) - 1;
	if (*nr < max)
		snprintf(callers[*nr].name, sizeof(callers->name), "%.*s",
			 (int)len, at);
	++*nr;
}

int callers_take(struct caller *callers, int max)
{
	char text[4096 + 1], *line, *next;
	int fd, nr = 0, lost = 0;
	ssize_t len;

	fd = open(INSTANCE "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A read returns whole lines. */
	while ((len = read(fd, text, sizeof(text) - 1)) > 0) {
		text[len] = '\0';
		for (line = text; *line; line = next) {
			next = line + strcspn(line, "\n");
			if (*next)
				*next++ = '\0';
			lost |= !!strstr(line, "LOST");
			take_line(line, callers, max, &nr);
		}
	}
	close(fd);
	if (lost)
		return -EPIPE;
	return nr > max ? -E2BIG : nr;
}
