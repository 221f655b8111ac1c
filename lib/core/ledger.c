// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "core/ledger.h"
#include "core/sysfile.h"

#define MAX_ENTRIES	64
#define CGROUPS		"/sys/fs/cgroup/"
#define HOT_ADD		"/sys/class/zram-control/hot_add"
#define HOT_REMOVE	"/sys/class/zram-control/hot_remove"
#define PROBES		"/sys/kernel/tracing/kprobe_events"
#define HIERARCHIES	"/proc/cgroups"

/*
 * How long an undo may get -EBUSY: a task leaves its cgroup, its memory and its files a
 * little after wait() returned. At the end many tasks may be dying.
 */
#define PUT_BACK_MS	2000
#define UNDO_MS		10000

/*
 * How long to wait for another program that changes the machine. The lock is on a
 * directory that each machine has, so it leaves nothing behind.
 */
#define LOCK_MS		20000
#define LOCK_DIR	"/sys/kernel/mm"

struct entry {
	pid_t owner;
	int (*undo)(const struct entry *entry);
	char path[192];
	char ours[96], old[64];		/* the setting's values, as they read */
};

static struct entry ledger[MAX_ENTRIES];
static unsigned int nr_entries;

static struct entry *note(pid_t owner, const char *path,
			  int (*undo)(const struct entry *entry))
{
	struct entry *entry = &ledger[nr_entries];

	if (nr_entries == MAX_ENTRIES || strlen(path) >= sizeof(entry->path))
		return NULL;
	*entry = (struct entry) { .owner = owner, .undo = undo };
	strcpy(entry->path, path);
	nr_entries++;
	return entry;
}

/* Drops the entry of a change that was not made. */
static int forget_last(int err)
{
	nr_entries--;
	return err;
}

