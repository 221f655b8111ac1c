/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that can be repeated: a stream depends on its seed and its number alone.
 */
#ifndef HMM_NOTIFIER_STRESS_RANDOM_H
#define HMM_NOTIFIER_STRESS_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

void random_seed(struct random *random, uint64_t seed, unsigned int stream);
uint64_t random_next(struct random *random);

/* 0 to @limit - 1; @limit is small, so the modulo hardly matters */
unsigned int random_below(struct random *random, unsigned int limit);

#endif
