// SPDX-License-Identifier: GPL-2.0
/*
 * hmm_notifier_subject [-OPTION...] COMMAND...
 *
 * A driver that nothing is known of, under the rule. COMMAND has it mirror some memory, and
 * speaks the protocol of subjects/README. Nothing is injected: that memory changes, and its
 * owner is reaped and killed for lack of memory, as it may happen to anybody.
 *
 * Without arguments it is what HMM_NOTIFIER_SUBJECT says, for a shell, which has to end
 * with exec.
 */
#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine_state.h"
#include "hmm_notifier.h"
#include "subject/calls.h"
#include "subject/subject_change.h"
#include "subject/offsets.h"

#define REAPER_MS	15000
#define TRIES		3
#define REAPER_TRIES	10U	/* MAX_OOM_REAP_RETRIES of mm/oom_kill.c */

static char *const *command;

/* The harness has options of its own; what follows COMMAND is not for it. */
static void __attribute__((constructor)) find_command(int argc, char **argv)
{
	static char *shell[4];
	char *said = getenv("HMM_NOTIFIER_SUBJECT");
	int i = 1;

	setenv("POSIXLY_CORRECT", "1", 1);
	while (i < argc && argv[i][0] == '-')
		i += argv[i][1] && strchr("FfVvtTr", argv[i][1]) && !argv[i][2] ? 2 : 1;
	if (i < argc) {
		command = argv + i;
	} else if (said && *said) {
		shell[0] = "sh";
		shell[1] = "-c";
		shell[2] = said;
		command = shell;
	}
}

struct trial {
	struct scene scene;
	struct subject subject;
	struct callbacks callbacks;
	struct calls calls;
};

static const unsigned int no_warns[RULE_NR_SITES];

static void begin(struct __test_metadata *_metadata, const void *variant,
		  struct trial *trial, const char *cgroup)
{
	struct subject *subject = &trial->subject;

	SCENE_BEGIN(&trial->scene);
	ASSERT_EQ(0, subject_start(subject, &trial->scene.victim, command, cgroup)) {
		TH_LOG("the last that it said: %s", subject->said);
	}
	ASSERT_EQ(0, callbacks_find(&trial->callbacks, trial->scene.victim.pid));
	ASSERT_LT(0, trial->callbacks.nr) {
		TH_LOG("it registered no notifier before it said \"ready\"");
	}
	ASSERT_EQ(0, calls_begin(&trial->calls, &trial->callbacks, subject, false));
	EXPECT_STREQ("", subject_compare(subject));
	ASSERT_EQ(0, calls_take(&trial->calls));
}

/* Its exit has a bound, and is judged like all else. */
static void end(struct __test_metadata *_metadata, const void *variant,
		struct trial *trial)
{
	struct calls *calls = &trial->calls;

	subject_end_child(&trial->subject);
	EXPECT_EQ(0, victim_finish(&trial->scene.victim));
	EXPECT_EQ(0, calls_take(calls));
	EXPECT_STREQ("", calls->illegal);
	calls_end(calls);
	scene_expect(&trial->scene, no_warns, calls->messages);
	end_scene(_metadata, variant, &trial->scene);
}

#define TRIAL_SETUP()	do {						\
	if (!command)							\
		SKIP(return, "no COMMAND is given");			\
	if (callbacks_watch())						\
		SKIP(return, "no probes (CONFIG_KPROBE_EVENTS)");	\
} while (0)

#define TRIAL_BEGIN(cgroup) begin(_metadata, variant, &self->trial, cgroup)

#define TRIAL_TEARDOWN(fixture_name)					\
FIXTURE_TEARDOWN(fixture_name)						\
{									\
	end(_metadata, variant, &self->trial);				\
}

/* At the end of a test: if nothing else is wrong, but nothing was tested. */
#define SKIP_UNLESS_CALLED(calls) do {					\
	if (!(calls) && TEST_IS_PASSING())				\
		SKIP(return, "the driver was not called");		\
} while (0)

FIXTURE(change) {
	struct trial trial;
};

FIXTURE_VARIANT(change) {
	const struct subject_change *change;
};

