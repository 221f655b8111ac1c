/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One of the processes of a stress run: it comes and goes, has notifiers that
 * come and go, and all of these are counted to the last call.
 *
 * Steps return 0, 1 if they make no sense now, or -1 after stress_fail().
 * Steps of several threads may overlap, but those that start and end the
 * process are one thread's: it traces the process.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_PROCESS_H
#define HMM_NOTIFIER_STRESS_STRESS_PROCESS_H

#include <pthread.h>

#include "stress/stress.h"
#include "stress/victim_thread.h"

struct slot_notifier {
	enum rule_kind kind;		/* 0: there is none */
	bool settled;			/* it was there at the last checkpoint */

	unsigned int armed;		/* contexts, 0: not */
	unsigned int times;
	unsigned int noise;		/* of one hit */
	uint64_t hits_before;		/* before it was armed */

	struct hmm_dmirror_counts before;	/* at the last checkpoint */
	struct hmm_dmirror_counts now;
};

enum slot_state {
	SLOT_EMPTY,
	SLOT_ALIVE,
	SLOT_FROZEN,
	SLOT_DYING,
};

struct slot {
	struct stress *stress;
	unsigned int number;
	int file;		/* of the arena */

	pthread_rwlock_t use;	/* for reading: the process won't go away */
	pthread_mutex_t change;	/* of the notifiers */

	_Atomic enum slot_state state;
	struct victim victim;
	struct hand hands[STRESS_THREADS];
	int gone[2];		/* a pipe: readable when no hand will answer */
	bool may_have_intervals;

	struct slot_notifier notifiers[STRESS_IDS + 1];
	unsigned int fails_blockably;	/* see allowed_contexts() */
	/* Since the last checkpoint, of notifiers that were removed */
	struct model removed;
	uint64_t removed_failures[HMM_DMIRROR_NR_EVENTS];	/* hlist, blockable */
	int reaped;		/* result of the last reap, 1: none */
};

void slot_init(struct slot *slot, struct stress *stress, unsigned int number,
	       int file);

int slot_step(struct slot *slot, const struct op *op);

/*
 * For a checkpoint: no step is being made. slot_count() adds to @model what was
 * counted since the last checkpoint, and compares starts with ends.
 * slot_commit() makes this the last checkpoint.
 */
int slot_count(struct slot *slot, struct model *model);
void slot_commit(struct slot *slot);

/* WARNs that armed fail points may still lead to, see stress_noise() */
uint64_t slot_noise(const struct slot *slot);

/* Whether the mm's notifiers can be used; says so within a bound. */
int slot_sound(struct slot *slot);

/* For slot.c, with the lock @change held: notifiers that are about to go */
int slot_retire(struct slot *slot, unsigned int id);
int slot_retire_all(struct slot *slot);
int slot_disarm(struct slot *slot, unsigned int id);

#endif
