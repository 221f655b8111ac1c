/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two zram disks of our own: one to swap to, one with an ext4 file system that nobody
 * else sees. The first test that asks makes them; they last until the program ends.
 */
#ifndef HMM_NOTIFIER_CORE_DISK_H
#define HMM_NOTIFIER_CORE_DISK_H

/* Why there is no swap, or no file system, for a SKIP; NULL if there is. */
const char *disk_why_not_swap(void);
const char *disk_why_not_fs(void);

/* The path of the file system */
const char *disk_fs(void);

#endif
