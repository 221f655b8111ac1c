// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "oom/oom_log.h"

static const struct {
	enum oom_log_what what;
	const char *before;
	const char *format;
} lines[] = {
	{ OOM_LOG_REAPED, "oom_reaper: ", "oom_reaper: reaped process %d (" },
	{ OOM_LOG_UNABLE, "oom_reaper: ", "oom_reaper: unable to reap pid:%d (" },
	{ OOM_LOG_KILLED, "Killed process ", "Killed process %d (" },
};

struct oom_log oom_log_parse(const char *text)
{
	struct oom_log line = {};
	const char *at;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		at = strstr(text, lines[i].before);
		if (at && sscanf(at, lines[i].format, &line.pid) == 1) {
			line.what = lines[i].what;
			return line;
		}
	}
	/* "oom-kill:constraint=CONSTRAINT_NONE,nodemask=...,pid=1,uid=0" */
	if (sscanf(text, "oom-kill:constraint=%31[A-Z_],", line.constraint) != 1)
		return line;
	at = strstr(text, ",pid=");
	if (at && sscanf(at, ",pid=%d,", &line.pid) == 1)
		line.what = OOM_LOG_CONSTRAINT;
	return line;
}
