// SPDX-License-Identifier: GPL-2.0
/*
 * An OOM victim that nobody holds but its own device: while it exits, its notifier is told
 * that the mm ends, and does not come back for longer than the kernel waits until it
 * reaps. So the reaper works on an mm without users, that the exit has begun to end, and
 * that only the OOM killer's own reference keeps (signal->oom_mm).
 *
 * The device's file is open elsewhere, so that its notifiers stay to the end.
 */
#include <errno.h>
#include <poll.h>

#include "core/kmsg.h"
#include "hmm_notifier.h"
#include "hmm_notifier_oom_checks.h"
#include "oom/cgroup.h"
#include "oom/memory_hog.h"
#include "oom/oom_log.h"

#define COUNTS		1	/* hlist, with an end */
#define HOLDS		2	/* an interval over the mappings */
#define MAPPINGS	3
#define TAKEN		(16 << 20)
#define LIMIT		"4194304"
#define BOUND_MS	20000
#define TIMEOUT_S	120
/* OOM_REAPER_DELAY of mm/oom_kill.c, less a few ticks of 100 Hz; by the log's clock */
#define DELAY_US	1900000

FIXTURE(exiting) {
	struct scene scene;
	struct cgroup cgroup;
	struct kmsg kmsg;
};

static int hold_the_end(int device)
{
	struct hmm_dmirror_fail_point fail = {
		.id = HOLDS,
		.ret = true,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.events = 1 << HMM_DMIRROR_EVENT_RELEASE,
		.end = ~0ULL,
		.act = HMM_DMIRROR_ACT_HOLD,
	};

	return dmirror_arm(device, &fail);
}

FIXTURE_SETUP(exiting)
{
	struct victim *victim = &self->scene.victim;

	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(oom_why_not(OOM_MEMCG));
	SCENE_BEGIN(&self->scene);
	/* no splat, but at KERN_ERR */
	kmsg_write("hmm_notifier: expect " OOM_KILL_LINE "\n");
	ASSERT_EQ(0, kmsg_open(&self->kmsg));
	ASSERT_EQ(0, victim_start(victim, DMIRROR_BARE));
	ASSERT_EQ(0, cgroup_create(&self->cgroup, "hmm_notifier.exiting"));
	ASSERT_EQ(0, cgroup_enter(&self->cgroup, victim->pid));
	/* There is no such file without swap. */
	cgroup_write(&self->cgroup, "memory.swap.max", "0");
	ASSERT_EQ(0, victim_populate(victim, MAPPINGS));
	ASSERT_EQ(0, memory_hog_take(victim, TAKEN));
	ASSERT_EQ(0, scene_add(&self->scene, COUNTS,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	ASSERT_EQ(0, dmirror_add(victim->device, HOLDS, HMM_DMIRROR_INTERVAL,
				 victim_start_of(0), victim_end_of(MAPPINGS - 1)));
	ASSERT_EQ(0, hold_the_end(victim->device));
}

FIXTURE_TEARDOWN(exiting)
{
	kmsg_close(&self->kmsg);
	end_scene(_metadata, variant, &self->scene);
	EXPECT_EQ(0, cgroup_remove(&self->cgroup));
}

/* Waits for a line of the OOM killer's about @pid, and returns when it was logged, or 0. */
static unsigned long long logged(struct kmsg *kmsg, enum oom_log_what what, pid_t pid)
{
	struct kmsg_record record;
	unsigned int waited = 0;

	while (waited < BOUND_MS) {
		int got = kmsg_next(kmsg, &record);
		struct oom_log line;

		if (got < 0)
			break;
		if (!got) {
			usleep(1000);
			waited++;
			continue;
		}
		line = oom_log_parse(record.text);
		if (line.what == what && line.pid == pid)
			return record.usec;
	}
	return 0;
}

static bool has_ended(const struct victim *victim, int wait_ms)
{
	struct pollfd end = { .fd = victim->pidfd, .events = POLLIN };

	return poll(&end, 1, wait_ms) == 1;
}

/*
 * The reaper comes 2 s after the kill and not before, in which time the victim's robust
 * futexes are cleaned; it takes away all that is mapped, and the exit then ends as any.
 */
TEST_F_TIMEOUT(exiting, is_reaped_beside_its_exit, TIMEOUT_S)
{
	struct victim *victim = &self->scene.victim;
	struct hmm_dmirror_counts counts, holds;
	unsigned long long killed, reaped;
	pid_t pid = victim->pid;

	EXPECT_EQ(0, cgroup_write(&self->cgroup, "memory.max", LIMIT));

	killed = logged(&self->kmsg, OOM_LOG_KILLED, pid);
	reaped = logged(&self->kmsg, OOM_LOG_REAPED, pid);
	ASSERT_LT(0, killed);
	ASSERT_LT(0, reaped);
	EXPECT_LE(killed + DELAY_US, reaped);

	/* Its exit is where the device holds it, and it has not gone on meanwhile. */
	ASSERT_EQ(0, dmirror_counts(victim->device, HOLDS, &holds));
	EXPECT_EQ(1, holds.hits);
	EXPECT_EQ(MAPPINGS, dmirror_sum(holds.calls[RULE_NON_BLOCKABLE]));
	EXPECT_FALSE(has_ended(victim, 0));
	ASSERT_EQ(0, dmirror_counts(victim->device, COUNTS, &counts));
	EXPECT_LE(MAPPINGS, dmirror_sum(counts.calls[RULE_NON_BLOCKABLE]));
	EXPECT_EQ(dmirror_sum(counts.calls[RULE_NON_BLOCKABLE]),
		  dmirror_sum(counts.ends[RULE_NON_BLOCKABLE]));
	EXPECT_EQ(0, counts.releases);

	ASSERT_EQ(0, dmirror_disarm(victim->device, HOLDS));
	EXPECT_TRUE(has_ended(victim, BOUND_MS));
	ASSERT_EQ(0, victim_finish(victim));
	ASSERT_EQ(0, dmirror_counts(victim->device, COUNTS, &counts));
	EXPECT_EQ(1, counts.releases);
	EXPECT_GT(4 << 20, cgroup_number(&self->cgroup, "memory.current"));
}

TEST_HARNESS_MAIN
