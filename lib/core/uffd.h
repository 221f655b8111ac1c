/* SPDX-License-Identifier: GPL-2.0 */
/*
 * userfaultfd(2), and PAGEMAP_SCAN, which uses its write protection. Addresses and sizes
 * are in bytes. Each returns 0 or -errno unless it says otherwise.
 */
#ifndef HMM_NOTIFIER_CORE_UFFD_H
#define HMM_NOTIFIER_CORE_UFFD_H

#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <stdint.h>

/* For a C library with headers of an older kernel */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC 0x8000
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE 0x10000
#endif
#ifndef PM_SCAN_WP_MATCHING
#define PM_SCAN_WP_MATCHING 0x1
#define PM_SCAN_CHECK_WPASYNC 0x2
#endif

/* Opens one with these UFFD_FEATURE_... Returns its file descriptor or -errno. */
int userfault_open(uint64_t features);
int userfault_register(int fd, uintptr_t at, size_t size, uint64_t mode);
int userfault_write_protect(int fd, uintptr_t at, size_t size);

/* UFFDIO_MOVE. Returns how many bytes it moved, or -errno. */
long userfault_move(int fd, uintptr_t to, uintptr_t from, size_t size);

/* PAGEMAP_SCAN. Returns how many pages were written to, or -errno. */
int userfault_scan(uintptr_t at, size_t size, uint64_t flags);

#endif
