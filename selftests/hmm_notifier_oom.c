// SPDX-License-Identifier: GPL-2.0
/*
 * Notifiers that fail when the OOM killer has killed their process: the rule
 * exists because of the oom_reaper, the one caller that may not block.
 *
 * Each variant is a victim with one notifier, killed by a real OOM kill and held
 * in do_exit() until the oom_reaper has given up or reaped it. All victims of a
 * stage are killed at once, by whichever of its tests comes first, so that they
 * wait together for the kernel's 2 s; each test then looks at what became of its
 * own. The splats are therefore in the part of the kernel's log that belongs to
 * that first test.
 *
 * Not tested here: the rule's other combinations (hmm_notifier_contract), and
 * victims that are not held, where the reaper comes too late by design.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "core/kernel_checks.h"
#include "core/sysfile.h"
#include "hmm_notifier_oom_checks.h"
#include "oom/cgroup.h"
#include "oom/memory_hog.h"

/*
 * Seen: 15 s on an idle machine, more than 120 s on one with a load of twenty per CPU.
 */
#define TIMEOUT_S	600

/* What became of the victims of one fixture, or of one of its variants */
struct stage {
	int err;
	bool started, done;
	struct oom_rest rest;
	struct oom_seen seen[OOM_MAX_VICTIMS];
};

enum stage_nr {
	STAGE_BATCH,	/* all victims that can be killed together */
	STAGE_MBIND,
	STAGE_CPUSET,
	STAGE_SYSRQ,
	STAGE_GLOBAL,
	NR_STAGES,
};

/* Shared with the processes that the harness runs the tests in */
static struct stage *stages;

