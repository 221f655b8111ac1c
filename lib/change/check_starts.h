/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compares what one notifier saw with the invalidations that a change has to start.
 */
#ifndef HMM_NOTIFIER_CHANGE_CHECK_STARTS_H
#define HMM_NOTIFIER_CHANGE_CHECK_STARTS_H

#include "change/change.h"

#define CHECK_STARTS_MAX 128

struct check_starts {
	/* what change_expect() says, and how often it was seen */
	struct change_expected expected[CHECK_STARTS_MAX];
	unsigned int nr;
	unsigned int starts[CHECK_STARTS_MAX];
	unsigned int hits[CHECK_STARTS_MAX];
	unsigned int ends[CHECK_STARTS_MAX];

	/* what was seen in the spans and not expected; a text on the first one */
	unsigned int strange;
	char first_strange[160];

	/* Are the starting functions known (start_trace.h)? Which were wrong? */
	bool has_callers;
	unsigned int wrong_callers;
	char first_wrong[160];
};

/*
 * Fills @starts with what notifier @id of @device saw since the last call, and who
 * started it. The notifier has to be one for all of the mm. Returns 0 or -errno.
 */
int check_starts_take(struct check_starts *starts, int device, unsigned int id,
		      const struct change *change, unsigned int spans);

/* Forgets what has been seen so far. Returns 0 or -errno. */
int check_starts_reset(int device);

#endif
