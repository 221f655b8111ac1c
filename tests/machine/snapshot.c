// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot [-a] [FILE|DIRECTORY|DISK...] - the state of a machine, a line for each
 * thing: "path<TAB>what it is". Of settings that is what they read, of the files below
 * the arguments also a hash of the contents; -a is for what hardly anybody changes, too.
 * Nothing is changed by looking.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN	300	/* of what is longer, a hash */

/* Where to look for settings, and how deep */
static const struct {
	const char *path;
	int depth;
} places[] = {
	{ "/proc/sys/kernel", 9 },
	{ "/proc/sys/vm", 9 },
	{ "/sys/kernel", 1 },
	{ "/sys/kernel/mm", 9 },
	{ "/sys/block/*/", 9 },
	{ "/sys/fs/cgroup", 9 },
	{ "/sys/kernel/debug", 1 },
	{ "/sys/kernel/debug/fail*", 9 },
	{ "/sys/kernel/debug/sched", 2 },
	{ "/sys/kernel/tracing", 1 },
	{ "/sys/kernel/tracing/options", 1 },
	{ "/sys/kernel/tracing/events", 1 },
	{ "/sys/kernel/tracing/events/*/enable", 1 },
	{ "/sys/kernel/tracing/events/kprobes", 2 },
	{ "/sys/kernel/tracing/instances/*", 1 },
	{ "/sys/kernel/tracing/instances/*/events/*/enable", 1 },
	{ "/proc/mounts", 1 },
	{ "/proc/swaps", 1 },
	{ "/proc/modules", 1 },
	{ "/proc/filesystems", 1 },
	{ "/proc/cgroups", 1 },
	{ "/dev", 9 },
	/* Only with -a, as it is much and hardly ours to change */
	{ "/proc/sys", 9 },
	{ "/sys/class", 2 },
	{ "/sys/module/*", 2 },
};

#define NR_PLACES	(sizeof(places) / sizeof(places[0]))
#define NR_MUCH		3

/* Named, but not read: reading adds a disk, takes data from another reader, or is slow. */
static const char * const not_read[] = {
	"/sys/class/zram-control/hot_add",
	"*/trace_pipe", "*/trace_pipe_raw", "*/trace", "*/snapshot",
	"*/available_filter_functions*", "*/dyn_ftrace_total_info",
	"/sys/kernel/debug/*/*/snapshot", "/sys/block/*/trace/*",
	"/dev/*", "/sys/kernel/debug/[!fs]*",
};

static uint64_t hash(uint64_t so_far, const char *data, size_t size)
{
	while (size--)
		so_far = (so_far ^ (unsigned char)*data++) * 0x100000001b3;
	return so_far;
}

static void say(const char *path, const char *data, size_t size)
{
	size_t i;

	printf("%s\t", path);
	if (size > SHOWN) {
		printf("%zu bytes, %016llx\n", size,
		       (unsigned long long)hash(0, data, size));
		return;
	}
	for (i = 0; i < size; i++)
		if (isprint((unsigned char)data[i]) && data[i] != '\\')
			putchar(data[i]);
		else
			printf("\\%03o", (unsigned char)data[i]);
	putchar('\n');
}

static void read_setting(const char *path)
{
	static char data[1 << 20];
	size_t size = 0;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		printf("%s\t%s\n", path, strerror(errno));
		return;
	}
	while (size < sizeof(data) &&
	       (got = read(fd, data + size, sizeof(data) - size)) > 0)
		size += got;
	close(fd);
	say(path, data, size);
}

static void hash_file(const char *path, const struct stat *stat)
{
	static char data[1 << 16];
	uint64_t sum = 0;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, data, sizeof(data))) > 0)
		sum = hash(sum, data, got);
	if (fd >= 0)
		close(fd);
	printf("%s\tmode %o, %lld bytes, %016llx\n", path, stat->st_mode,
	       (long long)stat->st_size, (unsigned long long)sum);
}

static bool is_read(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(not_read) / sizeof(not_read[0]); i++)
		if (!fnmatch(not_read[i], path, 0))
			return false;
	return true;
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

typedef void look_fn(const char *path, int depth);

static void each_in(const char *path, int depth, look_fn *look)
{
	struct dirent **names;
	char below[4096];
	int i, nr = scandir(path, &names, no_dots, alphasort);

	for (i = 0; i < nr; i++) {
		snprintf(below, sizeof(below), "%s%s%s", path,
			 path[strlen(path) - 1] == '/' ? "" : "/", names[i]->d_name);
		look(below, depth - 1);
		free(names[i]);
	}
	if (nr >= 0)
		free(names);
}

static void look_at_setting(const char *path, int depth)
{
	char target[4096];
	struct stat stat;
	ssize_t len;

	if (lstat(path, &stat))
		return;
	if (S_ISLNK(stat.st_mode)) {
		len = readlink(path, target, sizeof(target));
		say(path, target, len < 0 ? 0 : len);
	} else if (S_ISDIR(stat.st_mode)) {
		printf("%s\tmode %o\n", path, stat.st_mode);
		if (depth > 0)
			each_in(path, depth, look_at_setting);
	} else if (S_ISREG(stat.st_mode) && stat.st_mode & 0444 && is_read(path)) {
		read_setting(path);
	} else {
		printf("%s\tmode %o\n", path, stat.st_mode);
	}
}

static void look_at_file(const char *path, int depth)
{
	struct stat stat;

	if (lstat(path, &stat))
		return;
	if (S_ISREG(stat.st_mode) || (S_ISBLK(stat.st_mode) && depth == 99))
		hash_file(path, &stat);
	else
		look_at_setting(path, 0);
	if (S_ISDIR(stat.st_mode))
		each_in(path, 9, look_at_file);
}

/* A pattern with a slash at its end is for what links lead to. */
static void each_match(const char *pattern, int depth)
{
	glob_t found = {};
	size_t i;

	glob(pattern, 0, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++) {
		if (pattern[strlen(pattern) - 1] == '/')
			each_in(found.gl_pathv[i], depth, look_at_setting);
		else
			look_at_setting(found.gl_pathv[i], depth);
	}
	globfree(&found);
}

/* Those of the kernel by name, without the workers that come and go */
static void look_at_process(const char *path, int depth)
{
	char file[4200], command[4096] = "", comm[64] = "";
	size_t size = 0;
	FILE *in;

	(void)depth;
	if (!isdigit(path[strlen("/proc/")]) ||
	    atoi(path + strlen("/proc/")) == getpid())
		return;
	snprintf(file, sizeof(file), "%s/comm", path);
	in = fopen(file, "re");
	if (in && !fgets(comm, sizeof(comm), in))
		*comm = '\0';
	if (in)
		fclose(in);
	snprintf(file, sizeof(file), "%s/cmdline", path);
	in = fopen(file, "re");
	if (in) {
		size = fread(command, 1, sizeof(command), in);
		fclose(in);
	}
	comm[strcspn(comm, "\n")] = '\0';
	if (!strncmp(comm, "kworker/", 8))
		return;
	snprintf(file, sizeof(file), "process %s %s", path + strlen("/proc/"), comm);
	say(file, command, size);
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && !strcmp(argv[1], "-a");
	size_t i;

	for (i = 0; i < NR_PLACES - (all ? 0 : NR_MUCH); i++)
		each_match(places[i].path, places[i].depth);
	each_in("/proc", 1, look_at_process);
	for (i = 1 + all; i < (size_t)argc; i++)
		look_at_file(argv[i], 99);
	return 0;
}
