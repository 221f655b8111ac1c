/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was changed of the machine, by whom and how it is undone, in the memory of
 * the one process that makes the changes: the guardian of machine_state.c. Each
 * entry is there before its change is made, with what was there before.
 *
 * All return 0 or -errno, and then nothing was changed, unless they say otherwise.
 */
#ifndef HMM_NOTIFIER_CORE_LEDGER_H
#define HMM_NOTIFIER_CORE_LEDGER_H

#include <stddef.h>
#include <sys/types.h>

/* A setting of one line; with "always [madvise] never" the one in brackets */
int ledger_set(pid_t owner, const char *path, const char *value);

/* A cgroup, or an instance of tracefs; gone with its settings */
int ledger_mkdir(pid_t owner, const char *path);

/* Has the groups below the root use a controller. */
int ledger_enable(pid_t owner, const char *controller);

/* Adds a zram device, and returns its number. */
int ledger_add_zram(pid_t owner, const char *size);

/* To swap to a zram device that is ours, or to see a file system on it at @where */
int ledger_swapon(pid_t owner, int zram);
int ledger_mount(pid_t owner, int zram, const char *where);

/* Writes once, and notes nothing: for what machine_write() lets pass. */
int ledger_write_text(const char *path, const char *text);

/* Writes into what is ours alone, which goes when that goes. */
int ledger_write(const char *path, const void *data, size_t size);

/*
 * Undoes what @owner did last to @path, and returns 0 too if that was nothing.
 * -EBUSY: somebody uses it still; it stays in the ledger.
 */
int ledger_put_back(pid_t owner, const char *path);

/* Undoes all that @owner did, 0: all that there is, the last of it first. */
void ledger_undo(pid_t owner);

#endif
