// SPDX-License-Identifier: GPL-2.0
/*
 * process_mrelease() itself, on which the other tests rely: it reaps a dying process. If
 * the process is not dying, it leaves all memory alone and returns why.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/sysfile.h"
#include "hmm_notifier.h"
#include "oom/memory_hog.h"

#define PAGES	VICTIM_MAPPING_PAGES

FIXTURE(mrelease) {
	struct scene scene;
};

FIXTURE_SETUP(mrelease)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 1);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1, HMM_DMIRROR_HLIST, 0, 0));
}

SCENE_TEARDOWN(mrelease)

/* Non-blockable calls of the notifier so far, or -errno */
static int calls(const struct victim *victim)
{
	struct hmm_dmirror_counts counts;
	int err = dmirror_counts(victim->device, 1, &counts);

	return err ? err : (int)dmirror_sum(counts.calls[RULE_NON_BLOCKABLE]);
}

TEST_F(mrelease, of_the_dying_reaps)
{
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	EXPECT_EQ(0, victim_mrelease(self->scene.victim.pidfd, 0));

	EXPECT_LT(0, calls(&self->scene.victim));
	EXPECT_EQ(0, victim_resident(&self->scene.victim, 0));
}

/*
 * -1: the reaper goes from the top down, so that it meets an exit half way; 1: up, as in
 * 6.12 and before; 0: either. Of what lies between, nobody has looked which it is.
 */
static int direction(void)
{
	if (kernel_version() < LINUX_VERSION(6, 13))
		return 1;
	return kernel_version() < LINUX_VERSION(7, 2) ? 0 : -1;
}

/* Each mapping once, in the order of their addresses */
TEST_F(mrelease, goes_one_way)
{
	static struct hmm_dmirror_call log[HMM_DMIRROR_NR_CALLS];
	struct victim *victim = &self->scene.victim;
	int i, nr, last = -1, up = 0, down = 0;

	ASSERT_EQ(0, victim_freeze(victim));
	ASSERT_LE(0, dmirror_calls(victim->device, log, HMM_DMIRROR_NR_CALLS));

	EXPECT_EQ(0, victim_mrelease(victim->pidfd, 0));

	nr = dmirror_calls(victim->device, log, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	for (i = 0; i < nr; i++) {
		if (dmirror_context(&log[i]) != RULE_NON_BLOCKABLE)
			continue;
		up += last >= 0 && log[i].start >= log[last].end;
		down += last >= 0 && log[i].end <= log[last].start;
		last = i;
	}
	/* The stack, libc and more, beside the victim's own mapping */
	EXPECT_LE(2, up + down);
	EXPECT_TRUE(!up || !down)
		TH_LOG("%d steps up, %d down", up, down);
	EXPECT_EQ(0, direction() > 0 ? down : direction() < 0 ? up : 0)
		TH_LOG("%d steps up, %d down", up, down);
}

TEST_F(mrelease, of_the_living_is_einval)
{
	EXPECT_EQ(-EINVAL, victim_mrelease(self->scene.victim.pidfd, 0));

	EXPECT_EQ(0, calls(&self->scene.victim));
	EXPECT_EQ(PAGES, victim_intact(&self->scene.victim, 0));
}

TEST_F(mrelease, of_a_stopped_one_is_einval)
{
	ASSERT_EQ(0, kill_task(self->scene.victim.pid, SIGSTOP));
	ASSERT_EQ(self->scene.victim.pid,
		  waitpid(self->scene.victim.pid, NULL, WUNTRACED));

	EXPECT_EQ(-EINVAL, victim_mrelease(self->scene.victim.pidfd, 0));

	EXPECT_EQ(0, calls(&self->scene.victim));
	EXPECT_EQ(PAGES, victim_intact(&self->scene.victim, 0));
}

/* Its mm is in use by a process that nobody has killed. */
TEST_F(mrelease, of_one_whose_mm_lives_on_is_einval)
{
	ASSERT_LT(0, memory_hog_start_sharer(&self->scene.victim));
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	EXPECT_EQ(-EINVAL, victim_mrelease(self->scene.victim.pidfd, 0));

	EXPECT_EQ(0, calls(&self->scene.victim));
	EXPECT_EQ(PAGES, victim_intact(&self->scene.victim, 0));
}

TEST_F(mrelease, of_a_zombie_is_esrch)
{
	siginfo_t info;

	ASSERT_EQ(0, kill_task(self->scene.victim.pid, SIGKILL));
	ASSERT_EQ(0, waitid(P_PID, self->scene.victim.pid, &info, WEXITED | WNOWAIT));

	EXPECT_EQ(-ESRCH, victim_mrelease(self->scene.victim.pidfd, 0));

	EXPECT_EQ(0, victim_finish(&self->scene.victim));
}

TEST_F(mrelease, of_the_gone_is_esrch)
{
	pid_t pid = fork();
	int pidfd;

	if (!pid)
		_exit(0);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));

	EXPECT_EQ(-ESRCH, victim_mrelease(pidfd, 0));

	close(pidfd);
}