static int write_to(const char *path, int flags, const void *data, size_t size)
{
	int fd, err = 0;
	ssize_t done;

	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	/* One write is one setting; a second write with the rest would be another. */
	done = write(fd, data, size);
	if (done != (ssize_t)size)
		err = done < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

static int write_file(const char *path, const void *data, size_t size)
{
	return write_to(path, 0, data, size);
}

static int append_text(const char *path, const char *text)
{
	return write_to(path, O_APPEND, text, strlen(text));
}

int ledger_write_text(const char *path, const char *text)
{
	return write_file(path, text, strlen(text));
}

/* -E2BIG: what can't be read as a whole can't be put back. */
static int read_setting(const char *path, char *text, size_t size)
{
	char line[256], *open, *end;
	int err = sysfile_read(path, line, sizeof(line));

	if (err)
		return err;
	open = strchr(line, '[');
	end = open ? strchr(open, ']') : NULL;
	if (end)
		*end = '\0';
	else
		open = NULL;
	return snprintf(text, size, "%s", open ? open + 1 : line) < (int)size ?
	       0 : -E2BIG;
}

/* Settings of the machine have one guardian at a time, until it ends. */
static int lock_settings(void)
{
	static enum { NOT_TRIED, OURS, NOT_OURS } lock;
	unsigned int waited;
	int fd;

	if (lock != NOT_TRIED)
		return lock == OURS ? 0 : -EBUSY;
	lock = NOT_OURS;
	fd = open(LOCK_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += 10) {
		if (errno != EWOULDBLOCK || waited >= LOCK_MS)
			return -EBUSY;
		usleep(10000);
	}
	lock = OURS;
	return 0;
}

/* A value that somebody else has set since stays. */
static int undo_setting(const struct entry *entry)
{
	char now[sizeof(entry->ours)];
	int err = read_setting(entry->path, now, sizeof(now));

	if (err || strcmp(now, entry->ours))
		return err;
	err = ledger_write_text(entry->path, entry->old);
	err = err ?: read_setting(entry->path, now, sizeof(now));
	/* nr_hugepages shrinks no further than the huge pages that are in use. */
	return err ?: strcmp(now, entry->old) ? -EBUSY : 0;
}

int ledger_set(pid_t owner, const char *path, const char *value)
{
	struct entry *entry;
	int err = lock_settings();

	if (err)
		return err;
	entry = note(owner, path, undo_setting);
	if (!entry)
		return -ENOSPC;
	err = read_setting(path, entry->old, sizeof(entry->old));
	if (err)
		return forget_last(err);
	if (!strcmp(entry->old, value))
		return forget_last(0);
	snprintf(entry->ours, sizeof(entry->ours), "%s", value);
	err = ledger_write_text(path, value);
	if (err)
		return forget_last(err);
	/* The kernel may have rounded it. */
	err = read_setting(path, entry->ours, sizeof(entry->ours));
	return err || strcmp(entry->old, entry->ours) ? err : forget_last(0);
}

static void write_in(const struct entry *entry, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", entry->path, file);
	ledger_write_text(path, text);
}

/*
 * A cgroup of ours has no processes but ours. The freezer of version 1 keeps a process that
 * was killed until it is thawed.
 */
static int undo_mkdir(const struct entry *entry)
{
	write_in(entry, "cgroup.kill", "1");
	write_in(entry, "freezer.state", "THAWED");
	if (!rmdir(entry->path) || errno == ENOENT)
		return 0;
	return -errno;
}

int ledger_mkdir(pid_t owner, const char *path)
{
	if (!note(owner, path, undo_mkdir))
		return -ENOSPC;
	return mkdir(path, 0700) ? forget_last(-errno) : 0;
}

static int undo_enable(const struct entry *entry)
{
	if (!sysfile_has(entry->path, entry->ours + 1))
		return 0;
	return ledger_write_text(entry->path, entry->old);
}

int ledger_enable(pid_t owner, const char *controller)
{
	struct entry *entry;
	int err = lock_settings();

	if (err)
		return err;
	entry = note(owner, CGROUPS "cgroup.subtree_control", undo_enable);
	if (!entry)
		return -ENOSPC;
	if (sysfile_has(entry->path, controller))
		return forget_last(0);
	snprintf(entry->ours, sizeof(entry->ours), "+%s", controller);
	snprintf(entry->old, sizeof(entry->old), "-%s", controller);
	err = ledger_write_text(entry->path, entry->ours);
	return err ? forget_last(err) : 0;
}

static int undo_zram(const struct entry *entry)
{
	return ledger_write_text(HOT_REMOVE, entry->old);
}

int ledger_add_zram(pid_t owner, const char *size)
{
	struct entry *entry = note(owner, "", undo_zram);
	char disksize[64];
	int number;

	if (!entry)
		return -ENOSPC;
	/* Reading the file adds a device and returns its number. */
	number = sysfile_number(HOT_ADD);
	if (number < 0)
		return forget_last(-ENOENT);
	snprintf(entry->path, sizeof(entry->path), "/dev/zram%d", number);
	snprintf(entry->old, sizeof(entry->old), "%d", number);
	snprintf(disksize, sizeof(disksize), "/sys/block/zram%d/disksize", number);
	return ledger_write_text(disksize, size) ?: number;
}

static int undo_swapon(const struct entry *entry)
{
	/* EINVAL: it is no swap device any more. */
	return swapoff(entry->path) && errno != EINVAL ? -errno : 0;
}

static int zram_path(char *path, size_t size, int zram)
{
	unsigned int i;

	snprintf(path, size, "/dev/zram%d", zram);
	for (i = 0; i < nr_entries; i++)
		if (ledger[i].undo == undo_zram && !strcmp(ledger[i].path, path))
			return 0;
	return -EPERM;
}

int ledger_swapon(pid_t owner, int zram)
{
	char device[32];
	int err = zram_path(device, sizeof(device), zram);

	if (err)
		return err;
	if (!note(owner, device, undo_swapon))
		return -ENOSPC;
	return swapon(device, 0) ? forget_last(-errno) : 0;
}

static int undo_mount(const struct entry *entry)
{
	/* EINVAL: nothing is mounted there. */
	return umount2(entry->path, UMOUNT_NOFOLLOW) && errno != EINVAL ?
	       -errno : 0;
}

/* A slave mount namespace: unmounts of others come here, our mounts go to nobody. */
static int leave_mounts(void)
{
	static bool left;

	if (left)
		return 0;
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return -errno;
	left = true;
	return 0;
}

/* The number of the hierarchy that has the freezer, 0 for version 2's, and its groups */
static int read_freezer(int *hierarchy, int *groups)
{
	FILE *file = fopen(HIERARCHIES, "re");
	int err = -ENOENT, enabled;
	char line[128];

	while (file && err && fgets(line, sizeof(line), file))
		if (sscanf(line, "freezer %d %d %d", hierarchy, groups, &enabled) == 3 &&
		    enabled)
			err = 0;
	if (file)
		fclose(file);
	return err;
}

/*
 * The hierarchy ends a little after its last mount; but cgroup_kill_sb() keeps it for ever
 * if a group is left, and one that was removed is so until it is freed.
 */
static int undo_freezer(const struct entry *entry)
{
	int hierarchy, groups, err = read_freezer(&hierarchy, &groups);

	if (err || !hierarchy)
		return err;
	return groups > 1 ? -EBUSY : undo_mount(entry) ?: -EBUSY;
}

int ledger_mount_freezer(pid_t owner)
{
	int hierarchy, groups, err = lock_settings();

	err = err ?: read_freezer(&hierarchy, &groups);
	if (err || hierarchy)
		return err ?: -EBUSY;
	err = leave_mounts();
	if (err)
		return err;
	if (!note(owner, LEDGER_FREEZER, undo_freezer))
		return -ENOSPC;
	return mount("cgroup", LEDGER_FREEZER, "cgroup", 0, "freezer") ?
		forget_last(-errno) : 0;
}

int ledger_mount(pid_t owner, int zram, const char *where)
{
	char device[32];
	int err = zram_path(device, sizeof(device), zram);

	err = err ?: leave_mounts();
	if (err)
		return err;
	if (!note(owner, where, undo_mount))
		return -ENOSPC;
	/*
	 * ext4_register_li_request() starts ext4lazyinit unless both are off; it may
	 * outlive the mount by some seconds.
	 */
	return mount(device, where, "ext4", 0,
		     "noinit_itable,no_prefetch_block_bitmaps") ?
		forget_last(-errno) : 0;
}

/* An event that is enabled can't be removed. */
static int undo_probe(const struct entry *entry)
{
	int err;

	ledger_write_text(entry->path, "0");
	err = append_text(PROBES, entry->ours);
	return err == -ENOENT ? 0 : err;
}

static bool has_probe(const char *remove)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++)
		if (ledger[i].undo == undo_probe && !strcmp(ledger[i].ours, remove))
			return true;
	return false;
}

