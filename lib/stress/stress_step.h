/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The steps that a stress run is made of. They are data, so that a run is known
 * from its seed, and can be tried again with steps left out: what a step does
 * not depend on is whether it makes sense. One that makes none does nothing.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_STEP_H
#define HMM_NOTIFIER_STRESS_STRESS_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "stress/random.h"
#include "stress/stress_memory.h"

enum op_kind {
	OP_START,	/* a process in the slot; what: OP_START_... */
	OP_FREEZE,
	OP_REAP,
	OP_FINISH,	/* what: OP_FINISH_... */
	OP_ADD,		/* what: the kind of notifier */
	OP_DEL,
	OP_ARM,		/* contexts, ret, events, range, skip, times; 0: disarms */
	OP_READ_BEGIN,
	OP_TRANSFER,	/* what: ARENA_DEVICE_... */
	OP_CHANGE,	/* of the process's memory, in range */
	OP_NR_KINDS,
};

#define OP_START_MIRROR		0x1	/* /dev/hmm_dmirror0, else the bare node */
#define OP_START_INTERVALS	0x2	/* may have interval notifiers */

#define OP_FINISH_BY_EXIT	0x1	/* not by a signal, unless it is frozen */
#define OP_FINISH_FROZEN	0x2	/* only if it is frozen */

struct op {
	uint8_t kind;
	uint8_t thread;
	uint8_t slot;
	uint8_t id;
	uint8_t what;
	uint8_t contexts;
	uint8_t skip;
	uint8_t times;
	int32_t ret;
	uint32_t events;
	struct arena_op range;
	bool everywhere;	/* not just in range */
	bool locked;		/* added as HMM_DMIRROR_LOCKED says */
};

extern const char * const op_names[OP_NR_KINDS];

/* How many processes and threads there are, and notifiers in each process */
struct op_world {
	unsigned int slots;
	unsigned int threads;
	unsigned int ids;
};

/*
 * The steps of one thread, one by one. Slots are owned by one thread each, slot
 * number modulo number of threads, and only the owner starts and ends processes
 * there; that is what it does first.
 */
struct op_stream {
	const struct op_world *world;
	unsigned int thread;
	bool started;
	struct random random;
};

void op_begin(struct op_stream *stream, const struct op_world *world,
	      uint64_t seed, unsigned int thread);
void op_next(struct op_stream *stream, struct op *op);

/* One line, without a newline */
void op_describe(const struct op *op, char *text, size_t size);

#endif
