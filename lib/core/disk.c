// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/consent.h"
#include "core/disk.h"
#include "core/ledger.h"
#include "core/machine_state.h"

#define MIB	0x100000UL
/* A directory that each machine has. Only the guardian's mount namespace sees ours. */
#define FS	"/tmp"

/* The header of mm/swapfile.c, read_swap_header(): version 1, no bad pages */
static int make_swap(const char *device, uint32_t pages)
{
	static char header[0x10000];	/* the largest page that there is */
	uint32_t info[2] = { 1, pages - 1 };

	memcpy(header + 1024, info, sizeof(info));
	memcpy(header + getpagesize() - 10, "SWAPSPACE2", 10);
	return ledger_write(device, header, getpagesize());
}

static int start_swap(pid_t program)
{
	int zram = ledger_add_zram(program, "32M");
	char device[32];
	int err;

	if (zram < 0)
		return zram;
	snprintf(device, sizeof(device), "/dev/zram%d", zram);
	err = make_swap(device, 32 * MIB / getpagesize());
	return err ?: ledger_swapon(program, zram);
}

static int make_fs(const char *device)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execlp("mke2fs", "mke2fs", "-F", "-b", "4096", device, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EIO : 0;
}

static int start_fs(pid_t program)
{
	int zram = ledger_add_zram(program, "16M");
	char device[32];
	int err;

	if (zram < 0)
		return zram;
	snprintf(device, sizeof(device), "/dev/zram%d", zram);
	err = make_fs(device);
	return err ?: ledger_mount(program, zram, FS);
}

const char *disk_why_not_swap(void)
{
	const char *why = consent_why_not_machine();

	if (why)
		return why;
	return machine_once(start_swap) ? "swap (CONFIG_ZRAM, CONFIG_SWAP)" : NULL;
}

const char *disk_why_not_fs(void)
{
	const char *why = consent_why_not_machine();

	if (why)
		return why;
	return machine_once(start_fs) ?
	       "a file system on a disk (CONFIG_ZRAM, CONFIG_EXT4_FS)" : NULL;
}

const char *disk_fs(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s" FS, machine_root());
	return path;
}
