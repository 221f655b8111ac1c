// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "stress/shrink.h"

/* Copies all but @len steps from @at on; returns how many that are. */
static unsigned int without(struct stress_step *to, const struct stress_step *steps,
			    unsigned int nr, unsigned int at, unsigned int len)
{
	memcpy(to, steps, at * sizeof(*steps));
	memcpy(to + at, steps + at + len, (nr - at - len) * sizeof(*steps));
	return nr - len;
}

unsigned int shrink_steps(struct stress_step *steps, unsigned int nr, unsigned int tries,
			  bool (*fails)(const struct stress_step *steps, unsigned int nr,
					void *arg),
			void *arg)
{
	struct stress_step *fewer = calloc(nr, sizeof(*steps));
	unsigned int chunk = nr / 2 ?: 1;

	if (!fewer)
		return nr;
	while (tries) {
		unsigned int at = 0, before = nr;

		while (at < nr && tries) {
			unsigned int len = chunk < nr - at ? chunk : nr - at;
			unsigned int left = without(fewer, steps, nr, at, len);

			tries--;
			if (left && fails(fewer, left, arg)) {
				memcpy(steps, fewer, left * sizeof(*steps));
				nr = left;
			} else {
				at += len;
			}
		}
		if (chunk > 1)
			chunk /= 2;
		else if (nr == before)
			break;
	}
	free(fewer);
	return nr;
}
