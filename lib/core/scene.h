/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test watches, and all that it expects to see. The comparison comes when the
 * victim, its mm and the device are gone, since their end can WARN as well. So a test
 * that forgets to expect something fails.
 */
#ifndef HMM_NOTIFIER_CORE_SCENE_H
#define HMM_NOTIFIER_CORE_SCENE_H

#include <stdbool.h>

#include "core/dmirror.h"
#include "core/rule.h"
#include "core/victim.h"
#include "core/warn.h"

struct scene_due {
	unsigned int warns[RULE_NR_SITES];
	unsigned int messages;
	unsigned int others;		/* splats that the rule knows nothing of */
};

struct scene {
	struct victim victim;		/* by scene_open(): our own mm and device */
	struct warn_watch watch;

	/* Expected since the last scene_look(); at that one */
	struct scene_due expected, due;
	/* Read by others since the last scene_look(); all up to that one */
	struct warn_report taken, report;
	/* What the whole scene expects, for the kernel's log */
	unsigned int accounted[RULE_NR_SITES];

	/* By id: what scene_add() added; ends too many, or too few, by a known bug */
	struct rule_notifier notifiers[HMM_DMIRROR_NR_NOTIFIERS];
	int surplus_ends[HMM_DMIRROR_NR_NOTIFIERS];
	char unpaired[128];
	bool may_hang;			/* a known bug has left the mm unusable */
};

/* Splats from now on belong to @scene. Returns 0 or -errno. */
int scene_begin(struct scene *scene);

/* Opens @node for our own mm instead of a victim's. Returns 0 or -errno. */
int scene_open(struct scene *scene, const char *node);

/* fail_point_add_notifier(); from then on scene_is_paired() checks the notifier. */
int scene_add(struct scene *scene, unsigned int id,
	      const struct rule_notifier *notifier);

/*
 * Expect these WARNs and messages on top of those so far; or what @outcome says, @hits
 * times.
 */
void scene_expect(struct scene *scene, const unsigned int warns[RULE_NR_SITES],
		  unsigned int messages);
void scene_expect_hits(struct scene *scene, const struct rule_outcome *outcome,
		       unsigned int hits);

/*
 * Expects @nr other splats with @text in their first line, and says so in the kernel's
 * log, for the judge.
 */
void scene_expect_splats(struct scene *scene, const char *text,
			 unsigned int nr);

/* Adds a report that the caller has read from @scene->watch itself. */
void scene_take(struct scene *scene, const struct warn_report *report);

/*
 * Reads what came since the last look: scene->report has to be scene->due then.
 * Returns as warn_stop() does.
 */
int scene_look(struct scene *scene);

/*
 * Whether the mm is as usable as before; after victim_finish(), whether the device says
 * that it is gone. 0, -ETIMEDOUT if that hangs, or -errno.
 */
int scene_soundness(const struct scene *scene);

/*
 * Whether the starts and ends of all notifiers that are still there match; if not,
 * scene->unpaired tells of one. Call it after victim_finish(), when nothing goes on.
 */
bool scene_is_paired(struct scene *scene);

/* Says in the kernel's log, for the judge, how many WARNs of each site were expected. */
int scene_account(const struct scene *scene);

#endif
