// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detector.h"
#include "sysfile.h"

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

/*
 * The pipe has one reader at a time, so it must not stay open: a child
 * that hangs would inherit it.
 */
int detector_trace_read(void)
{
	char text[8192 + 1], *line, *end;
	size_t kept = 0;
	int fd, warns = 0;
	ssize_t len;

	fd = open(INSTANCE "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* A read ends anywhere: what is no line yet is kept for the next one. */
	while (warns >= 0 && (len = read(fd, text + kept,
					 sizeof(text) - 1 - kept)) > 0) {
		text[kept + len] = '\0';
		for (line = text; warns >= 0 && (end = strchr(line, '\n'));
		     line = end + 1) {
			*end = '\0';
			warns += !!strstr(line, "error_report_end: [warning]");
			if (strstr(line, "LOST"))
				warns = -EPIPE;
		}
		kept = strlen(line);
		memmove(text, line, kept + 1);
	}
	close(fd);
	return warns;
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
