// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/sysfile.h"

/* Reads up to the end of the line, the file or @text; one read() may end before. */
static ssize_t read_line(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t more;

	do {
		more = read(fd, text + len, size - len);
		if (more < 0 && errno != EINTR)
			return -errno;
		if (more > 0)
			len += more;
	} while (more && len < size && !memchr(text, '\n', len));
	return len;
}

int sysfile_read(const char *path, char *text, size_t size)
{
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read_line(fd, text, size - 1);
	close(fd);
	if (len < 0)
		return len;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

bool sysfile_has(const char *path, const char *word)
{
	char text[2048], *at, *next;	/* of the kernel's command line */

	if (sysfile_read(path, text, sizeof(text)))
		return false;
	for (at = text; (at = strtok_r(at, " ", &next)); at = NULL)
		if (!strcmp(at, word))
			return true;
	return false;
}

long sysfile_number(const char *path)
{
	char text[32];

	if (sysfile_read(path, text, sizeof(text)) || !*text)
		return -1;
	return strtol(text, NULL, 10);
}

long sysfile_counter(const char *path, const char *key)
{
	char line[256], name[64];
	long value, found = -1;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^: ]%*[: ]%ld", name, &value) == 2 &&
		    !strcmp(name, key))
			found = value;
	fclose(file);
	return found;
}

/* "123 (khugepaged) S 2 ...", and 2 is kthreadd */
static bool is_kthread(const char *pid, const char *name, char *state)
{
	char path[32], stat[128], comm[32];
	int parent;

	if (snprintf(path, sizeof(path), "/proc/%s/stat", pid) >= (int)sizeof(path) ||
	    sysfile_read(path, stat, sizeof(stat)))
		return false;
	return sscanf(stat, "%*d (%31[^)]) %c %d", comm, state, &parent) == 3 &&
	       parent == 2 && !strcmp(comm, name);
}

pid_t sysfile_kthread(const char *name, char *state)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	if (!proc)
		return 0;
	while (!found && (entry = readdir(proc)))
		if (isdigit(entry->d_name[0]) && is_kthread(entry->d_name, name, state))
			found = atoi(entry->d_name);
	closedir(proc);
	return found;
}

bool sysfile_kthread_waits(const char *name)
{
	char state;

	return sysfile_kthread(name, &state) && state == 'S';
}

unsigned int kernel_version(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname uts;

	uname(&uts);
	if (sscanf(uts.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return LINUX_VERSION(major, minor);
}
