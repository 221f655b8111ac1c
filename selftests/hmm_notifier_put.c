// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_notifier_put(): what it lets go of is freed when nobody can meet it any more, by
 * ->free_notifier, of which test_hmm has one that the function tracer can count.
 */
#include <string.h>
#include <sys/wait.h>

#include "core/machine_state.h"
#include "core/trace_pipe.h"
#include "hmm_notifier.h"
#include "hmm_notifier_held.h"

#define GOT		10	/* by mmu_notifier_get(), in the second file */
#define AGAIN		11
#define MAX_CALLS	256

#define FREE	"dmirror_hlist_free"	/* test_hmm's ->free_notifier */

static int trace_frees(pid_t program)
{
	return machine_trace_function(program, "frees", FREE);
}

static void count_free(const char *line, void *arg)
{
	/* A module's name follows in brackets. */
	*(int *)arg += !!strstr(line, ": " FREE " ");
}

/* How often it was called since the last time, or -errno */
static int frees(void)
{
	int nr = 0, err = trace_pipe_take(machine_trace("frees", "trace_pipe"),
					  count_free, &nr);

	return err ?: nr;
}

/* The same, and waits for a call */
static int frees_in_the_end(void)
{
	int nr, waited;

	for (nr = waited = 0; !nr && waited < BOUND_MS; waited++) {
		usleep(1000);
		nr = frees();
	}
	return nr;
}

static int get(int device, unsigned int id)
{
	return dmirror_add_flags(device, id, HMM_DMIRROR_HLIST, 0, 0, HMM_DMIRROR_LOCKED);
}

/*
 * A notifier by mmu_notifier_get(), called by an invalidation that goes on. It was got
 * twice: test_hmm has no use for a second reference, and gives it back.
 */
FIXTURE(got) {
	struct scene scene;
	int device;		/* the second file, which has the notifier */
	bool held;
};

FIXTURE_SETUP(got)
{
	int err;

	SETUP_OR_SKIP(DMIRROR_BARE);
	err = machine_once(trace_frees);
	/* lib/Makefile */
	if (err == -EINVAL)
		SKIP(return, "a test_hmm of lib/ is built without calls to trace");
	if (err)
		SKIP(return, "no function tracer (CONFIG_FUNCTION_TRACER)");
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_BARE, 3);
	self->device = open_again(&self->scene.victim);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, victim_dontneed(&self->scene.victim, 2));
	ASSERT_LE(0, frees());
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, HOLDER, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, get(self->device, GOT));
	ASSERT_EQ(-EBUSY, get(self->device, AGAIN));
	ASSERT_EQ(0, hold(&self->scene.victim));
	self->held = true;
	ASSERT_LE(1, calls_of(self->device, GOT));
}

FIXTURE_TEARDOWN(got)
{
	if (self->held)
		EXPECT_EQ(0, let_go(&self->scene.victim));
	EXPECT_EQ(0, close(self->device));
	SCENE_END(&self->scene);
}

/*
 * The last mmu_notifier_put() takes it off the list; it is freed once, when no walk that
 * may have met it goes on, and mmu_notifier_synchronize() waits for these.
 */
TEST_F(got, is_freed_once_after_the_walk)
{
	static struct hmm_dmirror_call calls[MAX_CALLS];
	int nr, status, device = self->device;
	pid_t parent = getpid(), pid;

	EXPECT_EQ(0, frees());
	pid = fork();
	if (!pid) {
		end_with_parent(parent);
		_exit(!!dmirror_del(device, GOT));
	}
	ASSERT_LT(0, pid);
	EXPECT_TRUE(sleeps_for_long(pid));
	ASSERT_EQ(0, invalidate_meanwhile(&self->scene.victim, 2));
	EXPECT_EQ(0, frees());

	EXPECT_EQ(0, let_go(&self->scene.victim));
	self->held = false;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, frees_in_the_end());

	/* It has seen what went on when it was put, and no more. */
	EXPECT_EQ(0, victim_dontneed(&self->scene.victim, 1));
	nr = dmirror_calls(device, calls, MAX_CALLS);
	EXPECT_EQ(1, calls_seen(calls, nr, GOT, RULE_BLOCKABLE, 0).calls);
	EXPECT_EQ(0, calls_seen(calls, nr, GOT, RULE_BLOCKABLE, 1).calls);
	EXPECT_EQ(0, calls_seen(calls, nr, GOT, RULE_BLOCKABLE, 2).calls);
	EXPECT_EQ(0, frees());
}

TEST_HARNESS_MAIN
