// SPDX-License-Identifier: GPL-2.0
/*
 * A stand-in for the real tests: one test per way in which a test, a kernel or a
 * guest can end.  `make check` runs each in a real guest, to see that the runner
 * tells it for what it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void mark(const char *what, const char *fixture, const char *test)
{
	char text[256];

	snprintf(text, sizeof(text), "hmm_notifier: %s %s:%s.%s\n",
		 what, program_invocation_short_name, fixture, test);
	put("/dev/kmsg", text);
}

static void ask(const char *what)
{
	put("/sys/module/misbehave/parameters/please", what);
}

FIXTURE(ends) {};

FIXTURE_SETUP(ends)
{
	mark("begin", "ends", _metadata->name);
}

FIXTURE_TEARDOWN(ends)
{
	char text[256];

	if (*_metadata->results->reason) {
		snprintf(text, sizeof(text), "hmm_notifier: result %s\n",
			 _metadata->results->reason);
		put("/dev/kmsg", text);
	}
	mark("end", "ends", _metadata->name);
}

TEST_F(ends, passes)
{
	ASSERT_EQ(0, access("/sys/devices/system/node/node1", F_OK));
	ASSERT_EQ(0, access("/sys/fs/cgroup/memory.stat", F_OK));
	ASSERT_EQ(0, access("/sys/kernel/tracing/trace", F_OK));
	ASSERT_EQ(0, access("/sys/kernel/debug/sched", F_OK));
	ASSERT_STREQ("1", getenv("HMM_NOTIFIER_VM"));
}

TEST_F(ends, fails)
{
	EXPECT_EQ(1, 2);
}

TEST_F(ends, skips)
{
	SKIP(return, "nothing to test with");
}

/* One that the judge takes from a test, of a fix in kernel-patches/ */
#define KNOWN_BUG \
	"known bug: mm/mmu_notifier: don't run range_end twice after a blockable failure"

TEST_F(ends, known_bug)
{
#ifndef XFAIL_ADD /* 6.1: the harness has no XFAIL */
	SKIP(return, KNOWN_BUG);
#else
	snprintf(_metadata->results->reason, sizeof(_metadata->results->reason),
		 KNOWN_BUG);
	_metadata->exit_code = KSFT_XFAIL;
#endif
}

FIXTURE(kernel) {};

FIXTURE_VARIANT(kernel) {
	const char *what;
};

FIXTURE_VARIANT_ADD(kernel, sane) { .what = NULL };
FIXTURE_VARIANT_ADD(kernel, mad) { .what = "yes" };

FIXTURE_SETUP(kernel)
{
	mark("begin", variant->what ? "kernel.mad" : "kernel.sane", _metadata->name);
}

FIXTURE_TEARDOWN(kernel)
{
	mark("end", variant->what ? "kernel.mad" : "kernel.sane", _metadata->name);
}

TEST_F(kernel, oops)
{
	if (variant->what && fork() == 0) {
		ask("oops");
		_exit(0);
	}
	usleep(variant->what ? 100000 : 0);
}

TEST_F(kernel, leak)
{
	if (variant->what)
		ask("leak");
}

TEST_F_TIMEOUT(kernel, hang, 100000)
{
	if (variant->what)
		ask("hang");
}

TEST_F_TIMEOUT(kernel, hang_times_out, 2)
{
	if (variant->what)
		ask("hang");
}

TEST_F(kernel, flood)
{
	if (variant->what)
		ask("flood");
}

TEST_F(kernel, panic)
{
	if (variant->what) {
		usleep(500000);	/* all that was said before is at the host */
		ask("panic");
	}
}

/* Splats in its own time, when no test is there to answer for it. */
TEST(late_warn)
{
	ask("warn");
}

TEST_F_TIMEOUT(ends, never, 100000)
{
	for (;;)
		pause();
}

TEST_F_TIMEOUT(ends, talks_for_ever, 100000)
{
	for (;;) {
		TH_LOG("still here");
		usleep(100000);
	}
}

TEST_HARNESS_MAIN
