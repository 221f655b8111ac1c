/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks what became of a victim of hmm_notifier_oom, against its plan and the rule.
 */
#ifndef HMM_NOTIFIER_OOM_CHECKS_H
#define HMM_NOTIFIER_OOM_CHECKS_H

#include <errno.h>

#include "hmm_notifier.h"
#include "oom/oom.h"

#define OOM_SLEEP_SPLAT	"BUG: sleeping function called from invalid context"
#define OOM_KILL_LINE	"of memory: Killed process "	/* KERN_ERR */

#define OOM_PAGES		VICTIM_MAPPING_PAGES

static inline const struct rule_outcome *
outcome_of(const struct oom_plan *plan)
{
	return rule_expect(plan->kind, RULE_NON_BLOCKABLE, plan->ret);
}

/* How many tries fail by the plan; see struct oom_plan */
static inline unsigned int failing_tries(const struct oom_plan *plan)
{
	if (!outcome_of(plan)->fails)
		return 0;
	if (plan->everywhere && plan->times)
		return 1;
	return plan->times ? plan->times : OOM_MAX_TRIES;
}

static inline enum oom_end expected_end(const struct oom_plan *plan)
{
	return failing_tries(plan) < OOM_MAX_TRIES ? OOM_REAPED : OOM_UNABLE;
}

static inline bool fails_in(const struct oom_plan *plan, unsigned int mapping)
{
	return plan->everywhere || !mapping;
}

static inline int expected_pages(const struct oom_plan *plan,
				 unsigned int mapping)
{
	return expected_end(plan) == OOM_UNABLE && fails_in(plan, mapping) ?
	       OOM_PAGES : 0;
}

/* The reaper tries until nothing fails, ten times at most, and logs how it ended. */
static inline void check_tries(struct __test_metadata *_metadata,
			       const struct oom_plan *plan,
			       const struct oom_seen *seen)
{
	unsigned int failing = failing_tries(plan);
	unsigned int i;

	EXPECT_EQ(expected_end(plan), seen->end);
	for (i = 0; i < OOM_MAPPINGS; i++) {
		EXPECT_EQ(failing < OOM_MAX_TRIES ? failing + 1 : OOM_MAX_TRIES,
			  seen->tries[i]);
		/* Which VMAs are the first ones differs from kernel to kernel. */
		if (plan->everywhere && plan->times)
			continue;
		EXPECT_EQ(fails_in(plan, i) ? failing : 0, seen->failed[i]);
	}
}

/* How often the fail point is hit, by the plan */
static inline unsigned int expected_hits(const struct oom_plan *plan,
					 const struct oom_seen *seen)
{
	if (plan->times)
		return plan->times;
	return plan->everywhere ? seen->starts : OOM_MAX_TRIES;
}

/* Of a callback that sleeps: the kernel checks only those of hlist notifiers. */
static inline unsigned int expected_splats(const struct oom_plan *plan)
{
	return plan->act == HMM_DMIRROR_ACT_SLEEP &&
	       !rule_is_interval(plan->kind);
}

/* Each hit, one for each try and VMA, leads to what the rule says. */
static inline void check_warns(struct __test_metadata *_metadata,
			       const struct oom_plan *plan,
			       const struct oom_seen *seen)
{
	const struct rule_outcome *outcome = outcome_of(plan);
	unsigned int i;

	EXPECT_EQ(expected_hits(plan, seen), seen->hits);
	if (plan->everywhere && !plan->times)
		EXPECT_LT(OOM_MAPPINGS * seen->tries[0], seen->hits);
	for (i = 0; i < RULE_NR_SITES; i++)
		EXPECT_EQ(outcome->warns[i] * seen->hits,
			  seen->report.warns[i]) {
			TH_LOG("of enum rule_site %u", i);
		}
	EXPECT_EQ(outcome->message * seen->hits, seen->report.messages);
	for (i = 0; i < seen->report.messages && i < WARN_MAX_MESSAGES; i++) {
		EXPECT_EQ(plan->ret, seen->report.message[i].ret);
		EXPECT_EQ(RULE_NON_BLOCKABLE, seen->report.message[i].context);
	}
	EXPECT_EQ(plan->kind == RULE_HLIST_END ? seen->starts : 0, seen->ends);
	EXPECT_EQ(expected_splats(plan), seen->report.others) {
		TH_LOG("%s", seen->report.first_other);
	}
	if (seen->report.others)
		EXPECT_NE(NULL, strstr(seen->report.first_other, OOM_SLEEP_SPLAT));
}

/*
 * Only mappings that failed in the last try keep their pages. All other pages leave the
 * victim's RSS and the cgroup's charge, of which up to 10 % may be something else: see
 * lib/oom/oom_victim.c.
 */
static inline void check_memory(struct __test_metadata *_metadata,
				const struct oom_plan *plan,
				const struct oom_seen *seen)
{
	bool all_kept = plan->everywhere && expected_end(plan) == OOM_UNABLE;
	long kept = 0;
	unsigned int i;

	for (i = 0; i < OOM_MAPPINGS; i++) {
		EXPECT_EQ(expected_pages(plan, i), seen->resident[i]);
		EXPECT_EQ(expected_pages(plan, i), seen->intact[i]);
		kept += expected_pages(plan, i);
	}
	EXPECT_LT(OOM_MAPPINGS * OOM_PAGES, seen->rss_before);
	EXPECT_LT(0, seen->charged_at_kill);
	if (all_kept) {
		EXPECT_LE(seen->rss_before, seen->rss_after);
		EXPECT_LE(seen->charged_at_kill * 9 / 10, seen->charged_after);
	} else {
		EXPECT_EQ(kept, seen->rss_after);
		EXPECT_GT(seen->charged_at_kill / 10, seen->charged_after);
	}
}

/* Others use the mirror's lock too, so the reaper may need more tries. */
static inline void check_mirror(struct __test_metadata *_metadata,
				const struct oom_plan *plan,
				const struct oom_seen *seen)
{
	unsigned int i, failing = failing_tries(plan);

	EXPECT_EQ(expected_end(plan), seen->end);
	EXPECT_LE(failing < OOM_MAX_TRIES ? failing + 1 : OOM_MAX_TRIES,
		  seen->tries[0]);
	for (i = 0; i < OOM_MAPPINGS; i++) {
		EXPECT_EQ(seen->tries[0], seen->tries[i]);
		EXPECT_EQ(OOM_PAGES, seen->mirrored_before[i]);
		EXPECT_EQ(expected_pages(plan, i) ?: -EFAULT, seen->mirrored[i]);
	}
}

/* The OOM killer killed it, and once let go it ends. */
static inline void check_exit(struct __test_metadata *_metadata,
			      const struct oom_plan *plan,
			      const struct oom_seen *seen)
{
	EXPECT_TRUE(seen->killed);
	EXPECT_EQ(0, seen->finish);
	if (plan->beside_interval && seen->close == -ETIMEDOUT)
		KNOWN_BUG(BUG_INTERVAL_TREE_NOT_ENDED);
	else
		EXPECT_EQ(0, seen->close);
}

#endif
