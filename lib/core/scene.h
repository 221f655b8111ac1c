/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test watches, and all that it expects of it. It is judged at its end,
 * when victim, mm and device are gone, as their end WARNs, too. So a test that
 * forgets to expect something fails.
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
	struct victim victim;		/* or our own mm's device: scene_open() */
	struct warn_watch watch;

	/* Since the last scene_look(), and what that one compared */
	struct scene_due expected, due;
	struct warn_report taken, report;
	/* Of the whole scene, for the kernel's log */
	unsigned int accounted[RULE_NR_SITES];

	/* Of scene_add(), by id; ends that a known bug has too many of */
	struct rule_notifier notifiers[HMM_DMIRROR_NR_NOTIFIERS];
	unsigned int surplus_ends[HMM_DMIRROR_NR_NOTIFIERS];
	char unpaired[128];
	bool may_hang;			/* the mm is not sound, by a known bug */
};

/* Splats from now on belong to @scene. Returns 0 or -errno. */
int scene_begin(struct scene *scene);

/* Opens @node for our own mm instead of a victim's. Returns 0 or -errno. */
int scene_open(struct scene *scene, const char *node);

/* fail_point_add_notifier() by a scene's device; each of its starts has to have its end. */
int scene_add(struct scene *scene, unsigned int id,
	      const struct rule_notifier *notifier);

/* What has to come, on top of what was expected so far */
void scene_expect(struct scene *scene, const unsigned int warns[RULE_NR_SITES],
		  unsigned int messages);
void scene_expect_hits(struct scene *scene, const struct rule_outcome *outcome,
		       unsigned int hits);

/* Splats with @text in their first line; the log's reader is told, too. */
void scene_expect_splats(struct scene *scene, const char *text,
			 unsigned int nr);

/* What somebody else has read from the scene's watch */
void scene_take(struct scene *scene, const struct warn_report *report);

/*
 * Reads what came since the last look: scene->report has to be scene->due then.
 * Returns as warn_stop() does.
 */
int scene_look(struct scene *scene);

/*
 * Whether the mm is as usable as before; if it is gone, whether it says so. 0,
 * -ETIMEDOUT if that hangs, or -errno.
 */
int scene_soundness(const struct scene *scene);

/*
 * Whether starts and ends of all notifiers that are still there match; if not,
 * scene->unpaired tells of one. After victim_finish(): nothing goes on.
 */
bool scene_is_paired(struct scene *scene);

/* Tells the log's reader how many WARNs of which site are accounted for. */
int scene_account(const struct scene *scene);

#endif
