// SPDX-License-Identifier: GPL-2.0
/*
 * The rule, exactly, while everything happens at once: random changes of memory
 * in several processes by several threads, while others arm fail points, add
 * and remove notifiers, fork, exit, get killed and reaped. Whatever the schedule
 * was, the kernel's WARNs and messages must be those that the rule predicts from
 * what the device counted, to the last one, and starts must equal ends.
 *
 * --seed N	 (or HMM_NOTIFIER_SEED) the same random steps once more
 * --stress S	 (or HMM_NOTIFIER_STRESS_SECONDS) how long, default 10
 *
 * Not tested here: which change calls what (hmm_notifier_mmap), the reaper's
 * own thread (hmm_notifier_oom). Not random: on kernels with a known bug, what
 * can't be gone on from after it; see allowed_contexts() in lib/stress/stress_process.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/machine_state.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"
#include "stress/shrink.h"
#include "stress/stress.h"

#define STEPS_BETWEEN_CHECKPOINTS	150
#define STEPS_OF_A_SEQUENCE		500
#define LEAST_WARNS			5
/* Of the time that --stress says; the rest is for the threads */
#define SHARE_OF_SEQUENCES		0.3
#define SHRINK_TRIES			300
#define SHRINK_MS			150000
#define SEQUENCE_MS			SHRINK_MS
/* What fails is waited for so long; while shrinking, each time. */
#define PATIENCE_MS			5000
#define SHRINK_PATIENCE_MS		300

/* The harness has no upper bound for what --stress says. */
#define TIMEOUT_S			(24 * 60 * 60)

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t random_seed_number(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = getpid();
	return seed;
}

static void say(const char *text)
{
	fprintf(TH_LOG_STREAM, "# %s\n", text);
}

/* The runner takes long silence for a hang. */
static void say_now_and_then(const char *what, unsigned int nr)
{
	static uint64_t said;
	uint64_t now = stress_now();

	if (now - said < 10000)
		return;
	said = now;
	fprintf(TH_LOG_STREAM, "# %s: %u\n", what, nr);
}

/*
 * Finds out which known bugs this kernel has, by provoking each once. Returns 0, or
 * -errno if the kernel does something else.
 */
static int probe_range_end_twice(unsigned int *bugs)
{
	struct hmm_dmirror_fail_point fail = {
		.id = 2,
		.ret = -EAGAIN,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.start = victim_start_of(0),
		.end = victim_end_of(0),
	};
	struct hmm_dmirror_counts counts = {};
	struct victim victim;
	uint64_t ends;
	int err;

	err = victim_start(&victim, DMIRROR_BARE);
	if (err)
		return err;
	err = victim_populate(&victim, 1);
	err = err ?: dmirror_add(victim.device, 1, HMM_DMIRROR_HLIST_END, 0, 0);
	err = err ?: dmirror_add(victim.device, 2, HMM_DMIRROR_HLIST, 0, 0);
	err = err ?: dmirror_arm(victim.device, &fail);
	err = err ?: victim_munmap(&victim, 0);
	err = err ?: dmirror_counts(victim.device, 1, &counts);
	ends = dmirror_sum(counts.ends[RULE_BLOCKABLE]);
	if (!err && dmirror_sum(counts.calls[RULE_BLOCKABLE]) + 1 == ends)
		*bugs |= STRESS_BUG_RANGE_END_TWICE;
	err = victim_finish(&victim) ?: err;
	return victim_close(&victim) ?: err;
}

static int probe_tree_not_ended(unsigned int *bugs)
{
	struct hmm_dmirror_fail_point fail = {
		.id = 2,
		.ret = -EAGAIN,
		.contexts = HMM_DMIRROR_NON_BLOCKABLE,
		.start = victim_start_of(0),
		.end = victim_end_of(0),
	};
	struct victim victim;
	int err;

	err = victim_start(&victim, DMIRROR_BARE);
	if (err)
		return err;
	err = victim_populate(&victim, 1);
	err = err ?: dmirror_add(victim.device, 1, HMM_DMIRROR_INTERVAL,
				 victim_start_of(0), victim_end_of(0));
	err = err ?: dmirror_add(victim.device, 2, HMM_DMIRROR_HLIST, 0, 0);
	err = err ?: dmirror_arm(victim.device, &fail);
	err = err ?: victim_freeze(&victim);
	if (!err && victim_reap(&victim) != -EAGAIN)
		err = -EPROTO;
	if (!err)
		err = mm_soundness(victim.device);
	if (err == -ETIMEDOUT) {
		*bugs |= STRESS_BUG_TREE_NOT_ENDED;
		err = 0;
		/* The last close would hang as well; the keeper does that. */
		victim.device = -1;
	}
	err = victim_finish(&victim) ?: err;
	return victim_close(&victim) ?: err;
}

