/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process whose mm has the notifiers. It runs functions on order. For the
 * non-blockable context it can be frozen while it dies: it stops in do_exit(), before
 * exit_mm(), and process_mrelease() or the oom_reaper can reap its mm. The kernel kills
 * it when the process that started it ends.
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
	int bound_ms;		/* for each answer */
	int device;		/* our descriptor of the victim's node, -1 if none */
	struct keeper keeper;
};

struct victim_args {
	uint64_t arg[6];
};

/*
 * Forks the victim, which opens @node for its own mm (NULL: no node). Returns 0 or
 * -errno.
 */
int victim_start(struct victim *victim, const char *node);

/*
 * For a caller with files that the victim must not inherit: call victim_start() without
 * a node, then these two. The first closes all that the victim inherited, but 0 to 2,
 * its pipes and @keep (-1: nothing); the second has it open the node. 0 or -errno.
 */
int victim_close_files(struct victim *victim, int keep);
int victim_open(struct victim *victim, const char *node);

/*
 * Runs @fn in the victim, which is a fork of ours, so that pointers to code and older
 * data hold. @result gets what @fn returns. Returns 0, -ETIMEDOUT after
 * @victim->bound_ms, or -EPIPE if the victim is dead. After a timeout the victim still
 * runs @fn; the next call waits for that, and its answer is dropped.
 */
int victim_call(struct victim *victim, long (*fn)(const struct victim_args *),
		const struct victim_args *args, long *result);

/*
 * The two halves of victim_call(), for a function that runs while the caller does other
 * things. victim_answer() waits for the answer to the last order;
 * victim_answer_unless() also ends with -EPIPE when @gone gets readable.
 */
int victim_order(struct victim *victim, long (*fn)(const struct victim_args *),
		 const struct victim_args *args);
int victim_answer(struct victim *victim, long *result);
int victim_answer_unless(const struct victim *victim, int gone, long *result);

/* In a victim: runs what comes from @orders, until its other end is closed */
void victim_obey(int orders, int answers);

/* pidfd_getfd(): our descriptor of the victim's file @fd, or -errno */
int victim_getfd(const struct victim *victim, int fd);

/* In a victim: its descriptor of its node, or -1 */
int victim_own_device(void);

/* The addresses at which a mapping starts and ends */
uintptr_t victim_start_of(unsigned int mapping);
uintptr_t victim_end_of(unsigned int mapping);

/* Has the victim make @mappings private anonymous mappings and write to each page. */
int victim_populate(struct victim *victim, unsigned int mappings);

/*
 * Waits until the kernel has done what follows the last answer: it writes to the
 * victim's rseq area when it schedules the victim. After a fork that page is shared, so
 * the write starts an invalidation. Returns 0 or -errno.
 */
int victim_settle(struct victim *victim);

/* munmap() and madvise(MADV_DONTNEED) of a mapping by the victim; 0 or -errno */
int victim_munmap(struct victim *victim, unsigned int mapping);
int victim_dontneed(struct victim *victim, unsigned int mapping);

/*
 * Kills the victim and stops it in do_exit() before exit_mm(): SIGNAL_GROUP_EXIT is
 * set, and it still has its mm and its files. Returns 0 or -errno.
 */
int victim_freeze(struct victim *victim);

/*
 * The same in two halves, for a task that somebody else kills. After victim_hold(), the
 * task @pid (a process or one thread, of ours or not) will stop in do_exit();
 * victim_held() waits for that, at least @bound_ms. Both return 0 or -errno.
 */
int victim_hold(pid_t pid);
int victim_held(pid_t pid, int bound_ms);

/* process_mrelease(); 0 or -errno */
int victim_mrelease(int pidfd, unsigned int flags);

/* process_mrelease() of a frozen victim, which can be repeated; 0 or -errno */
int victim_reap(struct victim *victim);

/*
 * How many pages of a mapping are present (/proc/PID/pagemap); how many hold what
 * victim_populate() wrote (/proc/PID/mem). Or -errno
 */
int victim_resident(const struct victim *victim, unsigned int mapping);
int victim_intact(const struct victim *victim, unsigned int mapping);

/* The victim's resident set in pages, by /proc/PID/smaps_rollup; or -errno */
long victim_rss(const struct victim *victim);

/* Kills the victim, or has a frozen one go on dying. Does not wait for its end. */
void victim_let_go(struct victim *victim);

/*
 * victim_let_go(), then waits for the victim's end. Returns 0, or -ETIMEDOUT if it does
 * not end.
 */
int victim_finish(struct victim *victim);

/*
 * The last close of the device, which removes the notifiers that it still has. Call it
 * after victim_finish(). Returns 0, or -ETIMEDOUT if it hangs.
 */
int victim_close(struct victim *victim);

#endif
