/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shortens a failing sequence of steps by delta debugging (Zeller, Hildebrandt, 2002),
 * until no single step can be left out.
 */
#ifndef HMM_NOTIFIER_STRESS_SHRINK_H
#define HMM_NOTIFIER_STRESS_SHRINK_H

#include <stdbool.h>

#include "stress/stress_step.h"

/*
 * @fails says whether these steps still fail in the same way; it is called @tries times
 * at most. Leaves the shortest sequence found in @steps, and returns its length.
 */
unsigned int shrink_steps(struct stress_step *steps, unsigned int nr, unsigned int tries,
			  bool (*fails)(const struct stress_step *steps, unsigned int nr,
					void *arg),
			void *arg);

#endif
