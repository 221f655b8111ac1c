/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small text files of the kernel: settings and counters.
 */
#ifndef HMM_NOTIFIER_SYSFILE_H
#define HMM_NOTIFIER_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both return 0 or -errno. What is read is the first line, without its newline. */
int sysfile_write(const char *path, const char *text);
int sysfile_read(const char *path, char *text, size_t size);

/*
 * Writes @text where that in @old comes from, for it to be written again. Returns
 * 0, or -errno and nothing is changed.
 */
int sysfile_swap(const char *path, const char *text, char *old, size_t size);

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

#define VERSION(major, minor) ((major) << 16 | (minor) << 8)

#endif