/*
 * A known bug leaves tasks in state D, here and in earlier tests. After two minutes the
 * kernel would report these in the midst of our log. Our own hangs are found by bounds.
 */
static void silence_hung_task_reports(void)
{
	machine_set("/proc/sys/kernel/hung_task_timeout_secs", "0");
}

FIXTURE(stress) {
	struct scene scene;
	struct stress_options options;
};

FIXTURE_SETUP(stress)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	ASK_OR_SKIP(consent_why_not_splat());
	/* What is looked for first can hang. */
	ASK_OR_SKIP(consent_why_not_hang());
	ASK_OR_SKIP(consent_why_not_machine());
	vm_settings_start();
	SCENE_BEGIN(&self->scene);
	self->options = (struct stress_options) {
		.seed = number_from("HMM_NOTIFIER_SEED", random_seed_number()),
		.milliseconds = 1000 *
			number_from("HMM_NOTIFIER_STRESS_SECONDS", 10),
		.least_warns = LEAST_WARNS,
		.patience_ms = PATIENCE_MS,
		.steps_each = STEPS_BETWEEN_CHECKPOINTS,
		/* For the suite's own tests: an expectation that is wrong */
		.forgets = number_from("HMM_NOTIFIER_STRESS_FORGETS",
				       RULE_NR_SITES),
		.progress = say,
		.watch = &self->scene.watch,
	};
	scene_expect_hits(&self->scene,
			  rule_expect(RULE_HLIST, RULE_BLOCKABLE, -EAGAIN), 1);
	ASSERT_EQ(0, probe_range_end_twice(&self->options.bugs));
	scene_expect_hits(&self->scene,
			  rule_expect(RULE_HLIST, RULE_NON_BLOCKABLE, -EAGAIN), 1);
	ASSERT_EQ(0, probe_tree_not_ended(&self->options.bugs));
	/* What is unread is the run's. */
	SCENE_CHECK(&self->scene);
	/* For the suite's own tests: a bug taken for none */
	self->options.bugs = number_from("HMM_NOTIFIER_STRESS_BUGS",
					 self->options.bugs);
	if (self->options.bugs & STRESS_BUG_TREE_NOT_ENDED) {
		silence_hung_task_reports();
		TH_LOG("%s", BUG_INTERVAL_TREE_NOT_ENDED);
		TH_LOG("so no hlist notifier fails non-blockably beside interval notifiers");
	}
	if (self->options.bugs & STRESS_BUG_RANGE_END_TWICE) {
		TH_LOG("%s", BUG_RANGE_END_TWICE);
		TH_LOG("so one hlist notifier at a time fails blockably, and each of its failures");
		TH_LOG("is one range_end too many for the others");
	}
}

SCENE_TEARDOWN(stress)

/* Adds to the scene what a run has read, and what the rule expects by its counts. */
static void account_for(struct scene *scene, const struct stress_result *result)
{
	const struct expected_warns *expected = &result->expected;
	unsigned int i, warns[RULE_NR_SITES], messages = 0;

	for (i = 0; i < RULE_NR_SITES; i++)
		warns[i] = expected->warns[i];
	for (i = 0; i < 4; i++)
		messages += expected->messages[i / 2][i % 2];
	scene_expect(scene, warns, messages);
	scene_take(scene, &result->said);
}

