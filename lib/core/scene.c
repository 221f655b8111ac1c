// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/fail_point.h"
#include "core/scene.h"

#define OURSELVES -1

int scene_begin(struct scene *scene)
{
	*scene = (struct scene) { .victim = {
		.pidfd = -1, .orders = -1, .answers = -1, .device = -1,
	} };
	return warn_start(&scene->watch);
}

int scene_open(struct scene *scene, const char *node)
{
	struct victim *victim = &scene->victim;

	victim->pid = OURSELVES;
	victim->device = dmirror_open(node);
	if (victim->device < 0)
		return victim->device;
	return keeper_start(&victim->keeper, victim->device);
}

int scene_add(struct scene *scene, unsigned int id,
	      const struct rule_notifier *notifier)
{
	scene->notifiers[id] = *notifier;
	return fail_point_add_notifier(scene->victim.device, id, notifier);
}

void scene_expect(struct scene *scene, const unsigned int warns[RULE_NR_SITES],
		  unsigned int messages)
{
	unsigned int site;

	for (site = 0; site < RULE_NR_SITES; site++) {
		scene->expected.warns[site] += warns[site];
		scene->accounted[site] += warns[site];
	}
	scene->expected.messages += messages;
}

void scene_expect_hits(struct scene *scene, const struct rule_outcome *outcome,
		       unsigned int hits)
{
	unsigned int site, warns[RULE_NR_SITES];

	for (site = 0; site < RULE_NR_SITES; site++)
		warns[site] = hits * outcome->warns[site];
	scene_expect(scene, warns, hits * outcome->message);
}

void scene_expect_splats(struct scene *scene, const char *text, unsigned int nr)
{
	if (nr)
		kmsg_write("hmm_notifier: expect %s\n", text);
	scene->expected.others += nr;
}

void scene_take(struct scene *scene, const struct warn_report *report)
{
	warn_add(&scene->taken, report);
}

int scene_look(struct scene *scene)
{
	int err = warn_stop(&scene->watch, &scene->report);

	warn_add(&scene->report, &scene->taken);
	scene->due = scene->expected;
	memset(&scene->taken, 0, sizeof(scene->taken));
	memset(&scene->expected, 0, sizeof(scene->expected));
	return err;
}

int scene_soundness(const struct scene *scene)
{
	int err;

	if (scene->victim.device < 0)
		return 0;
	err = mm_soundness(scene->victim.device);
	if (scene->victim.pid)
		return err;
	/* After victim_finish() the mm is gone. */
	return err == -ESRCH ? 0 : err ?: -EEXIST;
}

static uint64_t both(const __u64 counts[2][HMM_DMIRROR_NR_EVENTS])
{
	return dmirror_sum(counts[RULE_NON_BLOCKABLE]) +
	       dmirror_sum(counts[RULE_BLOCKABLE]);
}

/* Have starts their ends, and first passes their second ones? */
static bool is_paired(struct scene *scene, unsigned int id,
		      const struct hmm_dmirror_counts *counts)
{
	const struct rule_notifier *n = &scene->notifiers[id];
	uint64_t starts = 0, ends = both(counts->ends) + counts->finishes;

	if (n->kind == RULE_HLIST_END)
		starts = both(counts->calls) + scene->surplus_ends[id];
	if (n->kind == RULE_INTERVAL_TWO_PASS && !n->no_finish)
		starts = both(counts->calls) - both(counts->again);
	if (starts == ends)
		return true;
	snprintf(scene->unpaired, sizeof(scene->unpaired),
		 "notifier %u has %" PRIu64 " starts that need an end, %" PRIu64
		 " ends", id, starts, ends);
	return false;
}

bool scene_is_paired(struct scene *scene)
{
	struct hmm_dmirror_counts counts;
	unsigned int id;
	int err;

	for (id = 0; id < HMM_DMIRROR_NR_NOTIFIERS; id++) {
		if (scene->victim.device < 0 || !scene->notifiers[id].kind)
			continue;
		err = dmirror_counts(scene->victim.device, id, &counts);
		if (err == -ENOENT)
			continue;
		if (err) {
			snprintf(scene->unpaired, sizeof(scene->unpaired),
				 "counts of notifier %u: %s", id, strerror(-err));
			return false;
		}
		if (!is_paired(scene, id, &counts))
			return false;
	}
	return true;
}

int scene_account(const struct scene *scene)
{
	const unsigned int *warns = scene->accounted;

	return kmsg_write("hmm_notifier: accounted release=%u interval=%u hlist=%u range_end=%u\n",
			  warns[RULE_SITE_INTERVAL_RELEASE],
			  warns[RULE_SITE_INTERVAL], warns[RULE_SITE_HLIST],
			  warns[RULE_SITE_HLIST_END]);
}
