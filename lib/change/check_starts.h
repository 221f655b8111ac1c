/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one notifier saw of a change, held against what the change has to start.
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

	/* what is seen in the spans and not expected; the first one, in words */
	unsigned int strange;
	char first_strange[160];

	/* who started it; 0 if the kernel can't tell */
	bool has_callers;
	unsigned int wrong_callers;
	char first_wrong[160];
};

/*
 * Takes what notifier @id of @device saw since the last call, and who started
 * it. The notifier has to be one for all of the mm. Returns 0 or -errno.
 */
int check_starts_take(struct check_starts *starts, int device, unsigned int id,
		      const struct change *change, unsigned int spans);

/* Forgets what has been seen so far. Returns 0 or -errno. */
int check_starts_reset(int device);

#endif