int ledger_add_probe(pid_t owner, const char *instance, const char *group,
		     const char *name, const char *what)
{
	struct entry *entry;
	char text[512];
	int err;

	snprintf(text, sizeof(text), "-:%s/%s", group, name);
	if (strlen(text) >= sizeof(entry->ours))
		return -E2BIG;
	if (has_probe(text))
		return 0;
	entry = note(owner, "", undo_probe);
	if (!entry)
		return -ENOSPC;
	strcpy(entry->ours, text);
	snprintf(entry->path, sizeof(entry->path), "%s/events/%s/%s/enable", instance,
		 group, name);
	snprintf(text, sizeof(text), "%c:%s/%s%s", *what, group, name, what + 1);
	err = append_text(PROBES, text);
	return err ? forget_last(err) : ledger_write_text(entry->path, "1");
}

int ledger_write(const char *path, const void *data, size_t size)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++) {
		const struct entry *entry = &ledger[i];
		size_t len = strlen(entry->path);

		if ((entry->undo == undo_mkdir && !strncmp(path, entry->path, len) &&
		     path[len] == '/') ||
		    (entry->undo == undo_zram && !strcmp(path, entry->path)))
			return write_file(path, data, size);
	}
	return -EPERM;
}

static int undo_entry(unsigned int nr, unsigned int bound)
{
	unsigned int waited;
	int err;

	for (waited = 0; (err = ledger[nr].undo(&ledger[nr])) == -EBUSY; waited++) {
		if (waited == bound)
			return err;
		usleep(1000);
	}
	nr_entries--;
	memmove(&ledger[nr], &ledger[nr + 1],
		(nr_entries - nr) * sizeof(ledger[0]));
	return err;
}

int ledger_put_back(pid_t owner, const char *path)
{
	unsigned int i;

	for (i = nr_entries; i-- > 0;)
		if (ledger[i].owner == owner && !strcmp(ledger[i].path, path))
			return undo_entry(i, PUT_BACK_MS);
	return 0;
}

void ledger_undo(pid_t owner)
{
	unsigned int i;

	for (i = nr_entries; i-- > 0;)
		if (!owner || ledger[i].owner == owner)
			undo_entry(i, UNDO_MS);
}
