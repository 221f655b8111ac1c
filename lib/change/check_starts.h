/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compares what one notifier saw with the invalidations that a change has to start.
 */
#ifndef HMM_NOTIFIER_CHANGE_CHECK_STARTS_H
#define HMM_NOTIFIER_CHANGE_CHECK_STARTS_H

#include "change/change.h"
#include "change/window.h"

#define CHECK_STARTS_MAX 128

struct check_starts {
	/* what change_expect() says, and how often it was seen */
	struct change_expected expected[CHECK_STARTS_MAX];
	unsigned int nr;
	unsigned int starts[CHECK_STARTS_MAX];
	unsigned int hits[CHECK_STARTS_MAX];
	unsigned int ends[CHECK_STARTS_MAX];
	bool left[CHECK_STARTS_MAX];	/* as it has to be, at the last end */
	unsigned int not_left;
	char first_not_left[160];
	unsigned int flags;

	/* what the page tables said; wrong: the first one, in words */
	struct window window;

	/* what was seen in the spans and not expected; a text on the first one */
	unsigned int strange;
	char first_strange[160];

	/* Are the starting functions known (start_trace.h)? Which were wrong? */
	bool has_callers;
	unsigned int wrong_callers;
	char first_wrong[160];
};

enum check_starts_flags {
	CHECK_STARTS_ENDS = 1,		/* the notifier is told of ends */
	CHECK_STARTS_MIRROR = 2,	/* and stands beside that of a mirror */
};

/*
 * Forgets what has been seen so far, and has the device look at the page tables from
 * now on, by the way at the first pages of span @watched. Returns 0 or -errno.
 */
int check_starts_begin(struct check_starts *starts, int device,
		       const struct change *change, unsigned int spans,
		       unsigned int watched, unsigned int flags);

/*
 * Fills @starts with what notifier @id of @device saw since the begin, and who
 * started it. The notifier has to be one for all of the mm. Returns 0 or -errno.
 */
int check_starts_take(struct check_starts *starts, int device, unsigned int id,
		      const struct change *change);

#endif
