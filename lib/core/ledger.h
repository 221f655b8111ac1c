/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A list of what was changed of the machine, by whom, and how it is undone. It is in the
 * memory of the guardian (machine_state.c), the one process that makes the changes. An
 * entry, with the old value, is made before its change.
 *
 * All return 0, or -errno with nothing changed, unless they say otherwise.
 */
#ifndef HMM_NOTIFIER_CORE_LEDGER_H
#define HMM_NOTIFIER_CORE_LEDGER_H

#include <stddef.h>
#include <sys/types.h>

/* Sets a setting of one line; of "always [madvise] never" the value is in brackets. */
int ledger_set(pid_t owner, const char *path, const char *value);

/* Makes a cgroup or an instance of tracefs; its settings need no entries. */
int ledger_mkdir(pid_t owner, const char *path);

/* Enables a controller for the cgroups below the root. */
int ledger_enable(pid_t owner, const char *controller);

/* Adds a zram device of @size, as "32M". Returns its number or -errno. */
int ledger_add_zram(pid_t owner, const char *size);

/* Swap to a zram device of ours, or mount the ext4 file system on it at @where. */
int ledger_swapon(pid_t owner, int zram);
int ledger_mount(pid_t owner, int zram, const char *where);

/*
 * Mounts the hierarchy that the freezer has of its own in cgroup version 1, there for the
 * guardian alone. -EBUSY: it is somebody else's; -ENOENT, -EINVAL: the kernel has none.
 */
#define LEDGER_FREEZER	"/run"	/* a directory that each machine has */
int ledger_mount_freezer(pid_t owner);

/*
 * Adds a probe to tracefs as the event @name of @group, and enables it in @instance, which
 * is of our own. @what: "p SYMBOL ARGUMENTS", or "r ..." for the function's end. 0 also if
 * it is there.
 */
int ledger_add_probe(pid_t owner, const char *instance, const char *group,
		     const char *name, const char *what);

/* Writes without an entry: for what machine_write() allows. */
int ledger_write_text(const char *path, const char *text);

/* Writes below a directory, or to a disk, that has an entry; needs none of its own. */
int ledger_write(const char *path, const void *data, size_t size);

/*
 * Undoes @owner's last change to @path. Returns 0 also if there was none; -EBUSY if
 * somebody still uses it: the entry stays.
 */
int ledger_put_back(pid_t owner, const char *path);

/* Undoes all changes of @owner, or of everybody if it is 0, the last one first. */
void ledger_undo(pid_t owner);

#endif
