/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disks of our own, in compressed memory: one to swap to, one with a file
 * system. Only in our own VM.
 */
#ifndef HMM_NOTIFIER_DISK_H
#define HMM_NOTIFIER_DISK_H

#include <stdbool.h>

void disk_start(void);
void disk_stop(void);

bool disk_has_swap(void);
/* Where the file system is, or NULL */
const char *disk_fs(void);

#endif