static void show_kind(struct __test_metadata *_metadata, const char *name,
		      const struct expected_warns *expected, enum rule_kind kind)
{
	if (!expected->calls[kind][0] && !expected->calls[kind][1])
		return;
	TH_LOG("%s, non-blockable + blockable: calls %" PRIu64 " + %" PRIu64, name,
	       expected->calls[kind][0], expected->calls[kind][1]);
	TH_LOG("    failed with -EAGAIN %" PRIu64 " + %" PRIu64
	       ", otherwise %" PRIu64 " + %" PRIu64,
	       expected->failures[kind][0][1], expected->failures[kind][1][1],
	       expected->failures[kind][0][0], expected->failures[kind][1][0]);
}

static void show_warns(struct __test_metadata *_metadata, const char *name,
		       const struct stress_result *result, enum rule_site site)
{
	TH_LOG("WARNs, %s: %" PRIu64 " predicted, %u came", name,
	       result->expected.warns[site], result->said.warns[site]);
}

static void show_figures(struct __test_metadata *_metadata,
			 const struct stress_result *result)
{
	const struct expected_warns *expected = &result->expected;
	uint64_t steps = 0;
	unsigned int i;

	for (i = 0; i < STRESS_STEP_NR_KINDS; i++)
		steps += result->ran[i];
	TH_LOG("%" PRIu64 " steps, %" PRIu64 " checkpoints in %u.%u s",
	       steps, result->checkpoints, result->milliseconds / 1000,
	       result->milliseconds / 100 % 10);
	show_kind(_metadata, "interval", expected, RULE_INTERVAL);
	show_kind(_metadata, "two-pass", expected, RULE_INTERVAL_TWO_PASS);
	show_kind(_metadata, "hlist", expected, RULE_HLIST);
	show_kind(_metadata, "hlist_end", expected, RULE_HLIST_END);
	show_warns(_metadata, "release", result, RULE_SITE_INTERVAL_RELEASE);
	show_warns(_metadata, "interval", result, RULE_SITE_INTERVAL);
	show_warns(_metadata, "hlist", result, RULE_SITE_HLIST);
	show_warns(_metadata, "range_end", result, RULE_SITE_HLIST_END);
	TH_LOG("not armed: %" PRIu64 " for known bugs, %" PRIu64 " to keep the log readable",
	       result->avoided, result->held_back);
}

struct attempt {
	struct stress_options options;
	enum stress_fault fault;
	uint64_t until;
};

/* Skips what is left in the log of a run that failed. */
static void start_over(struct warn_watch *watch)
{
	warn_close(watch);
	warn_start(watch);
}

static bool still_fails(const struct stress_step *steps, unsigned int nr, void *arg)
{
	struct attempt *attempt = arg;
	struct stress_result result;

	if (stress_now() >= attempt->until)
		return false;
	start_over(attempt->options.watch);
	say_now_and_then("fewer steps", nr);
	attempt->options.steps = steps;
	attempt->options.nr_steps = nr;
	return !stress_run(&attempt->options, &result) &&
	       result.fault == attempt->fault;
}

/* @steps fail as @result says; returns how many of them are left. */
static unsigned int shrink(struct __test_metadata *_metadata,
			   const struct stress_options *options,
			   struct stress_step *steps, const struct stress_result *result)
{
	struct attempt attempt = {
		.options = *options,
		.fault = result->fault,
		.until = stress_now() + SHRINK_MS,
	};
	unsigned int i, nr, nr_steps = result->failed_step + 1;
	char text[200];

	attempt.options.progress = NULL;
	attempt.options.milliseconds = SHRINK_MS;
	attempt.options.least_warns = 0;
	attempt.options.patience_ms = SHRINK_PATIENCE_MS;
	nr = shrink_steps(steps, nr_steps, SHRINK_TRIES, still_fails, &attempt);
	TH_LOG("the shortest sequence found that fails so, of %u steps:", nr_steps);
	for (i = 0; i < nr; i++) {
		stress_step_describe(&steps[i], text, sizeof(text));
		TH_LOG("  %2u. %s", i + 1, text);
	}
	TH_LOG("and then the end of all processes");
	return nr;
}

static void show_fault(struct __test_metadata *_metadata,
		       const struct stress_options *options,
		       const struct stress_result *result)
{
	TH_LOG("seed %" PRIu64 ", %s: %s: %s", options->seed,
	       options->steps ? "one step at a time" : "with threads",
	       stress_fault_names[result->fault], result->why);
}

