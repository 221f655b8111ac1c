/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads small text files of the kernel: settings and counters. machine_state.h changes
 * them.
 */
#ifndef HMM_NOTIFIER_CORE_SYSFILE_H
#define HMM_NOTIFIER_CORE_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The first line, without its newline. Returns 0 or -errno. */
int sysfile_read(const char *path, char *text, size_t size);

/* Whether @word is one of the words of the first line */
bool sysfile_has(const char *path, const char *word);

/* The number at the beginning of a file; -1 if it has none, or can't be read */
long sysfile_number(const char *path);

/*
 * The number behind @key in a file of lines "key number" or "key: number", as
 * /proc/vmstat; -1 if there is none
 */
long sysfile_counter(const char *path, const char *key);

/* The pid of the kernel thread of that name, and its state; 0 if there is no such thread */
pid_t sysfile_kthread(const char *name, char *state);

/*
 * Whether the kernel thread of that name is asleep, in state S. It is not from the moment
 * of a wake-up on. False if there is no such thread.
 */
bool sysfile_kthread_waits(const char *name);

/* KERNEL_VERSION(major, minor, 0) of the running kernel */
unsigned int kernel_version(void);

#define LINUX_VERSION(major, minor) ((major) << 16 | (minor) << 8)

#endif
