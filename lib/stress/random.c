// SPDX-License-Identifier: GPL-2.0
#include "stress/random.h"

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014) */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void random_seed(struct random *random, uint64_t seed, unsigned int stream)
{
	random->state = seed;
	random->state = random_next(random) + stream;
	random_next(random);
}

unsigned int random_below(struct random *random, unsigned int limit)
{
	return (random_next(random) >> 32) % limit;
}
