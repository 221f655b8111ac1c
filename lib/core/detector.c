// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/detector.h"
#include "core/ledger.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "core/trace_pipe.h"

#define INSTANCE	"warns"

/* TAINT_WARN of include/linux/panic.h, Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_WARN_BIT	9

/* In an instance of our own, without the events and the readers of others */
static int enable_trace(pid_t program)
{
	static const char on[] = "1";
	int err = ledger_mkdir(program, machine_trace(INSTANCE, ""));

	err = err ?: ledger_write(machine_trace(INSTANCE, "events/error_report/enable"),
				  on, 1);
	return err ?: ledger_write(machine_trace(INSTANCE, "tracing_on"), on, 1);
}

bool detector_trace_start(void)
{
	return !machine_once(enable_trace);
}

static void count_warn(const char *line, void *warns)
{
	*(int *)warns += !!strstr(line, "error_report_end: [warning]");
}

int detector_trace_read(void)
{
	int warns = 0;
	int err = trace_pipe_take(machine_trace(INSTANCE, "trace_pipe"),
				  count_warn, &warns);

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
	/* 6.12 has file and line behind " at ", 7.2 before it. */
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
