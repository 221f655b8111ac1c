/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small text files of the kernel, settings and counters, as they read. To change
 * them is for machine_state.h.
 */
#ifndef HMM_NOTIFIER_CORE_SYSFILE_H
#define HMM_NOTIFIER_CORE_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first line, without its newline. Returns 0 or -errno. */
int sysfile_read(const char *path, char *text, size_t size);

/* Whether the first line, words with blanks between, has that one */
bool sysfile_has(const char *path, const char *word);

/* Returns the number in a file, -1 if there is none. */
long sysfile_number(const char *path);

/*
 * Returns the number behind "@key" in a file of "key number" lines, as in
 * /proc/vmstat; -1 if there is none.
 */
long sysfile_counter(const char *path, const char *key);

/*
 * Whether the kernel's thread of that name is asleep; who wakes it has it no
 * longer asleep by the time that the call returns. False if there is none.
 */
bool sysfile_kthread_waits(const char *name);

/* KERNEL_VERSION(major, minor, 0) of the running kernel */
unsigned int kernel_version(void);

#define LINUX_VERSION(major, minor) ((major) << 16 | (minor) << 8)

#endif
