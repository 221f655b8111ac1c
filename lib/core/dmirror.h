/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test_hmm device, one function for each ioctl. test_hmm_uapi.h says what
 * they do; here each retries EINTR and returns 0 or -errno.
 */
#ifndef HMM_NOTIFIER_CORE_DMIRROR_H
#define HMM_NOTIFIER_CORE_DMIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rule.h"
#include "test_hmm_uapi.h"

#define DMIRROR_MIRROR	"/dev/hmm_dmirror0"
#define DMIRROR_BARE	"/dev/hmm_dmirror_bare"

/*
 * Opens a node for the mm of the calling process. Returns the file descriptor
 * or -errno; see dmirror_why_not() for the latter.
 */
int dmirror_open(const char *node);

/* Why @node can't be opened or has no fail points, for a SKIP; NULL if it can. */
const char *dmirror_why_not(const char *node);

/* The same, of interval notifiers with two passes. */
const char *dmirror_why_not_two_pass(const char *node);

/* @start and @end are for interval notifiers, 0 otherwise */
int dmirror_add(int fd, unsigned int id, unsigned int kind, uintptr_t start,
		uintptr_t end);
int dmirror_add_flags(int fd, unsigned int id, unsigned int kind,
		      uintptr_t start, uintptr_t end, uint64_t flags);
int dmirror_del(int fd, unsigned int id);

/* mmu_interval_read_begin() of an interval notifier; may sleep for ever */
int dmirror_read_begin(int fd, unsigned int id);

/* Arms what @fail says; @fail->hits is then what the one before was hit. */
int dmirror_arm(int fd, struct hmm_dmirror_fail_point *fail);
int dmirror_disarm(int fd, unsigned int id);

/* Disarms, and tells how often it was hit since it was armed. */
int dmirror_disarm_hits(int fd, unsigned int id, __u64 *hits);

int dmirror_counts(int fd, unsigned int id, struct hmm_dmirror_counts *counts);

/*
 * Sums over all events of one of the arrays in struct hmm_dmirror_counts, whose first
 * index is RULE_NON_BLOCKABLE or RULE_BLOCKABLE.
 */
uint64_t dmirror_sum(const __u64 counts[HMM_DMIRROR_NR_EVENTS]);

/* RULE_NON_BLOCKABLE or RULE_BLOCKABLE */
enum rule_context dmirror_context(const struct hmm_dmirror_call *call);

/*
 * Reads the calls since the last reset into @calls and resets. Returns how many
 * there are, -EOVERFLOW if some were lost or don't fit, or -errno.
 */
int dmirror_calls(int fd, struct hmm_dmirror_call *calls, unsigned int nr);

/* Have the device read or write memory of the mirrored process. */
int dmirror_read(int fd, uintptr_t addr, void *buffer, size_t pages);
int dmirror_write(int fd, uintptr_t addr, void *buffer, size_t pages);

/*
 * Has the device read one page. Returns 0 if it had an entry for it, 1 if it had
 * to fault it in, or -errno.
 */
int dmirror_look(int fd, uintptr_t addr, void *page);

/*
 * Move memory to the device or back, or give the device the only right to use
 * it; @buffer gets what the device then has. -EOPNOTSUPP: no device memory.
 */
int dmirror_migrate_to_device(int fd, uintptr_t addr, void *buffer, size_t pages);
int dmirror_migrate_to_system(int fd, uintptr_t addr, size_t pages);
int dmirror_exclusive(int fd, uintptr_t addr, void *buffer, size_t pages);

/* One HMM_DMIRROR_PROT_... for each page */
int dmirror_snapshot(int fd, uintptr_t addr, unsigned char *prot, size_t pages);

#endif
