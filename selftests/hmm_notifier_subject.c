// SPDX-License-Identifier: GPL-2.0
/*
 * hmm_notifier_subject [-OPTION...] COMMAND...
 *
 * A driver that nothing is known of, under the rule. COMMAND has it mirror some memory, and
 * speaks the protocol of subjects/README. Nothing is injected: that memory changes, and its
 * owner is reaped and killed for lack of memory, as it may happen to anybody.
 *
 * Without arguments it is what HMM_NOTIFIER_SUBJECT says: for a shell, with exec last.
 */
#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine_state.h"
#include "hmm_notifier.h"
#include "core/sysfile.h"
#include "subject/calls.h"
#include "subject/offsets.h"
#include "subject/subject_change.h"

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

	offsets_get();	/* read once for all tests */
	setenv("POSIXLY_CORRECT", "1", 1);
	while (i < argc && argv[i][0] == '-')
		i += argv[i][1] && strchr("FfVvtTr", argv[i][1]) && !argv[i][2] ? 2 : 1;
	if (i < argc) {
		command = argv + i;
		/* Who names it here wants it tested here: by probes, and in a cgroup. */
		setenv("HMM_NOTIFIER_MACHINE", "1", 0);
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
	pid_t reaper;			/* the thread that calls without blocking, or 0 */
	struct calls reaps;		/* its calls, and whether they may sleep */
};

static const unsigned int no_warns[RULE_NR_SITES];

/* What may sleep in a non-blockable callback is seen in the thread @reaper, if there is one. */
static void begin(struct __test_metadata *_metadata, const void *variant,
		  struct trial *trial, const char *cgroup, pid_t reaper)
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
	trial->reaper = reaper;
	if (reaper) {
		ASSERT_EQ(0, callbacks_watch_sleep(reaper));
		ASSERT_EQ(0, calls_begin(&trial->reaps, &trial->callbacks, subject, true));
	}
	EXPECT_STREQ("", subject_compare(subject));
	ASSERT_EQ(0, calls_take(&trial->calls));
}

/* Before its device is to meet memory that is not there: what its driver says then */
static void expect_complaint(const struct subject *subject)
{
	if (*subject->complaint)
		kmsg_write("hmm_notifier: expect %s\n", subject->complaint);
}

/*
 * Its exit has a bound, and is judged like all else. It hangs by a known bug if one hlist
 * notifier refused after an interval notifier had agreed.
 */
static void end(struct __test_metadata *_metadata, const void *variant,
		struct trial *trial)
{
	struct calls *calls = &trial->calls;
	int exits;

	subject_end_child(&trial->subject);
	exits = victim_finish(&trial->scene.victim);
	EXPECT_EQ(0, calls_take(calls));
	if (exits == -ETIMEDOUT && calls->unended)
		KNOWN_BUG(BUG_INTERVAL_TREE_NOT_ENDED);
	else
		EXPECT_EQ(0, exits);
	EXPECT_STREQ("", calls->illegal);
	calls_end(calls);
	if (trial->reaper) {
		EXPECT_EQ(0, calls_take(&trial->reaps));
		EXPECT_STREQ("", trial->reaps.slept);
		calls_end(&trial->reaps);
	}
	scene_expect(&trial->scene, no_warns, calls->messages);
	end_scene(_metadata, variant, &trial->scene);
}

#define TRIAL_SETUP()	do {						\
	if (!command)							\
		SKIP(return, "no COMMAND is given");			\
	ASK_OR_SKIP(consent_why_not_machine());				\
	if (callbacks_watch())						\
		SKIP(return, "no probes (CONFIG_KPROBE_EVENTS)");	\
} while (0)

#define TRIAL_BEGIN(cgroup, reaper) begin(_metadata, variant, &self->trial, cgroup, reaper)

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

#define CHANGE_SETUP(fixture_name)					\
FIXTURE_SETUP(fixture_name)						\
{									\
	TRIAL_SETUP();							\
	TRIAL_BEGIN(NULL, 0);						\
}

