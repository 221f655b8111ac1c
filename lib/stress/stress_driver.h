/* SPDX-License-Identifier: GPL-2.0 */
/* Takes the steps of a stress run, and asks at each checkpoint. */
#ifndef HMM_NOTIFIER_STRESS_STRESS_DRIVER_H
#define HMM_NOTIFIER_STRESS_STRESS_DRIVER_H

#include "stress/stress_state.h"

enum stress_order {
	STRESS_GO_ON,
	STRESS_COUNT_AGAIN,
	STRESS_FINISH,
};

/*
 * Runs in a process of its own. At each checkpoint it writes a question and reads an
 * order.
 */
void stress_driver_main(struct stress *stress, int questions, int orders);

#endif