TEST_F(mrelease, without_a_pidfd_is_ebadf)
{
	EXPECT_EQ(-EBADF, victim_mrelease(-1, 0));
	EXPECT_EQ(-EBADF, victim_mrelease(self->scene.victim.device, 0));
}

TEST_F(mrelease, with_flags_is_einval)
{
	ASSERT_EQ(0, victim_freeze(&self->scene.victim));

	EXPECT_EQ(-EINVAL, victim_mrelease(self->scene.victim.pidfd, 1));

	EXPECT_EQ(0, calls(&self->scene.victim));
	EXPECT_EQ(PAGES, victim_intact(&self->scene.victim, 0));
}

FIXTURE(race) {
	struct scene scene;
};

FIXTURE_VARIANT(race) {
	struct rule_notifier notifier;
	int failure;
};

/* One that has ends may be released between a start and its end, which then is none. */
FIXTURE_VARIANT_ADD(race, hlist_0) { { .kind = RULE_HLIST }, 0 };
FIXTURE_VARIANT_ADD(race, interval_true) {
	{ .kind = RULE_INTERVAL, .ret = true }, 0 };
FIXTURE_VARIANT_ADD(race, hlist_eagain) {
	{ .kind = RULE_HLIST, .ret = -EAGAIN }, -EAGAIN };
FIXTURE_VARIANT_ADD(race, interval_false) { { .kind = RULE_INTERVAL }, -EAGAIN };

/* Reaping takes a while. */
#define MANY_MAPPINGS	64
#define RACES		5
#define FAILURES	3

static int start_racer(struct scene *scene, const struct rule_notifier *notifier)
{
	struct hmm_dmirror_fail_point fail;
	int err;

	err = victim_start(&scene->victim, DMIRROR_BARE);
	err = err ?: victim_populate(&scene->victim, MANY_MAPPINGS);
	err = err ?: scene_add(scene, 1, notifier);
	fail = fail_point_in(0, RULE_NON_BLOCKABLE, 1, notifier->ret);
	fail.times = FAILURES;
	return err ?: dmirror_arm(scene->victim.device, &fail);
}

/* Returns -ESRCH when the process is gone, or the first result that is not @failure. */
static int reap_until_gone(const struct victim *victim, int failure)
{
	int err = 0;

	while (!err || err == failure)
		err = victim_mrelease(victim->pidfd, 0);
	return err;
}

FIXTURE_SETUP(race)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	ASSERT_EQ(0, start_racer(&self->scene, &variant->notifier));
}

SCENE_TEARDOWN(race)

/* Against an exit it reaps, or fails as a notifier did, until nobody is there. */
TEST_F(race, with_an_exit_ends)
{
	const struct rule_outcome *outcome = rule_expect(variant->notifier.kind,
							 RULE_NON_BLOCKABLE,
							 variant->notifier.ret);
	struct victim *victim = &self->scene.victim;
	unsigned int i;
	__u64 hits;

	for (i = 0; i < RACES; i++) {
		if (i)
			ASSERT_EQ(0, start_racer(&self->scene, &variant->notifier));
		ASSERT_EQ(0, kill_task(victim->pid, SIGKILL));

		EXPECT_EQ(-ESRCH, reap_until_gone(victim, variant->failure));

		ASSERT_EQ(0, victim_finish(victim));
		ASSERT_EQ(0, dmirror_disarm_hits(victim->device, 1, &hits));
		scene_expect_hits(&self->scene, outcome, hits);
		EXPECT_TRUE(scene_is_paired(&self->scene))
			TH_LOG("%s", self->scene.unpaired);
		ASSERT_EQ(0, victim_close(victim));
	}
}

TEST_HARNESS_MAIN