#define CHANGE_VARIANT(name)						\
	FIXTURE_VARIANT_ADD(change, name) { .change = &subject_change_##name };
SUBJECT_CHANGES(CHANGE_VARIANT)

FIXTURE_SETUP(change)
{
	TRIAL_SETUP();
	if (variant->change->why_not)
		ASK_OR_SKIP(variant->change->why_not(&self->trial.subject));
	TRIAL_BEGIN(NULL);
}

TRIAL_TEARDOWN(change)

/* The driver is called, doesn't fail, and its device sees what is in memory. */
TEST_F(change, reaches_the_device)
{
	struct subject *subject = &self->trial.subject;
	struct calls *calls = &self->trial.calls;
	uintptr_t at = subject_change_at(subject);
	unsigned int called;

	ASSERT_EQ(0, variant->change->act(subject, at));
	ASSERT_EQ(0, calls_take(calls));

	called = calls->inside[RULE_BLOCKABLE];
	EXPECT_EQ(0, calls->nr[RULE_NON_BLOCKABLE]);
	if (variant->change->restore)
		ASSERT_EQ(0, variant->change->restore(subject, at));
	EXPECT_STREQ("", subject_compare(subject));
	ASSERT_EQ(0, subject_touch(subject, at));
	EXPECT_STREQ("", subject_compare(subject));
	SKIP_UNLESS_CALLED(called);
}

FIXTURE(forbidden) {
	struct trial trial;
};

FIXTURE_VARIANT(forbidden) {
	const struct subject_change *change;
};

#define FORBIDDEN_VARIANT(name)						\
	FIXTURE_VARIANT_ADD(forbidden, name) { .change = &subject_change_##name };
SUBJECT_CHANGES_FORBIDDING(FORBIDDEN_VARIANT)

FIXTURE_SETUP(forbidden)
{
	TRIAL_SETUP();
	TRIAL_BEGIN(NULL);
}

TRIAL_TEARDOWN(forbidden)

/* What the process itself may not read any more, its device may not either. */
TEST_F(forbidden, to_the_device_as_well)
{
	struct subject *subject = &self->trial.subject;
	unsigned int sum = 0;

	if (subject_read(subject, &sum) == -ENODEV)
		SKIP(return, "no device that can read");
	ASSERT_EQ(0, variant->change->act(subject, subject_change_at(subject)));

	EXPECT_EQ(-EBADMSG, subject_read(subject, &sum)) {
		TH_LOG("a stale read, or none: it says \"%s\"", subject->said);
	}
}

FIXTURE(forked) {
	struct trial trial;
};

FIXTURE_SETUP(forked)
{
	TRIAL_SETUP();
	TRIAL_BEGIN(NULL);
}

TRIAL_TEARDOWN(forked)

/* A device that writes does not write to what is the child's. */
TEST_F(forked, child_keeps_its_memory)
{
	struct subject *subject = &self->trial.subject;
	uint64_t before;

	ASSERT_EQ(0, subject_change_fork.act(subject, 0));
	before = subject_hash_of_child(subject);
	ASSERT_EQ(0, subject_touch(subject, subject_change_at(subject)));

	EXPECT_STREQ("", subject_compare(subject));

	EXPECT_EQ(before, subject_hash_of_child(subject));
}

FIXTURE(reap) {
	struct trial trial;
};

FIXTURE_SETUP(reap)
{
	TRIAL_SETUP();
	TRIAL_BEGIN(NULL);
}

TRIAL_TEARDOWN(reap)

/*
 * The reap fails if, and only if, the driver refused. What it refused stays, what it did
 * not goes.
 */
TEST_F(reap, agrees_with_the_driver)
{
	struct trial *trial = &self->trial;
	struct calls *calls = &trial->calls;
	unsigned int called = 0, tries;
	long pages, err = -EAGAIN;

	ASSERT_EQ(0, victim_freeze(&trial->scene.victim));
	ASSERT_EQ(0, calls_take(calls));

	for (tries = 0; err == -EAGAIN && tries < TRIES; tries++) {
		err = victim_reap(&trial->scene.victim);
		ASSERT_EQ(0, calls_take(calls));
		EXPECT_EQ(calls->refusals ? -EAGAIN : 0, err);
		EXPECT_EQ(0, calls->nr[RULE_BLOCKABLE]);
		called += calls->inside[RULE_NON_BLOCKABLE];
	}

	pages = subject_resident(&trial->subject);
	if (called && !err)
		EXPECT_EQ(0, pages);
	if (called && err)
		TH_LOG("property: refuses every reap, %ld pages stay", pages);
	if (called)
		TH_LOG("property: longest non-blockable callback: %ld us", calls->longest_us);
	if (!offsets_get()->by_btf)
		TH_LOG("property: no BTF: the kernel's structs are taken for those of its version");
	SKIP_UNLESS_CALLED(called);
}

/* Nothing that may sleep is called where the driver was told not to block. */
TEST_F_TIMEOUT(reap, never_sleeps, 60)
{
	struct trial *trial = &self->trial;
	struct calls calls;

	ASSERT_EQ(0, callbacks_watch_sleep());
	ASSERT_EQ(0, victim_freeze(&trial->scene.victim));
	ASSERT_EQ(0, calls_begin(&calls, &trial->callbacks, &trial->subject, true));

	victim_reap(&trial->scene.victim);

	ASSERT_EQ(0, calls_take(&calls));
	EXPECT_STREQ("", calls.slept);
	SKIP_UNLESS_CALLED(calls.inside[RULE_NON_BLOCKABLE]);
	calls_end(&calls);
}

FIXTURE(oom) {
	struct trial trial;
	char cgroup[96];
};

static int set_group(const char *cgroup, const char *file, const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	return machine_write(path, value);
}

FIXTURE_SETUP(oom)
{
	TRIAL_SETUP();
	ASK_OR_SKIP(consent_why_not_oom());
	if (machine_enable("memory"))
		SKIP(return, "no memory cgroup, or HMM_NOTIFIER_MACHINE=1 is not set");
	snprintf(self->cgroup, sizeof(self->cgroup),
		 "/sys/fs/cgroup/hmm_notifier.%d.subject", getpid());
	ASSERT_EQ(0, machine_make_group(self->cgroup));
	/* Without CONFIG_SWAP there is no such file. */
	set_group(self->cgroup, "memory.swap.max", "0");
	TRIAL_BEGIN(self->cgroup);
}

TRIAL_TEARDOWN(oom)

/* The write goes on for as long as the killed process has memory. */
static pid_t run_out_of_memory(const char *cgroup)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	end_with_parent(parent);
	_exit(!!set_group(cgroup, "memory.max", "0"));
}

static bool says_verdict(const char *text, void *verdict)
{
	if (!strncmp(text, "oom_reaper: ", 12))
		snprintf(verdict, 128, "%.127s", text + 12);
	return *(char *)verdict;
}

/* Waits for "reaped process ..." or "unable to reap ..."; takes the calls meanwhile. */
static int wait_for_reaper(struct trial *trial, char *verdict, struct calls *sum)
{
	struct warn_report report = {};
	int waited, err = 0;

	for (waited = 0; !err && !*verdict && waited < REAPER_MS; waited += 50) {
		poll(NULL, 0, 50);
		err = warn_read(&trial->scene.watch, &report, says_verdict, verdict);
		err = err < 0 ? err : calls_take(&trial->calls);
		sum->refusals += trial->calls.refusals;
		sum->inside[RULE_NON_BLOCKABLE] += trial->calls.inside[RULE_NON_BLOCKABLE];
		sum->nr[RULE_NON_BLOCKABLE] += trial->calls.nr[RULE_NON_BLOCKABLE];
	}
	scene_take(&trial->scene, &report);
	return err ?: *verdict ? 0 : -ETIMEDOUT;
}

/* "unable to reap" after ten tries, each of which the driver refused; else "reaped" */
TEST_F(oom, reaper_agrees_with_the_driver)
{
	struct trial *trial = &self->trial;
	struct calls sum = {};
	char verdict[128] = "";
	unsigned int unable;
	pid_t writer;

	kmsg_write("hmm_notifier: expect of memory: Killed process\n"); /* KERN_ERR */
	ASSERT_EQ(0, victim_hold(trial->scene.victim.pid));
	writer = run_out_of_memory(self->cgroup);
	ASSERT_LT(0, writer);
	ASSERT_EQ(0, victim_held(trial->scene.victim.pid, VICTIM_BOUND_MS));

	ASSERT_EQ(0, wait_for_reaper(trial, verdict, &sum));

	unable = !strncmp(verdict, "unable", 6);
	EXPECT_LE(unable ? REAPER_TRIES : 0U, sum.refusals);
	EXPECT_LE(sum.refusals && !unable, sum.nr[RULE_NON_BLOCKABLE] - sum.refusals);
	TH_LOG("property: the oom_reaper says \"%s\"", verdict);
	victim_let_go(&trial->scene.victim);
	waitpid(writer, NULL, 0);
	SKIP_UNLESS_CALLED(sum.inside[RULE_NON_BLOCKABLE]);
}

TEST_HARNESS_MAIN
