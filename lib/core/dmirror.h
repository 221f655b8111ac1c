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
 * Opens a node for the mm of the calling process, and has it count and record from here
 * on. Returns the file descriptor or -errno; see dmirror_why_not() for the latter.
 */
int dmirror_open(const char *node);

/* Why @node can't be opened or has no fail points, for a SKIP; NULL if all is there. */
const char *dmirror_why_not(const char *node);

/* Why there are no interval notifiers with two passes, for a SKIP; or NULL */
const char *dmirror_why_not_two_pass(const char *node);

/* @start and @end, in bytes, are for interval notifiers; 0 for hlist ones. */
int dmirror_add(int fd, unsigned int id, unsigned int kind, uintptr_t start,
		uintptr_t end);
int dmirror_add_flags(int fd, unsigned int id, unsigned int kind,
		      uintptr_t start, uintptr_t end, uint64_t flags);
int dmirror_del(int fd, unsigned int id);

/* mmu_interval_read_begin() of an interval notifier; may sleep for ever */
int dmirror_read_begin(int fd, unsigned int id);

/* Arms what @fail says. @fail->hits gets how often the previous one was hit. */
int dmirror_arm(int fd, struct hmm_dmirror_fail_point *fail);
int dmirror_disarm(int fd, unsigned int id);

/* Disarms. @hits gets how often it was hit since it was armed. */
int dmirror_disarm_hits(int fd, unsigned int id, __u64 *hits);

int dmirror_counts(int fd, unsigned int id, struct hmm_dmirror_counts *counts);

/*
 * Waits until what was armed has been hit: who is to be held there is held then. Returns 0,
 * -ETIMEDOUT after 10 s, or -errno.
 */
int dmirror_await_hit(int fd, unsigned int id);

/*
 * The sum over all events of one row of an array in struct hmm_dmirror_counts. The
 * arrays have a row for RULE_NON_BLOCKABLE and one for RULE_BLOCKABLE.
 */
uint64_t dmirror_sum(const __u64 counts[HMM_DMIRROR_NR_EVENTS]);

/* Whether the callback was called RULE_NON_BLOCKABLE or RULE_BLOCKABLE */
enum rule_context dmirror_context(const struct hmm_dmirror_call *call);

/*
 * Reads the calls since the last reset into @calls and resets. Returns how many
 * there are, -EOVERFLOW if some were lost or don't fit, or -errno.
 */
int dmirror_calls(int fd, struct hmm_dmirror_call *calls, unsigned int nr);

/*
 * What the page tables say of the pages @watch->entry[].addr; with flags 0 they are
 * also looked at with each start and end that is logged from now on.
 */
int dmirror_watch(int fd, struct hmm_dmirror_watch *watch);

/* dmirror_calls(), and what the page tables said with each of them */
int dmirror_seen(int fd, struct hmm_dmirror_seen *seen, unsigned int nr);

/* What they said of the page at @addr; NULL if the device did not look at it */
const struct hmm_dmirror_entry *dmirror_seen_of(const struct hmm_dmirror_seen *seen,
						uintptr_t addr);

/*
 * Have the device read or write memory of the mirrored process. -EIO if it did not do
 * all @pages, as for the functions below.
 */
int dmirror_read(int fd, uintptr_t addr, void *buffer, size_t pages);
int dmirror_write(int fd, uintptr_t addr, void *buffer, size_t pages);

/*
 * Has the device read one page. Returns 0 if it had an entry for it, 1 if it had
 * to fault it in, or -errno.
 */
int dmirror_read_page(int fd, uintptr_t addr, void *page);

/*
 * Move memory to the device or back, or give the device exclusive access to it. @buffer
 * gets what the device then sees. -EOPNOTSUPP: no device memory.
 */
int dmirror_migrate_to_device(int fd, uintptr_t addr, void *buffer, size_t pages);
int dmirror_migrate_to_system(int fd, uintptr_t addr, size_t pages);
int dmirror_exclusive(int fd, uintptr_t addr, void *buffer, size_t pages);

/* @prot gets HMM_DMIRROR_PROT_... of each page, as the device may use it. */
int dmirror_snapshot(int fd, uintptr_t addr, unsigned char *prot, size_t pages);

#endif
