/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state that the driver of a stress run shares with the supervisor, which reads the
 * log: the options, the first fault, and how many WARNs may come.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_STATE_H
#define HMM_NOTIFIER_STRESS_STRESS_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/warn.h"
#include "stress/expected_warns.h"
#include "stress/stress_step.h"

#define STRESS_THREADS	4
#define STRESS_PROCESSES	4
#define STRESS_IDS	6

#define STRESS_EXTRA_MS	60000

/* What a kernel is known to do wrong; see hmm_notifier.h for the names. */
#define STRESS_BUG_TREE_NOT_ENDED	0x1
#define STRESS_BUG_RANGE_END_TWICE	0x2

enum stress_fault {
	STRESS_OK,
	STRESS_FAULT_WARNS,	/* the log differs from what was expected */
	STRESS_FAULT_SPLAT,	/* something that the rule does not know */
	STRESS_FAULT_DETECTORS,	/* the log and the other detectors differ */
	STRESS_FAULT_PAIRS,	/* starts and ends differ */
	STRESS_FAULT_RESULT,	/* a step returned what it must not */
	STRESS_FAULT_HANG,
	STRESS_FAULT_LOG,	/* the log or the trace lost records */
	STRESS_FAULT_SETUP,	/* the run itself does not work */
};

extern const char * const stress_fault_names[];

struct stress_options {
	uint64_t seed;
	unsigned int bugs;		/* STRESS_BUG_... that the kernel has */
	enum rule_site forgets;		/* see struct expected_warns */
	struct warn_watch *watch;	/* the caller's, who has read all of it */

	/*
	 * How long to wait until counts match each other and the log: kernel
	 * threads are not stopped at a checkpoint.
	 */
	unsigned int patience_ms;

	/*
	 * The run ends at the first checkpoint after this time, or somewhat later if
	 * there were less than @least_warns WARNs, too few to prove something.
	 */
	unsigned int milliseconds;
	unsigned int least_warns;

	/* With threads: how many steps each takes between checkpoints */
	unsigned int steps_each;

	/* Without threads: the steps, with a checkpoint after each */
	const struct stress_step *steps;
	unsigned int nr_steps;

	/* Called now and then, may be NULL */
	void (*progress)(const char *text);
};

struct stress {
	struct stress_options options;
	bool threads;
	atomic_int driver;		/* its pid */

	/*
	 * The first fault and which of @whys tells of it, see stress_fault() and
	 * stress_why(). Each thread of each process fails once.
	 */
	atomic_uint fault;
	atomic_uint nr_whys;
	char whys[STRESS_THREADS + 3][512];

	/*
	 * Room in the log, by stress_noise(): what fail points may use, what was
	 * read, and what was read and may be used again.
	 */
	atomic_ullong noise_ordered;
	atomic_ullong noise_heard;
	atomic_ullong noise_credit;

	/*
	 * What a thread does now, since when (ms; 0: nothing), and how long its
	 * slowest step took (ms).
	 */
	struct {
		struct stress_step step;
		atomic_ullong since;
		atomic_ullong slowest;
	} busy[STRESS_THREADS + 1];

	atomic_ullong ran[STRESS_STEP_NR_KINDS];
	atomic_ullong avoided;
	atomic_ullong held_back;
	atomic_uint position;		/* in options.steps */

	struct expected_warns epoch;		/* since the last checkpoint */
};

/* The first fault and its text; STRESS_OK and "" if there is none */
enum stress_fault stress_fault(const struct stress *stress);
const char *stress_why(const struct stress *stress);

/* Notes the first fault and returns -1. */
int stress_fail(struct stress *stress, enum stress_fault fault,
		const char *format, ...) __attribute__((format(printf, 3, 4)));

extern const struct stress_step_world stress_world;

uint64_t stress_now(void);	/* ms */

/* How much room in the log they take, in messages; a WARN has some 40 lines. */
static inline uint64_t stress_noise(uint64_t warns, uint64_t messages)
{
	return 16 * warns + messages;
}

#endif
