// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "sysfile.h"

#define MIB	0x100000UL
#define PAGE	4096UL
#define FS	"/tmp/hmm_notifier_fs"

static bool has_swap, has_fs;
/* zram devices; the one for the file system is added */
static int fs_disk = -1;

static int set_size(int disk, const char *size)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", disk);
	return sysfile_write(path, size);
}

/* The header of mm/swapfile.c, read_swap_header(): version 1, no bad pages */
static int make_swap(const char *device, uint32_t pages)
{
	char header[PAGE] = {};
	uint32_t info[2] = { 1, pages - 1 };
	int fd, err = 0;

	memcpy(header + 1024, info, sizeof(info));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	fd = open(device, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, header, sizeof(header)) != sizeof(header))
		err = -EIO;
	close(fd);
	return err;
}

static bool start_swap(void)
{
	return !set_size(0, "32M") && !make_swap("/dev/zram0", 32 * MIB / PAGE) &&
	       !swapon("/dev/zram0", 0);
}

static int make_fs(const char *device)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Nobody wants to read of its blocks and groups. */
		close(1);
		close(2);
		execlp("mke2fs", "mke2fs", "-F", "-b", "4096", device, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EIO : 0;
}

static bool start_fs(void)
{
	char device[64];

	/* Reading adds one, and tells its number. */
	fs_disk = sysfile_number("/sys/class/zram-control/hot_add");
	if (fs_disk < 0)
		return false;
	snprintf(device, sizeof(device), "/dev/zram%d", fs_disk);
	if (mkdir(FS, 0700) && errno != EEXIST)
		return false;
	return !set_size(fs_disk, "16M") && !make_fs(device) &&
	       !mount(device, FS, "ext4", 0, NULL);
}

void disk_start(void)
{
	has_swap = start_swap();
	has_fs = start_fs();
}

void disk_stop(void)
{
	char number[16];

	if (has_fs)
		umount(FS);
	if (has_swap)
		swapoff("/dev/zram0");
	sysfile_write("/sys/block/zram0/reset", "1");
	snprintf(number, sizeof(number), "%d", fs_disk);
	if (fs_disk >= 0)
		sysfile_write("/sys/class/zram-control/hot_remove", number);
	rmdir(FS);
	has_swap = false;
	has_fs = false;
}

bool disk_has_swap(void)
{
	return has_swap;
}

const char *disk_fs(void)
{
	return has_fs ? FS : NULL;
}