static void __attribute__((constructor)) make_stages(void)
{
	kernel_checks_sleep();	/* once for all tests: it reads a large file */
	stages = mmap(NULL, NR_STAGES * sizeof(*stages), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* Why there can be no such victim, for a SKIP; NULL if there can */
static const char *why_not_victim(const struct oom_plan *plan)
{
	const struct rule_notifier notifier = { plan->kind, plan->ret };
	const char *why = oom_why_not(plan->place);

	if (!why && (warns_of(&notifier, RULE_NON_BLOCKABLE) || plan->act))
		why = consent_why_not_splat();
	if (!why && plan->act && !kernel_checks_sleep())
		why = "no check for sleeping (CONFIG_DEBUG_ATOMIC_SLEEP)";
	if (!why && plan->beside_interval)
		why = consent_why_not_hang();
	return why;
}

/* A variant: one victim, and which others are killed with it */
struct part {
	enum stage_nr stage;
	struct oom_plan plan;
	const char *constraint;		/* as the log has it */
};

static bool has_victims(const struct __fixture_metadata *fixture)
{
	return !strcmp(fixture->name, "reaper") ||
	       !strcmp(fixture->name, "mirror") ||
	       !strcmp(fixture->name, "place");
}

/*
 * The plans of all victims of @stage that there can be, of every fixture. Returns
 * how many come before @last, which is its place, or how many there are.
 */
static unsigned int gather(enum stage_nr stage, const struct part *last,
			   struct oom_plan *plans)
{
	const struct __fixture_variant_metadata *v;
	const struct __fixture_metadata *f;
	unsigned int nr = 0;

	for (f = __fixture_list; f; f = f->next) {
		for (v = has_victims(f) ? f->variant : NULL; v; v = v->next) {
			const struct part *part = v->data;

			if (part == last)
				return nr;
			if (part->stage != stage || why_not_victim(&part->plan))
				continue;
			if (plans && nr < OOM_MAX_VICTIMS)
				plans[nr] = part->plan;
			nr++;
		}
	}
	return nr;
}

/* Says so at most every 5 s: the runner takes 45 s of silence for a hang. */
static void say(const char *what)
{
	static time_t last;
	static unsigned int nr;
	time_t now = time(NULL);

	nr++;
	if (now < last + 5)
		return;
	last = now;
	ksft_print_msg("step %u: a victim is %s\n", nr, what);
	fflush(stdout);
}

/* Kills all victims of a stage, and expects the splats that they lead to. */
static void kill_victims(struct scene *scene, enum stage_nr nr_stage)
{
	struct stage *stage = &stages[nr_stage];
	struct oom_plan plans[OOM_MAX_VICTIMS];
	unsigned int i, nr, splats = 0;

	stage->started = true;
	nr = gather(nr_stage, NULL, plans);
	for (i = 0; i < nr; i++)
		splats += expected_splats(&plans[i]);
	scene_expect_splats(scene, OOM_SLEEP_SPLAT, splats);
	/* no splat, but at KERN_ERR */
	kmsg_write("hmm_notifier: expect " OOM_KILL_LINE "\n");
	stage->err = oom_run(plans, nr, &scene->watch, stage->seen,
			     &stage->rest, say);
	for (i = 0; i < nr; i++)
		scene_expect_hits(scene, outcome_of(&plans[i]),
				  expected_hits(&plans[i], &stage->seen[i]));
	scene_take(scene, &stage->rest.all);
	stage->done = true;
}

/* What became of the victim. The first call of a stage kills all of its victims. */
static const struct oom_seen *victim_of(struct __test_metadata *_metadata,
					struct scene *scene,
					const struct part *part)
{
	struct stage *stage = &stages[part->stage];
	const struct oom_seen *seen;

	if (!stage->started)
		kill_victims(scene, part->stage);
	seen = &stage->seen[gather(part->stage, part, NULL)];
	ASSERT_TRUE(stage->done) {
		TH_LOG("the test that killed the victims did not come to an end");
	}
	ASSERT_EQ(0, stage->err) {
		TH_LOG("%s", stage->rest.why);
	}
	ASSERT_EQ(0, seen->err) {
		TH_LOG("the victim: %s", seen->step);
	}
	return seen;
}

/* For FIXTURE_SETUP */
#define VICTIM_OR_SKIP(part) do {					\
	SETUP_OR_SKIP((part)->plan.mirror ? DMIRROR_MIRROR :		\
					    DMIRROR_BARE);		\
	ASK_OR_SKIP(why_not_victim(&(part)->plan));			\
	SCENE_BEGIN(&self->scene);					\
	self->seen = victim_of(_metadata, &self->scene, part);		\
} while (0)

/*
 * OOM in a cgroup
 */
FIXTURE(reaper) {
	struct scene scene;
	const struct oom_seen *seen;
};

FIXTURE_VARIANT(reaper) {
	struct part part;
};

#define VICTIM(name, kind_, value, times_, ...)				\
	FIXTURE_VARIANT_ADD(reaper, name) { { STAGE_BATCH, {		\
		.kind = RULE_##kind_, .ret = value, .times = times_,	\
		__VA_ARGS__ } } }

#define ONCE		1
#define FOREVER		0
#define EVERYWHERE	.everywhere = true
#define SLEEP		.act = HMM_DMIRROR_ACT_SLEEP
#define BESIDE		.beside_interval = true
#define THREADS		.company = OOM_THREADS
#define SHARERS		.company = OOM_SHARERS
#define GROUP		.group = "group"

VICTIM(hlist_0, HLIST, 0, ONCE);
VICTIM(hlist_eagain_once, HLIST, -EAGAIN, ONCE);
VICTIM(hlist_eagain_3, HLIST, -EAGAIN, 3);
VICTIM(hlist_eagain_9, HLIST, -EAGAIN, 9);
VICTIM(hlist_eagain_always, HLIST, -EAGAIN, FOREVER);
VICTIM(hlist_eagain_everywhere, HLIST, -EAGAIN, FOREVER, EVERYWHERE);
VICTIM(hlist_enomem_once, HLIST, -ENOMEM, ONCE);
VICTIM(hlist_enomem_always, HLIST, -ENOMEM, FOREVER);
VICTIM(hlist_enomem_everywhere, HLIST, -ENOMEM, 6, EVERYWHERE);
VICTIM(hlist_eintr_once, HLIST, -EINTR, ONCE);
VICTIM(hlist_ebusy_3, HLIST, -EBUSY, 3);
VICTIM(hlist_plus_1_once, HLIST, 1, ONCE);
VICTIM(hlist_int_min_once, HLIST, INT_MIN, ONCE);
VICTIM(hlist_end_0, HLIST_END, 0, ONCE);
VICTIM(hlist_end_eagain_once, HLIST_END, -EAGAIN, ONCE);
VICTIM(hlist_end_enomem_once, HLIST_END, -ENOMEM, ONCE);
VICTIM(interval_true, INTERVAL, true, ONCE);
VICTIM(interval_false_once, INTERVAL, false, ONCE);
VICTIM(interval_false_3, INTERVAL, false, 3);
VICTIM(interval_false_9, INTERVAL, false, 9);
VICTIM(interval_false_always, INTERVAL, false, FOREVER);

VICTIM(threads_hlist_0, HLIST, 0, ONCE, THREADS);
VICTIM(threads_hlist_eagain_once, HLIST, -EAGAIN, ONCE, THREADS);
VICTIM(sharers_interval_true, INTERVAL, true, ONCE, SHARERS);
VICTIM(sharers_hlist_eagain_once, HLIST, -EAGAIN, ONCE, SHARERS);
VICTIM(group_hlist_0, HLIST, 0, ONCE, GROUP);
VICTIM(group_hlist_eagain_once, HLIST, -EAGAIN, ONCE, GROUP);
VICTIM(group_interval_false_once, INTERVAL, false, ONCE, GROUP);

VICTIM(hlist_eagain_beside_interval, HLIST, -EAGAIN, ONCE, BESIDE);
VICTIM(hlist_sleeps, HLIST, 0, ONCE, SLEEP);
VICTIM(interval_sleeps, INTERVAL, true, ONCE, SLEEP);

FIXTURE_SETUP(reaper)
{
	VICTIM_OR_SKIP(&variant->part);
}

SCENE_TEARDOWN(reaper)

TEST_F_TIMEOUT(reaper, tries_until_nothing_fails, TIMEOUT_S)
{
	check_tries(_metadata, &variant->part.plan, self->seen);
}

TEST_F_TIMEOUT(reaper, warns_for_each_illegal_failure, TIMEOUT_S)
{
	check_warns(_metadata, &variant->part.plan, self->seen);
}

TEST_F_TIMEOUT(reaper, leaves_what_failed_and_frees_the_rest, TIMEOUT_S)
{
	check_memory(_metadata, &variant->part.plan, self->seen);
}

TEST_F_TIMEOUT(reaper, lets_the_victim_exit, TIMEOUT_S)
{
	check_exit(_metadata, &variant->part.plan, self->seen);
}

/*
 * A mirror that a device reads through all the time, faults included
 */
FIXTURE(mirror) {
	struct scene scene;
	const struct oom_seen *seen;
};

FIXTURE_VARIANT(mirror) {
	struct part part;
};

#define MIRROR(name, value, times_)					\
	FIXTURE_VARIANT_ADD(mirror, name) { { STAGE_BATCH, {		\
		.kind = RULE_INTERVAL, .mirror = true,			\
		.ret = value, .times = times_ } } }

MIRROR(true, true, ONCE);
MIRROR(false_3, false, 3);
MIRROR(false_always, false, FOREVER);

FIXTURE_SETUP(mirror)
{
	VICTIM_OR_SKIP(&variant->part);
}

SCENE_TEARDOWN(mirror)

TEST_F_TIMEOUT(mirror, keeps_no_entry_of_a_reaped_page, TIMEOUT_S)
{
	check_mirror(_metadata, &variant->part.plan, self->seen);
}

TEST_F_TIMEOUT(mirror, leaves_what_failed_and_frees_the_rest, TIMEOUT_S)
{
	check_warns(_metadata, &variant->part.plan, self->seen);
	check_memory(_metadata, &variant->part.plan, self->seen);
	check_exit(_metadata, &variant->part.plan, self->seen);
}

/*
 * Which memory runs out. The reaping is the same for all.
 */
FIXTURE(place) {
	struct scene scene;
	const struct oom_seen *seen;
};

FIXTURE_VARIANT(place) {
	struct part part;
};

#define PLACE(name, NAME, stage_, kind_, value, constraint_)		\
	FIXTURE_VARIANT_ADD(place, name) { { stage_, {			\
		.place = OOM_##NAME, .kind = RULE_##kind_, .ret = value, \
		.times = ONCE }, "CONSTRAINT_" constraint_ } }

PLACE(numa_bind, NUMA_BIND, STAGE_BATCH, HLIST, -EAGAIN, "MEMORY_POLICY");
PLACE(mbind, MBIND, STAGE_MBIND, INTERVAL, false, "MEMORY_POLICY");
PLACE(cpuset, CPUSET, STAGE_CPUSET, HLIST, -EAGAIN, "CPUSET");
PLACE(sysrq_f, SYSRQ, STAGE_SYSRQ, HLIST, -EAGAIN, "NONE");
PLACE(global, GLOBAL, STAGE_GLOBAL, HLIST, -EAGAIN, "NONE");

FIXTURE_SETUP(place)
{
	VICTIM_OR_SKIP(&variant->part);
}

SCENE_TEARDOWN(place)

TEST_F_TIMEOUT(place, is_why_the_victim_is_killed, TIMEOUT_S)
{
	EXPECT_STREQ(variant->part.constraint, self->seen->constraint);
	check_exit(_metadata, &variant->part.plan, self->seen);
}

TEST_F_TIMEOUT(place, is_reaped_by_the_rule, TIMEOUT_S)
{
	check_tries(_metadata, &variant->part.plan, self->seen);
	check_warns(_metadata, &variant->part.plan, self->seen);
	check_memory(_metadata, &variant->part.plan, self->seen);
}

/*
 * A victim that the cgroup freezer holds: it runs no order, and can't take memory.
 */
FIXTURE(frozen) {
	struct scene scene;
	struct cgroup cgroup;
};

#define FROZEN_TAKEN	(4096 * getpagesize())
#define FROZEN_LIMIT	(1024 * getpagesize())
#define FROZEN_MS	20000

FIXTURE_VARIANT(frozen) {
	unsigned int version;		/* of the freezer */
	unsigned int threads;		/* beside the first one */
	unsigned int thaws_since;	/* by all kernels from this one on */
};

FIXTURE_VARIANT_ADD(frozen, v1) { .version = 1 };
FIXTURE_VARIANT_ADD(frozen, v1_threads) {
	.version = 1, .threads = 2, .thaws_since = LINUX_VERSION(6, 18) };
FIXTURE_VARIANT_ADD(frozen, v2) { .version = 2 };
FIXTURE_VARIANT_ADD(frozen, v2_threads) { .version = 2, .threads = 2 };

FIXTURE_SETUP(frozen)
{
	struct victim *victim = &self->scene.victim;
	unsigned int i;

	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(oom_why_not(OOM_MEMCG));
	ASK_OR_SKIP(cgroup_why_not_freezer(variant->version));
	SCENE_BEGIN(&self->scene);
	/* no splat, but at KERN_ERR */
	kmsg_write("hmm_notifier: expect " OOM_KILL_LINE "\n");
	ASSERT_EQ(0, victim_start(victim, DMIRROR_BARE));
	ASSERT_EQ(0, cgroup_create(&self->cgroup, "hmm_notifier.frozen"));
	ASSERT_EQ(0, cgroup_enter(&self->cgroup, victim->pid));
	/* There is no such file without swap. */
	cgroup_write(&self->cgroup, "memory.swap.max", "0");
	ASSERT_EQ(0, memory_hog_take(victim, FROZEN_TAKEN));
	ASSERT_EQ(0, scene_add(&self->scene, 1,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	for (i = 0; i < variant->threads; i++)
		ASSERT_LT(0, memory_hog_start_thread(victim));
	ASSERT_EQ(0, cgroup_freeze(&self->cgroup, variant->version, victim->pid));
}

FIXTURE_TEARDOWN(frozen)
{
	end_scene(_metadata, variant, &self->scene);
	EXPECT_EQ(0, cgroup_remove(&self->cgroup));
}

/*
 * It is killed and gone all the same, and its memory with it. Version 2 has it frozen as a
 * signal may end; from version 1's, mark_oom_victim() thaws it.
 */
TEST_F_TIMEOUT(frozen, ends, TIMEOUT_S)
{
	struct pollfd end = { .fd = self->scene.victim.pidfd, .events = POLLIN };
	char limit[16];
	int ended;

	snprintf(limit, sizeof(limit), "%d", FROZEN_LIMIT);
	EXPECT_EQ(0, cgroup_write(&self->cgroup, "memory.max", limit));

	ended = poll(&end, 1, FROZEN_MS);
	EXPECT_GT(FROZEN_LIMIT, cgroup_number(&self->cgroup, "memory.current"));
	/* What is left of it is frozen and no more than that. */
	ASSERT_EQ(0, cgroup_thaw(&self->cgroup));
	ASSERT_EQ(0, victim_finish(&self->scene.victim));
	if (!ended && kernel_version() < variant->thaws_since)
		KNOWN_BUG(BUG_OOM_THREADS_FROZEN);
	else
		EXPECT_EQ(1, ended);
}

/*
 * What happened beside
 */
FIXTURE(rest) {
	struct scene scene;
};

FIXTURE_VARIANT(rest) {
	enum stage_nr stage;
};

FIXTURE_VARIANT_ADD(rest, batch) { STAGE_BATCH };
FIXTURE_VARIANT_ADD(rest, mbind) { STAGE_MBIND };
FIXTURE_VARIANT_ADD(rest, cpuset) { STAGE_CPUSET };
FIXTURE_VARIANT_ADD(rest, sysrq_f) { STAGE_SYSRQ };
FIXTURE_VARIANT_ADD(rest, global) { STAGE_GLOBAL };

FIXTURE_SETUP(rest)
{
	if (!stages[variant->stage].started)
		SKIP(return, "no victim was killed so");
	SCENE_BEGIN(&self->scene);
}

SCENE_TEARDOWN(rest)

/* Nobody else is killed, no splat belongs to nobody, and the detectors agree. */
TEST_F(rest, is_as_it_was)
{
	const struct stage *stage = &stages[variant->stage];

	ASSERT_TRUE(stage->done);
	EXPECT_EQ(0, stage->rest.strangers) {
		TH_LOG("%s", stage->rest.why);
	}
	EXPECT_EQ(0, stage->rest.detectors) {
		TH_LOG("%s", stage->rest.why);
	}
	EXPECT_EQ(0, sum_warns(stage->rest.report.warns));
	EXPECT_EQ(0, stage->rest.report.messages);
	EXPECT_EQ(0, stage->rest.report.others) {
		TH_LOG("%s", stage->rest.report.first_other);
	}
}

TEST_HARNESS_MAIN
