// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "stress/shrink.h"

/* Copies all but @len ops from @at on; returns how many that are. */
static unsigned int without(struct op *to, const struct op *ops,
			    unsigned int nr, unsigned int at, unsigned int len)
{
	memcpy(to, ops, at * sizeof(*ops));
	memcpy(to + at, ops + at + len, (nr - at - len) * sizeof(*ops));
	return nr - len;
}

unsigned int shrink_ops(struct op *ops, unsigned int nr, unsigned int tries,
			bool (*fails)(const struct op *ops, unsigned int nr,
				      void *arg),
			void *arg)
{
	struct op *fewer = calloc(nr, sizeof(*ops));
	unsigned int chunk = nr / 2 ?: 1;

	if (!fewer)
		return nr;
	while (tries) {
		unsigned int at = 0, before = nr;

		while (at < nr && tries) {
			unsigned int len = chunk < nr - at ? chunk : nr - at;
			unsigned int left = without(fewer, ops, nr, at, len);

			tries--;
			if (left && fails(fewer, left, arg)) {
				memcpy(ops, fewer, left * sizeof(*ops));
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