/* Makes the change, and puts back what it can. Returns how many callbacks that led to. */
static unsigned int make_change(struct __test_metadata *_metadata, const void *variant,
				struct trial *trial, const struct subject_change *change)
{
	struct calls *calls = &trial->calls;
	uintptr_t at = subject_change_at(&trial->subject);
	unsigned int called;

	ASSERT_EQ(0, change->act(&trial->subject, at));
	ASSERT_EQ(0, calls_take(calls));

	called = calls->inside[RULE_BLOCKABLE];
	EXPECT_EQ(0, calls->nr[RULE_NON_BLOCKABLE]);
	if (change->restore)
		ASSERT_EQ(0, change->restore(&trial->subject, at));
	return called;
}

FIXTURE(change) {
	struct trial trial;
};

FIXTURE_VARIANT(change) {
	const struct subject_change *change;
};

#define CHANGE_VARIANT(name)						\
	FIXTURE_VARIANT_ADD(change, name) { .change = &subject_change_##name };
SUBJECT_CHANGES(CHANGE_VARIANT)

CHANGE_SETUP(change)

TRIAL_TEARDOWN(change)

/* The driver is called, doesn't fail, and its device sees what is in memory. */
TEST_F_TIMEOUT(change, reaches_the_device, 60)
{
	struct subject *subject = &self->trial.subject;
	uintptr_t at = subject_change_at(subject);
	unsigned int called;

	ASK_OR_SKIP(subject_change_why_not(variant->change, subject));
	called = make_change(_metadata, variant, &self->trial, variant->change);
	EXPECT_STREQ("", subject_compare(subject));
	ASSERT_EQ(0, subject_touch(subject, at));
	EXPECT_STREQ("", subject_compare(subject));
	SKIP_UNLESS_CALLED(called);
}

/* The device works from now on, on the page as well. */
#define WORK_OR_SKIP(subject, at) do {					\
	if (!(subject)->can_work)					\
		SKIP(return, "the device does not work by itself");	\
	ASSERT_EQ(0, subject_work(subject));				\
	ASSERT_EQ(0, subject_has_worked(subject, at));			\
} while (0)

FIXTURE(busy) {
	struct trial trial;
};

FIXTURE_VARIANT(busy) {
	const struct subject_change *change;
};

