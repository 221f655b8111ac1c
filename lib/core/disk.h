/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disks of our own, in compressed memory: one to swap to, one with a file
 * system, which nobody else sees. Made for the first test that asks, until the
 * program ends.
 */
#ifndef HMM_NOTIFIER_CORE_DISK_H
#define HMM_NOTIFIER_CORE_DISK_H

/* What is missing for that, or NULL: it is there */
const char *disk_why_not_swap(void);
const char *disk_why_not_fs(void);

/* Where the file system is */
const char *disk_fs(void);

#endif
