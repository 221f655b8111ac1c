// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/kernel_checks.h"
#include "core/kmsg.h"

/* Returns 1, 0 if no line has @text, -1 if there is no such file. */
static int find_line(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int found = 0;

	if (!file)
		return -1;
	while (!found && fgets(line, sizeof(line), file))
		found = !!strstr(line, text);
	fclose(file);
	return found;
}

bool kernel_checks_sleep(void)
{
	static int found = -2;

	/* A function that exists with that option only. Read once: the file has 1 MB. */
	if (found == -2)
		found = find_line("/proc/kallsyms", " T __might_sleep\n");
	return found > 0;
}

bool kernel_has_lockdep(void)
{
	/* The second file exists with CONFIG_PROVE_LOCKING only. */
	return !access("/proc/lockdep_stats", F_OK) &&
	       !access("/proc/lockdep_chains", F_OK);
}

bool kernel_checks_locks(void)
{
	/* " debug_locks:                             1" */
	FILE *file = kernel_has_lockdep() ? fopen("/proc/lockdep_stats", "re") :
					   NULL;
	char line[256];
	int on = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " debug_locks: %d", &on) == 1)
			break;
	fclose(file);
	return on;
}

/*
 * A report begins with a line of "=====" and its title. In front of each of the two locks
 * there is a line that says which one that is.
 */
void kernel_lockdep_report(struct lockdep_report *report)
{
	struct kmsg_record record;
	bool after_line = false, found = false;
	char *lock = NULL;
	struct kmsg kmsg;
	int ret;

	*report = (struct lockdep_report) {
		.title = "the log does not say what any more",
	};
	if (kmsg_open_all(&kmsg))
		return;
	while (!*report->held &&
	       ((ret = kmsg_next(&kmsg, &record)) > 0 || ret == -EPIPE)) {
		if (ret < 0)
			continue;
		if (lock)
			snprintf(lock, sizeof(report->held), "%.255s", record.text);
		lock = NULL;
		if (!found && after_line && !strncmp(record.text, "WARNING: ", 9)) {
			snprintf(report->title, sizeof(report->title), "%.127s",
				 record.text);
			found = true;
		}
		if (found && strstr(record.text, "is trying to acquire lock:"))
			lock = report->wanted;
		if (found && strstr(record.text, "task is already holding lock:"))
			lock = report->held;
		after_line = !strncmp(record.text, "=====", 5);
	}
	kmsg_close(&kmsg);
}