#define BUSY_VARIANT(name)						\
	FIXTURE_VARIANT_ADD(busy, name) { .change = &subject_change_##name };
SUBJECT_CHANGES_WHILE_BUSY(BUSY_VARIANT)

CHANGE_SETUP(busy)

TRIAL_TEARDOWN(busy)

/* A device that works on the page meanwhile goes on doing so, with what is there now. */
TEST_F_TIMEOUT(busy, device_works_on, 60)
{
	struct subject *subject = &self->trial.subject;
	uintptr_t at = subject_change_at(subject);
	unsigned int called;

	ASK_OR_SKIP(subject_change_why_not(variant->change, subject));
	WORK_OR_SKIP(subject, at);
	ASSERT_EQ(0, calls_take(&self->trial.calls));
	expect_complaint(subject);

	called = make_change(_metadata, variant, &self->trial, variant->change);
	EXPECT_EQ(0, subject_has_worked(subject, at)) {
		TH_LOG("the device does not come back to the page");
	}
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

CHANGE_SETUP(forbidden)

TRIAL_TEARDOWN(forbidden)

/* What the process itself may not read any more, its device may not either. */
TEST_F(forbidden, to_the_device_as_well)
{
	struct subject *subject = &self->trial.subject;
	unsigned int sum = 0;

	if (subject_read(subject, &sum) == -ENODEV)
		SKIP(return, "no device that can read");
	expect_complaint(subject);
	ASSERT_EQ(0, variant->change->act(subject, subject_change_at(subject)));

	EXPECT_EQ(-EBADMSG, subject_read(subject, &sum)) {
		TH_LOG("a stale read, or none: it says \"%s\"", subject->said);
	}
}

FIXTURE(protected) {
	struct trial trial;
};

CHANGE_SETUP(protected)

TRIAL_TEARDOWN(protected)

#define STILL_MS 500

/* From mprotect() on, a device that works does not write to the page any more. */
TEST_F_TIMEOUT(protected, stops_the_device, 60)
{
	struct subject *subject = &self->trial.subject;
	uintptr_t at = subject_change_at(subject);
	uint64_t before;
	int ms;

	WORK_OR_SKIP(subject, at);
	expect_complaint(subject);

	ASSERT_EQ(0, subject_change_mprotect.act(subject, at));

	before = subject_hash(subject, at);
	for (ms = 0; ms < STILL_MS; ms += 10, poll(NULL, 0, 10)) {
		ASSERT_EQ(before, subject_hash(subject, at)) {
			TH_LOG("a stale write");
		}
	}
	ASSERT_EQ(0, subject_change_mprotect.restore(subject, at));
	EXPECT_EQ(0, subject_has_worked(subject, at));
}

FIXTURE(forked) {
	struct trial trial;
};

FIXTURE_VARIANT(forked) {
	bool is_busy;
};

FIXTURE_VARIANT_ADD(forked, from_idle) {};
FIXTURE_VARIANT_ADD(forked, from_busy) { .is_busy = true };

CHANGE_SETUP(forked)

TRIAL_TEARDOWN(forked)

/* A device that writes does not write to what is the child's. */
TEST_F(forked, child_keeps_its_memory)
{
	struct subject *subject = &self->trial.subject;
	uintptr_t at = subject_change_at(subject);
	uint64_t before;

	ASK_OR_SKIP(subject_why_not_own(subject));
	if (variant->is_busy)
		WORK_OR_SKIP(subject, at);
	ASSERT_EQ(0, subject_change_fork.act(subject, 0));
	before = subject_hash_of_child(subject);
	ASSERT_EQ(0, variant->is_busy ? subject_has_worked(subject, at) :
		     subject_touch(subject, at));

	EXPECT_STREQ("", subject_compare(subject));

	EXPECT_EQ(before, subject_hash_of_child(subject));
}

FIXTURE(reap) {
	struct trial trial;
};

FIXTURE_SETUP(reap)
{
	TRIAL_SETUP();
	TRIAL_BEGIN(NULL, getpid());
}

TRIAL_TEARDOWN(reap)

/*
 * The reap fails if, and only if, the driver refused. What it refused stays, what it did
 * not goes. Nothing that may sleep is called meanwhile.
 */
TEST_F_TIMEOUT(reap, agrees_with_the_driver, 60)
{
	struct trial *trial = &self->trial;
	struct calls *calls = &trial->calls;
	unsigned int called = 0, tries;
	long pages, err = -EAGAIN;

	if (callbacks_are_mixed(&trial->callbacks))
		ASK_OR_SKIP(consent_why_not_hang());
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
	char state;

	TRIAL_SETUP();
	ASK_OR_SKIP(consent_why_not_oom());
	if (machine_enable("memory"))
		SKIP(return, "no memory cgroup, or HMM_NOTIFIER_MACHINE=1 is not set");
	snprintf(self->cgroup, sizeof(self->cgroup),
		 "/sys/fs/cgroup/hmm_notifier.%d.subject", getpid());
	ASSERT_EQ(0, machine_make_group(self->cgroup));
	/* Without CONFIG_SWAP there is no such file. */
	set_group(self->cgroup, "memory.swap.max", "0");
	TRIAL_BEGIN(self->cgroup, sysfile_kthread("oom_reaper", &state));
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
TEST_F_TIMEOUT(oom, reaper_agrees_with_the_driver, 60)
{
	struct trial *trial = &self->trial;
	struct calls sum = {};
	char verdict[128] = "";
	unsigned int unable;
	pid_t writer;

	/* Where it hangs by the bug, nobody could remove the cgroup. */
	if (callbacks_are_mixed(&trial->callbacks))
		SKIP(return, "its exit may hang: notifiers of both kinds");
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
