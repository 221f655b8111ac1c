/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Leaves out of a failing sequence of steps what it fails without: delta
 * debugging (Zeller, Hildebrandt, 2002), down to where no single step can be
 * left out.
 */
#ifndef HMM_NOTIFIER_STRESS_SHRINK_H
#define HMM_NOTIFIER_STRESS_SHRINK_H

#include <stdbool.h>

#include "stress/stress_step.h"

/*
 * @fails: whether these steps still fail in the same way. Returns how many are
 * left in @steps; the shortest found so far after @tries calls.
 */
unsigned int shrink_steps(struct stress_step *steps, unsigned int nr, unsigned int tries,
			  bool (*fails)(const struct stress_step *steps, unsigned int nr,
					void *arg),
			void *arg);

#endif
