/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stress run: several threads take random steps on several processes that have
 * notifiers. At every checkpoint, all that the device counted is compared with all that
 * the kernel logged.
 *
 * Two processes make it. The driver (stress_driver.c) takes the steps. The caller of
 * stress_run() reads the log all the time, compares, and gives up a driver that hangs.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_H
#define HMM_NOTIFIER_STRESS_STRESS_H

#include "stress/stress_state.h"

struct stress_result {
	enum stress_fault fault;
	char why[512];			/* "" without a fault */
	unsigned int failed_step;		/* the index of the step */
	struct expected_warns expected;
	struct warn_report said;
	uint64_t ran[STRESS_STEP_NR_KINDS];
	uint64_t avoided;		/* fail points left out because of known bugs */
	uint64_t held_back;		/* fail points left out, not to flood the log */
	uint64_t checkpoints;
	unsigned int milliseconds;
};

/* Returns 0 and fills @result, or -errno when there was no run. */
int stress_run(const struct stress_options *options,
	       struct stress_result *result);

/* Adds the figures of one more run to @sum. */
void stress_sum(struct stress_result *sum, const struct stress_result *result);

/* The steps of all threads of @options, in turns, for a run without threads */
void stress_steps(const struct stress_options *options, struct stress_step *steps,
		  unsigned int nr);

#endif
