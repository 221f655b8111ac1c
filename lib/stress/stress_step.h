/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The steps of a stress run, as data. They depend on the seed alone, so a run can be
 * repeated, also with steps left out. A step that makes no sense at its place, such as
 * to reap a process that is not frozen, does nothing.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_STEP_H
#define HMM_NOTIFIER_STRESS_STRESS_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "stress/random.h"
#include "stress/stress_memory.h"

enum stress_step_kind {
	STRESS_STEP_START,	/* starts the process; what: STRESS_STEP_START_... */
	STRESS_STEP_FREEZE,
	STRESS_STEP_REAP,
	STRESS_STEP_FINISH,	/* what: STRESS_STEP_FINISH_... */
	STRESS_STEP_ADD,	/* what: the kind of notifier */
	STRESS_STEP_DEL,
	STRESS_STEP_ARM,	/* contexts, ret, events, range, skip, times; 0: disarms */
	STRESS_STEP_READ_BEGIN,
	STRESS_STEP_TRANSFER,	/* what: STRESS_MEMORY_DEVICE_... */
	STRESS_STEP_CHANGE,	/* of the process's memory, in range */
	STRESS_STEP_NR_KINDS,
};

#define STRESS_STEP_START_MIRROR	0x1	/* /dev/hmm_dmirror0, else the bare node */
#define STRESS_STEP_START_INTERVALS	0x2	/* may have interval notifiers */

#define STRESS_STEP_FINISH_BY_EXIT	0x1	/* not by a signal, unless it is frozen */
#define STRESS_STEP_FINISH_FROZEN	0x2	/* only if it is frozen */

struct stress_step {
	uint8_t kind;
	uint8_t thread;
	uint8_t process;
	uint8_t id;
	uint8_t what;
	uint8_t contexts;
	uint8_t skip;
	uint8_t times;
	int32_t ret;
	uint32_t events;
	struct stress_memory_range range;
	bool everywhere;	/* in all memory, not in @range only */
	bool locked;		/* the notifier is added with HMM_DMIRROR_LOCKED */
};

extern const char * const stress_step_names[STRESS_STEP_NR_KINDS];

/* How many processes and threads there are, and notifiers in each process */
struct stress_step_world {
	unsigned int processes;
	unsigned int threads;
	unsigned int ids;
};

/*
 * The steps of one thread. Process n is owned by thread n modulo the number of threads;
 * only the owner starts and ends it, and starting it is the owner's first step.
 */
struct stress_step_stream {
	const struct stress_step_world *world;
	unsigned int thread;
	bool started;
	struct random random;
};

void stress_step_begin(struct stress_step_stream *stream,
		       const struct stress_step_world *world, uint64_t seed,
		       unsigned int thread);
void stress_step_next(struct stress_step_stream *stream, struct stress_step *step);

/* One line, without a newline */
void stress_step_describe(const struct stress_step *step, char *text, size_t size);

#endif
