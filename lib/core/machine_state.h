/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All changes of what outlives a process: settings, disks, swap, mounts, cgroups,
 * trace instances. No other file makes such a change.
 *
 * The first change starts the guardian, a process that lasts until the program ends, for
 * whatever reason. It makes the changes, notes what was there before, and puts it
 * back: what a process has set for itself when that process ends, all else when the
 * program ends, which waits for it. A setting that somebody else has changed since is
 * left alone. Two programs that change settings do so one after the other.
 *
 * All return 0 or -errno; -EPERM without consent (lib/core/consent.h).
 */
#ifndef HMM_NOTIFIER_CORE_MACHINE_STATE_H
#define HMM_NOTIFIER_CORE_MACHINE_STATE_H

#include <sys/types.h>

/* Set a setting until the program ends, or until the calling process ends. */
int machine_set(const char *path, const char *value);
int machine_set_for_now(const char *path, const char *value);

/* Makes a cgroup. It is removed with the calling process, and what is in it killed. */
int machine_make_group(const char *path);

/* Undoes the calling process's last change to @path. 0 also if there was none */
int machine_put_back(const char *path);

/* Enables a controller for the cgroups below the root, until the program ends. */
int machine_enable(const char *controller);

/*
 * Has the guardian call @fn, once for all processes of the program. @fn changes the
 * machine by lib/core/ledger.h. Returns what it returned, to each who asks.
 */
int machine_once(int (*fn)(pid_t program));

/* The path of a file in the program's own trace instance of that name, until next call */
const char *machine_trace(const char *instance, const char *file);

/*
 * For machine_once(): makes that instance, and has the function tracer note each call of
 * @function in its trace_pipe. Returns 0 or -errno; -EINVAL: there is no such function
 * that can be traced.
 */
int machine_trace_function(pid_t program, const char *instance, const char *function);

/*
 * Has a function of the kernel traced in that instance, as the event @name, until the
 * program ends. @what: "p SYMBOL ARGUMENTS", Documentation/trace/kprobetrace.rst, or "r
 * ..." for its end. 0 also if that was done before.
 */
#define MACHINE_PROBES "hmm_notifier_%d"	/* their group, with the program's pid */
int machine_probe(const char *instance, const char *name, const char *what);

/* The root directory as the guardian sees it, with its mounts, until next call */
const char *machine_root(void);

/*
 * Writes what needs no undoing: files of our own processes, cgroups and trace
 * instances, and two triggers, to split huge pages and to start an OOM kill.
 * -EPERM for all other paths.
 */
int machine_write(const char *path, const char *text);

#endif