/* One sequence of the steps of all threads, one after the other */
static void run_sequence(struct __test_metadata *_metadata,
			 struct stress_options *options,
			 struct stress_step steps[STEPS_OF_A_SEQUENCE],
			 struct stress_result *result)
{
	stress_steps(options, steps, STEPS_OF_A_SEQUENCE);
	options->steps = steps;
	options->nr_steps = STEPS_OF_A_SEQUENCE;
	ASSERT_EQ(0, stress_run(options, result));
}

static bool goes_on(const struct stress_result *sum, unsigned int milliseconds)
{
	if (expected_warns_warns(&sum->expected) < LEAST_WARNS)
		milliseconds += STRESS_EXTRA_MS;
	return sum->milliseconds < milliseconds;
}

/*
 * After a fork, whoever writes first gets a copy, which is an invalidation; and who
 * has answered goes on for a while. For all of it to come in the same order again,
 * each process has the CPU until it waits.
 */
static void one_after_the_other(void)
{
	struct sched_param first = { .sched_priority = 1 };

	stay_on_one_cpu();
	sched_setscheduler(0, SCHED_FIFO, &first);
}

/*
 * Without threads, the log and the counts agree after every single step, and
 * the reaper fails just when a callback did. A seed repeats: the steps, what fails and
 * the WARNs. How often the kernel tries to migrate a page is its own affair.
 */
TEST_F_TIMEOUT(stress, one_step_at_a_time, TIMEOUT_S)
{
	struct stress_step steps[STEPS_OF_A_SEQUENCE];
	struct stress_options options = self->options;
	struct stress_result result = {}, sum = {};
	unsigned int milliseconds = options.milliseconds * SHARE_OF_SEQUENCES;

	one_after_the_other();
	TH_LOG("seeds from %" PRIu64, options.seed);
	while (!result.fault && goes_on(&sum, milliseconds)) {
		/* to its end, whatever that takes: a seed is a whole sequence */
		options.milliseconds = SEQUENCE_MS;
		run_sequence(_metadata, &options, steps, &result);
		stress_sum(&sum, &result);
		options.seed++;
		say_now_and_then("checkpoints", sum.checkpoints);
	}
	options.seed--;

	show_figures(_metadata, &sum);
	account_for(&self->scene, &sum);
	EXPECT_EQ(STRESS_OK, result.fault);
	if (result.fault) {
		show_fault(_metadata, &options, &result);
		shrink(_metadata, &options, steps, &result);
		return;
	}
	EXPECT_LE(LEAST_WARNS, expected_warns_warns(&sum.expected));
}

/* With threads, they agree at every checkpoint. */
TEST_F_TIMEOUT(stress, all_at_once, TIMEOUT_S)
{
	struct stress_step steps[STEPS_OF_A_SEQUENCE];
	struct stress_result result;

	TH_LOG("seed %" PRIu64, self->options.seed);
	self->options.milliseconds *= 1 - SHARE_OF_SEQUENCES;
	ASSERT_EQ(0, stress_run(&self->options, &result));

	show_figures(_metadata, &result);
	account_for(&self->scene, &result);
	EXPECT_EQ(STRESS_OK, result.fault);
	if (result.fault) {
		show_fault(_metadata, &self->options, &result);
		start_over(self->options.watch);
		run_sequence(_metadata, &self->options, steps, &result);
		show_fault(_metadata, &self->options, &result);
		if (result.fault)
			shrink(_metadata, &self->options, steps, &result);
		return;
	}
	EXPECT_LE(LEAST_WARNS, expected_warns_warns(&result.expected));
}

/* Ours come first, as the harness does not know them. */
static int take_option(char **argv)
{
	if (!argv[1] || !argv[2])
		return 0;
	if (!strcmp(argv[1], "--seed"))
		return !setenv("HMM_NOTIFIER_SEED", argv[2], 1);
	if (!strcmp(argv[1], "--stress"))
		return !setenv("HMM_NOTIFIER_STRESS_SECONDS", argv[2], 1);
	return 0;
}

int main(int argc, char **argv)
{
	while (take_option(argv)) {
		argv[2] = argv[0];
		argv += 2;
		argc -= 2;
	}
	return test_harness_run(argc, argv);
}
