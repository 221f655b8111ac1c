// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "debug.h"

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

bool debug_sees_sleep(void)
{
	static int found = -2;

	/* A function that there is only with that option; 1 MB to read */
	if (found == -2)
		found = find_line("/proc/kallsyms", " T __might_sleep\n");
	return found > 0;
}

bool debug_sees_locks(void)
{
	/* " debug_locks:                             1" */
	FILE *file = fopen("/proc/lockdep_stats", "re");
	char line[256];
	int on = 0;

	if (!file)
		return false;
	/* Without this one, locks are counted only. */
	if (access("/proc/lockdep_chains", F_OK)) {
		fclose(file);
		return false;
	}
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " debug_locks: %d", &on) == 1)
			break;
	fclose(file);
	return on;
}
