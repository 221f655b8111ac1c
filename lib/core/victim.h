/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process whose mm has the notifiers: it does what it is told, and it can be
 * made to stand still while dying, its mm alive, for the non-blockable context.
 * It dies with the process that started it.
 */
#ifndef HMM_NOTIFIER_CORE_VICTIM_H
#define HMM_NOTIFIER_CORE_VICTIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/bounded.h"

/* Where victim_populate() maps, one mapping for each 2 MiB, by number */
#define VICTIM_BASE		0x200000000UL
#define VICTIM_STRIDE		0x200000UL
#define VICTIM_MAPPING_PAGES	4

#define VICTIM_BOUND_MS		10000

struct victim {
	pid_t pid;
	int pidfd;
	int orders, answers;
	uint64_t ordered;	/* number of the last order */
	int bound_ms;		/* for its answer */
	int device;		/* the victim's open node, -1 if none */
	struct keeper keeper;
};

struct victim_args {
	uint64_t arg[6];
};

/*
 * Forks it and has it open @node (NULL: none) for its own mm. Returns 0 or
 * -errno.
 */
int victim_start(struct victim *victim, const char *node);

/*
 * The two steps of that, for who has files that a victim should not hold:
 * victim_start(NULL), then closing all that it inherited above 2 but @keep (-1:
 * nothing), then opening the node.
 */
int victim_close_files(struct victim *victim, int keep);
int victim_open(struct victim *victim, const char *node);

/*
 * Runs @fn in the victim, which has our code and, but for what it changed, our
 * memory. Returns in @result what @fn did. Returns 0, -ETIMEDOUT after
 * @victim->bound_ms, or -EPIPE if the victim is dead. Of a call that was given up
 * the next one sees nothing but that it has to wait for its end.
 */
int victim_call(struct victim *victim, long (*fn)(const struct victim_args *),
		const struct victim_args *args, long *result);

/*
 * The two halves of it: for what is to go on while the caller does other things.
 * The answer is that to the last order. victim_answer_unless() also gives it up,
 * with -EPIPE, when @gone gets readable.
 */
int victim_order(struct victim *victim, long (*fn)(const struct victim_args *),
		 const struct victim_args *args);
int victim_answer(struct victim *victim, long *result);
int victim_answer_unless(const struct victim *victim, int gone, long *result);

/* In a victim: does what comes from @orders until its other end is closed */
void victim_obey(int orders, int answers);

/* Its file @fd as one of ours, or -errno */
int victim_getfd(const struct victim *victim, int fd);

/* For such a function: the node that the victim has open, or -1 */
int victim_own_device(void);

/* Start and end of a mapping, in bytes */
uintptr_t victim_start_of(unsigned int mapping);
uintptr_t victim_end_of(unsigned int mapping);

/* Has the victim map @mappings private anonymous mappings and write each page. */
int victim_populate(struct victim *victim, unsigned int mappings);

/*
 * Waits until the victim is done with what follows its last answer: when it has
 * forked, the kernel's write to its rseq area, as it is scheduled, is a write to
 * a shared page, which starts an invalidation. Returns 0 or -errno.
 */
int victim_settle(struct victim *victim);

/* munmap() and madvise(MADV_DONTNEED) by the victim; 0, or its -errno */
int victim_munmap(struct victim *victim, unsigned int mapping);
int victim_dontneed(struct victim *victim, unsigned int mapping);

/*
 * Kills the victim and holds it in do_exit() before exit_mm(): it has
 * SIGNAL_GROUP_EXIT set and everything it had. Returns 0 or -errno.
 */
int victim_freeze(struct victim *victim);

/*
 * The same in two halves, for who is killed by somebody else: from
 * victim_hold() on, the task @pid (a process, or one thread) will stand still
 * in do_exit(); victim_held() waits for that, @bound_ms at least. @pid need not be
 * a child of ours.
 */
int victim_hold(pid_t pid);
int victim_held(pid_t pid, int bound_ms);

/* process_mrelease(), as it is; 0 or -errno */
int victim_mrelease(int pidfd, unsigned int flags);

/* process_mrelease() of a frozen victim, as often as you like; 0 or -errno */
int victim_reap(struct victim *victim);

/*
 * How many pages of a mapping are in memory, by /proc/PID/pagemap, and how many
 * hold what victim_populate() wrote, by /proc/PID/mem; or -errno.
 */
int victim_resident(const struct victim *victim, unsigned int mapping);
int victim_intact(const struct victim *victim, unsigned int mapping);

/* Pages of all that the victim maps, by /proc/PID/smaps_rollup; or -errno */
long victim_rss(const struct victim *victim);

/* Kills it, or lets it go if it is frozen, and does not wait for its end. */
void victim_let_go(struct victim *victim);

/*
 * Lets a frozen victim go, kills one that is not, and waits for its end.
 * Returns 0, or -ETIMEDOUT if it does not end.
 */
int victim_finish(struct victim *victim);

/*
 * The last close of the device, which removes what notifiers it still has.
 * Returns 0, or -ETIMEDOUT if it hangs. After victim_finish().
 */
int victim_close(struct victim *victim);

#endif
