// SPDX-License-Identifier: GPL-2.0
/*
 * Unregistering, and a registration that fails: a signal comes while
 * __mmu_notifier_register() takes all locks of the mm, or there is no memory. Nothing
 * may be left of it, neither on the list nor locked, and it must work the next time.
 *
 * Each try is made by a child, as an mm keeps what its first notifier needs.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "core/machine_state.h"
#include "core/sysfile.h"
#include "hmm_notifier.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define NR_VMAS		4000	/* taking their locks takes a while */
#define MAX_TRIES	500
/* Seen: 1 to 9 s, and more than the 30 s of the harness with a load of ten per CPU */
#define TIMEOUT_S	120
#define NR_CALLS	256

/* What a child has seen; above, it is the number of the check that failed */
enum {
	REGISTERED,
	INTERRUPTED,
	NO_MEMORY,
	BROKEN,
};

FIXTURE(registration) {
	struct scene scene;
	char *vmas;
};

FIXTURE_VARIANT(registration) {
	unsigned int kind;
	__u64 flags;
};

FIXTURE_VARIANT_ADD(registration, hlist) { HMM_DMIRROR_HLIST };
FIXTURE_VARIANT_ADD(registration, hlist_got) {
	HMM_DMIRROR_HLIST, HMM_DMIRROR_LOCKED };
FIXTURE_VARIANT_ADD(registration, interval) { HMM_DMIRROR_INTERVAL };
FIXTURE_VARIANT_ADD(registration, interval_locked) {
	HMM_DMIRROR_INTERVAL, HMM_DMIRROR_LOCKED };

static char *make_vmas(void)
{
	size_t page = getpagesize();
	char *vmas = mmap(NULL, NR_VMAS * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	for (i = 0; vmas != MAP_FAILED && i < NR_VMAS; i += 2)
		if (mprotect(vmas + i * page, page, PROT_READ))
			return MAP_FAILED;
	return vmas;
}

/* How long the last registration took, in the child that tried it, too */
static volatile unsigned int *usec_of_add;

FIXTURE_SETUP(registration)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	usec_of_add = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)usec_of_add);
	self->vmas = make_vmas();
	ASSERT_NE(MAP_FAILED, self->vmas);
}

SCENE_TEARDOWN(registration)

static void on_alarm(int sig)
{
	(void)sig;
}

