// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "detector.h"
#include "sysfile.h"
#include "trace_pipe.h"

#define TRACING		"/sys/kernel/tracing/"
#define INSTANCE	TRACING "instances/hmm_notifier/"

/* TAINT_WARN of include/linux/panic.h, Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_WARN_BIT	9

/* An instance of our own: nobody else's events, and nobody else's reader. */
bool detector_trace_start(void)
{
	return (!mkdir(INSTANCE, 0700) || errno == EEXIST) &&
	       !sysfile_write(INSTANCE "events/error_report/enable", "1") &&
	       !sysfile_write(INSTANCE "tracing_on", "1");
}

static void count_warn(const char *line, void *warns)
{
	*(int *)warns += !!strstr(line, "error_report_end: [warning]");
}

int detector_trace_read(void)
{
	int warns = 0;
	int err = trace_pipe_take(INSTANCE "trace_pipe", count_warn, &warns);

	return err ?: warns;
}

long detector_warn_count(void)
{
	return sysfile_number("/sys/kernel/warn_count");
}

int detector_taint(void)
{
	long tainted = sysfile_number("/proc/sys/kernel/tainted");

	return tainted < 0 ? -1 : tainted >> TAINT_WARN_BIT & 1;
}

bool detector_title(const char *text, char *title, size_t size)
{
	const char *at;
	int len;

	if (strncmp(text, "WARNING: ", 9))
		return false;
	at = strstr(text, " at ");
	if (!at)
		return false;
	at += strlen(" at ");
	/* 6.12 has file and line between, 7.2 before the " at ". */
	if (!strncmp(text + 9, "CPU: ", 5)) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		at++;
	}
	len = strcspn(at, "+ ,");
	snprintf(title, size, "WARNING in %.*s", len, at);
	return len > 0;
}
