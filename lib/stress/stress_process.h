/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One of the processes of a stress run. It is started and ended again, as are its
 * notifiers, and every call of these is counted.
 *
 * Steps return 0, 1 if they make no sense now, or -1 after stress_fail(). Steps of
 * several threads may overlap, but one thread alone starts and ends the process, since
 * that one traces it.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_PROCESS_H
#define HMM_NOTIFIER_STRESS_STRESS_PROCESS_H

#include <pthread.h>

#include "stress/stress_state.h"
#include "core/victim_thread.h"

struct stress_process_notifier {
	enum rule_kind kind;		/* 0: there is none */
	bool settled;			/* it was there at the last checkpoint */

	unsigned int armed;		/* in these contexts, 0: it is not armed */
	unsigned int times;
	unsigned int noise;		/* of one hit */
	uint64_t hits_before;		/* before it was armed */

	struct hmm_dmirror_counts before;	/* at the last checkpoint */
	struct hmm_dmirror_counts now;
};

enum stress_process_state {
	STRESS_PROCESS_EMPTY,
	STRESS_PROCESS_ALIVE,
	STRESS_PROCESS_FROZEN,
	STRESS_PROCESS_DYING,
};

struct stress_process {
	struct stress *stress;
	unsigned int number;
	int file;		/* of stress_memory_file() */

	pthread_rwlock_t use;	/* for reading: the process won't go away */
	pthread_mutex_t change;	/* of the notifiers */

	_Atomic enum stress_process_state state;
	struct victim victim;
	struct victim_thread victim_threads[STRESS_THREADS];
	int gone[2];		/* a pipe: readable when no victim_thread will answer */
	bool may_have_intervals;

	struct stress_process_notifier notifiers[STRESS_IDS + 1];
	unsigned int fails_blockably;	/* see allowed_contexts() */
	/* Since the last checkpoint, of notifiers that were removed */
	struct expected_warns removed;
	uint64_t removed_failures[HMM_DMIRROR_NR_EVENTS];	/* hlist, blockable */
	int reaped;		/* result of the last reap, 1: none */
};

void stress_process_init(struct stress_process *process, struct stress *stress,
			 unsigned int number, int file);

int stress_process_step(struct stress_process *process, const struct stress_step *step);

/*
 * For a checkpoint, while no step is running. stress_process_count() adds to @expected
 * what was counted since the last checkpoint, and compares starts with ends.
 * stress_process_commit() makes this the last checkpoint.
 */
int stress_process_count(struct stress_process *process, struct expected_warns *expected);
void stress_process_commit(struct stress_process *process);

/* WARNs that armed fail points may still lead to, see stress_noise() */
uint64_t stress_process_noise(const struct stress_process *process);

/* Whether the mm's notifiers can be used; says so within a bound. */
int stress_process_sound(struct stress_process *process);

/* For stress_process.c, with the lock @change held: notifiers that are about to go */
int stress_process_retire(struct stress_process *process, unsigned int id);
int stress_process_retire_all(struct stress_process *process);
int stress_process_disarm(struct stress_process *process, unsigned int id);

#endif