/* The timer is started last: what is interrupted must be the ioctl. */
static void alarm_in(unsigned int usec)
{
	struct itimerval timer = { .it_value = { usec / 1000000, usec % 1000000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* How a registration is disturbed: not at all if both are 0 */
struct disturb {
	unsigned int usec;	/* until a signal comes */
	unsigned int nth;	/* allocation that fails */
};

static unsigned int usec_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000000 + (now.tv_nsec - then->tv_nsec) / 1000;
}

/* Returns 0 or -errno, and whether an allocation was made to fail. */
static int disturbed_add(int device, struct hmm_dmirror_notifier *arg,
			 const struct disturb *disturb, bool *failed)
{
	struct timespec began;
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%u", disturb->nth);
	if (disturb->nth && machine_write(FAIL_NTH, text))
		_exit(BROKEN);
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (disturb->usec)
		alarm_in(disturb->usec);
	err = ioctl(device, HMM_DMIRROR_NOTIFIER_ADD, arg) ? -errno : 0;
	*usec_of_add = usec_since(&began);
	if (disturb->usec)
		alarm_in(0);
	*failed = disturb->nth && !sysfile_number(FAIL_NTH);
	if (disturb->nth)
		machine_write(FAIL_NTH, "0");
	return err;
}

/*
 * The calls that come for one page, which the notifier sees if there is one. Of the rest of
 * this process khugepaged may invalidate some at any time.
 */
static int calls_of_munmap(int device, char *page)
{
	static struct hmm_dmirror_call calls[NR_CALLS];
	unsigned long at = (unsigned long)page;
	int nr, i, found = 0;

	dmirror_calls(device, calls, NR_CALLS);
	munmap(page, getpagesize());
	nr = dmirror_calls(device, calls, NR_CALLS);
	for (i = 0; i < nr; i++)
		found += calls[i].start <= at && at < calls[i].end;
	return nr < 0 ? nr : found;
}

struct attempt {
	char *vmas;
	unsigned int kind;
	__u64 flags;
	const struct disturb *disturb;
};

/* In a child; see the enum for what it returns. */
static int try(void *attempt)
{
	const struct attempt *this = attempt;
	const struct disturb *disturb = this->disturb;
	bool interval = this->kind == HMM_DMIRROR_INTERVAL;
	char *vmas = this->vmas;
	struct hmm_dmirror_notifier arg = {
		.id = 1,
		.kind = this->kind,
		.start = interval ? (uintptr_t)vmas : 0,
		.end = interval ? (uintptr_t)vmas + NR_VMAS * getpagesize() : 0,
		.flags = this->flags,
	};
	int device = dmirror_open(DMIRROR_BARE);
	struct hmm_dmirror_counts counts;
	bool failed;
	int err;

	if (device < 0)
		return BROKEN + 1;
	err = disturbed_add(device, &arg, disturb, &failed);
	if (!err)
		return failed ? BROKEN + 2 : REGISTERED;
	if (err != (disturb->nth ? -ENOMEM : -EINTR))
		return BROKEN + 3;
	if (dmirror_counts(device, 1, &counts) != -ENOENT)
		return BROKEN + 4;
	if (calls_of_munmap(device, vmas))
		return BROKEN + 5;
	if (ioctl(device, HMM_DMIRROR_NOTIFIER_ADD, &arg))
		return BROKEN + 6;
	if (calls_of_munmap(device, vmas + getpagesize()) != 1)
		return BROKEN + 7;
	if (dmirror_del(device, 1) || close(device))
		return BROKEN + 8;
	return disturb->nth ? NO_MEMORY : INTERRUPTED;
}

/* Or -ETIMEDOUT, if it hangs in the kernel */
static int try_in_child(char *vmas, unsigned int kind, __u64 flags,
			const struct disturb *disturb)
{
	struct attempt attempt = { vmas, kind, flags, disturb };

	return bounded_call(try, &attempt);
}

/*
 * A signal while it takes the locks. A child takes much longer than that, where the kernel
 * checks its locks: so most of the tries have to hit.
 */
TEST_F_TIMEOUT(registration, interrupted_leaves_nothing, TIMEOUT_S)
{
	const struct disturb nothing = {};
	unsigned int i, usec, interrupted = 0;

	ASSERT_EQ(REGISTERED, try_in_child(self->vmas, variant->kind, variant->flags,
					   &nothing));
	usec = *usec_of_add;
	srand(1);
	for (i = 0; i < MAX_TRIES && interrupted < 3; i++) {
		struct disturb disturb = { .usec = 1 + rand() % usec };
		int result = try_in_child(self->vmas, variant->kind,
					  variant->flags, &disturb);

		ASSERT_LE(0, result);
		ASSERT_GT(BROKEN, result);
		interrupted += result == INTERRUPTED;
	}
	EXPECT_EQ(3, interrupted);
}

/*
 * mmu_notifier_unregister() calls ->release, for whoever frees what it mapped there;
 * mmu_notifier_put() leaves that to the end of the mm.
 */
TEST_F(registration, is_released_when_unregistered)
{
	bool interval = variant->kind == HMM_DMIRROR_INTERVAL;
	static struct hmm_dmirror_call calls[NR_CALLS];
	int device = dmirror_open(DMIRROR_BARE), nr, i, released = 0;

	ASSERT_LE(0, device);
	/* One without ->release is just taken out. */
	ASSERT_EQ(0, dmirror_add(device, 2, HMM_DMIRROR_IDLE, 0, 0));
	ASSERT_EQ(0, dmirror_del(device, 2));
	ASSERT_EQ(0, dmirror_add_flags(device, 1, variant->kind, 0,
				       interval ? getpagesize() : 0,
				       variant->flags));
	ASSERT_EQ(0, dmirror_del(device, 1));

	nr = dmirror_calls(device, calls, NR_CALLS);
	ASSERT_LE(0, nr);
	for (i = 0; i < nr; i++)
		released += calls[i].call == HMM_DMIRROR_CALL_RELEASE;
	EXPECT_EQ(interval || variant->flags ? 0 : 1, released);
	EXPECT_EQ(0, close(device));
}

static bool failslab_start(void)
{
	return !machine_set_for_now(FAILSLAB "ignore-gfp-wait", "N") &&
	       !machine_set_for_now(FAILSLAB "verbose", "0");
}

static void failslab_stop(void)
{
	machine_put_back(FAILSLAB "verbose");
	machine_put_back(FAILSLAB "ignore-gfp-wait");
}

/* Each allocation on the way fails once. */
TEST_F(registration, without_memory_leaves_nothing)
{
	int result = NO_MEMORY;
	struct disturb disturb;

	if (access(FAIL_NTH, W_OK) || access(FAILSLAB, R_OK))
		SKIP(return, "no failslab (CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS)");
	ASK_OR_SKIP(consent_why_not_machine());
	ASSERT_TRUE(failslab_start());
	for (disturb.usec = 0, disturb.nth = 1; result == NO_MEMORY; disturb.nth++)
		result = try_in_child(self->vmas, variant->kind, variant->flags,
				      &disturb);
	failslab_stop();

	EXPECT_EQ(REGISTERED, result);
	/* the device's own one, and those of the mm's first notifier */
	EXPECT_LE(2 + 1, disturb.nth - 1);
}

TEST_HARNESS_MAIN
