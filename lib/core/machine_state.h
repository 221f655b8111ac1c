/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What of the machine outlives a process: settings, disks, swap, mounts, cgroups,
 * trace instances. Nobody else in here changes such.
 *
 * The first change starts the guardian, a process that nothing ends but the end of
 * the program, of whatever. It makes all changes, knows what was there before, and
 * puts that back: what a process has set for itself when that ends, all the rest
 * with the program, which waits for it. What is not as we set it any more is left
 * alone. Two programs that change settings do so one after the other.
 *
 * All return 0 or -errno; -EPERM is for what nobody has asked for (lib/core/consent.h).
 */
#ifndef HMM_NOTIFIER_CORE_MACHINE_STATE_H
#define HMM_NOTIFIER_CORE_MACHINE_STATE_H

#include <sys/types.h>

/* Until the program ends, or until the calling process does */
int machine_set(const char *path, const char *value);
int machine_set_for_now(const char *path, const char *value);

/* Makes a group, or removes it with the processes that are left in it. */
int machine_make_group(const char *path);

/* What the calling process did to that path; 0 too if that was nothing */
int machine_put_back(const char *path);

/* Has control groups below the root use a controller. */
int machine_enable(const char *controller);

/*
 * Has the guardian call @fn, with what is in lib/core/ledger.h, the first time that any
 * process of the program asks. Returns what that returned.
 */
int machine_once(int (*fn)(pid_t program));

/* Of the trace instance of that name, which is the program's own */
const char *machine_trace(const char *instance, const char *file);

/* The guardian's mounts are below it. */
const char *machine_root(void);

/*
 * Writes where nothing outlives who is written about: our own processes, groups and
 * instances. And two orders: to split a huge page, and to kill by OOM.
 */
int machine_write(const char *path, const char *text);

#endif
