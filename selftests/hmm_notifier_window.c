// SPDX-License-Identifier: GPL-2.0
/*
 * A window that is held open: an invalidation that waits in its start, before the page
 * tables change, or in its end, when they have. Somebody else comes in between: another
 * thread of the victim's, and its device, which faults memory in by hmm_range_fault().
 *
 * That an entry is there at the start and gone at the end is tested for every change in
 * hmm_notifier_mmap, by a look at the page tables. Here is what that is good for.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "change/changes.h"
#include "change/device_view.h"
#include "change/glance.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

#define ID		1
#define TIMEOUT_S	90

static void *map_shared(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* What is shared with the victim and with who looks through its device */
struct looks {
	struct glance thread, device;
};

FIXTURE(held) {
	struct scene scene;
	struct looks *looks;
	struct victim_thread thread;
	struct change_expected calls[2 * CHANGE_MAX_CALLS];
	int nr;
	const struct change_expected *call;	/* the one that is held, if it is known */
	uintptr_t at;			/* a page that it changes */
	uintptr_t word;			/* what was there */
	bool present;			/* it was mapped */
	bool mirrors;
};

FIXTURE_VARIANT(held) {
	const struct change *change;
	unsigned int act;
};

#define VARIANTS(name)							\
	FIXTURE_VARIANT_ADD(held, name##_start) {			\
		&change_##name, HMM_DMIRROR_ACT_HOLD };			\
	FIXTURE_VARIANT_ADD(held, name##_end) {				\
		&change_##name, HMM_DMIRROR_ACT_HOLD_END };

CHANGES(VARIANTS)

/* What the victim has in the page, by /proc; false if it has none */
static bool read_page(const struct victim *victim, uintptr_t at, uintptr_t *word)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", victim->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = pread(fd, word, sizeof(*word), at);
	close(fd);
	return len == sizeof(*word);
}

/* Whether the page is mapped now, for a thread to read without a fault */
static bool is_present(int device, uintptr_t at)
{
	struct hmm_dmirror_watch watch = {
		.entry[0].addr = at,
		.flags = HMM_DMIRROR_LOOK,
	};

	return !dmirror_watch(device, &watch) && watch.entry[0].level &&
	       watch.entry[0].flags & HMM_DMIRROR_ENTRY_PRESENT &&
	       !(watch.entry[0].flags & HMM_DMIRROR_ENTRY_PROTNONE);
}

FIXTURE_SETUP(held)
{
	const struct change *change = variant->change;
	struct device_view view;
	const char *why;

	SETUP_OR_SKIP(DMIRROR_MIRROR);
	vm_settings_start();
	why = change->why_not ? change->why_not() : NULL;
	if (why)
		SKIP(return, "%s", why);
	if (change->flags & CHANGE_ALL_PAGES && variant->act == HMM_DMIRROR_ACT_HOLD)
		SKIP(return, "who looks needs pages that are held as well");
	SCENE_BEGIN(&self->scene);
	self->looks = map_shared(sizeof(*self->looks));
	ASSERT_NE(NULL, self->looks);
	ASSERT_EQ(0, victim_start(&self->scene.victim, DMIRROR_MIRROR));
	ASSERT_EQ(0, change_prepare(&self->scene.victim, change, 1));
	ASSERT_EQ(0, victim_thread_start(&self->thread, &self->scene.victim));
	ASSERT_EQ(0, glance_by_thread(&self->looks->thread, &self->thread, change_span(1)));
	ASSERT_EQ(0, glance_end(&self->looks->thread));
	self->nr = change_expect(change, 1, self->calls, 2 * CHANGE_MAX_CALLS);
	ASSERT_LT(0, self->nr);
	self->at = self->calls[0].start ?: change_span(0);
	ASSERT_EQ(0, scene_add(&self->scene, ID,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	/* A mirror that moves memory itself does not drop it for that. */
	self->mirrors = !(change->flags & CHANGE_BY_DEVICE);
	if (self->mirrors)
		ASSERT_EQ(0, device_view_look(&view, self->scene.victim.device, 1));
	self->present = is_present(self->scene.victim.device, self->at);
	/* To read what is not there would make it. */
	if (self->present)
		ASSERT_TRUE(read_page(&self->scene.victim, self->at, &self->word));
}

FIXTURE_TEARDOWN(held)
{
	victim_thread_close(&self->thread);
	SCENE_END(&self->scene);
}

/* Returns when the victim, or a daemon, is held in the first invalidation of the span. */
static int hold(struct victim *victim, const struct change *change, unsigned int act)
{
	struct hmm_dmirror_fail_point fail = {
		.id = ID,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.start = change_span(0),
		.end = change_span(1),
		.act = act,
		.times = 1,
	};
	int err;

	err = dmirror_arm(victim->device, &fail);
	err = err ?: change_begin(victim, change, 1);
	return err ?: dmirror_await_hit(victim->device, ID);
}

/* Which of the invalidations that the change has to start is held; or NULL */
static const struct change_expected *which(const struct change_expected *calls, int nr,
					   int device)
{
	static struct hmm_dmirror_call log[HMM_DMIRROR_NR_CALLS];
	int i, k, logged = dmirror_calls(device, log, HMM_DMIRROR_NR_CALLS);

	for (i = 0; i < logged; i++)
		for (k = 0; k < nr; k++)
			if (log[i].id == ID && log[i].flags & HMM_DMIRROR_CALL_WAS_HIT &&
			    log[i].event == calls[k].event &&
			    log[i].start == calls[k].start && log[i].end == calls[k].end)
				return &calls[k];
	return NULL;
}

/* In the victim: a new word in each page that it may write to */
static long write_anew(uintptr_t at)
{
	unsigned int page;

	for (page = 0; page < DEVICE_VIEW_PAGES; page++) {
		uintptr_t addr = at + page * CHANGE_PAGE;

		if (!(change_pagemap(addr) & PAGEMAP_UFFD_WP) && change_writable(addr))
			*(volatile uintptr_t *)addr = addr + 1;
	}
	return 0;
}

/* The device reads what the victim has, by whatever entries it has now. */
static void check_device(struct __test_metadata *_metadata, struct victim *victim)
{
	struct device_view memory, device;
	unsigned int page;

	ASSERT_EQ(0, device_view_look(&device, victim->device, 1));
	ASSERT_EQ(0, device_view_compare(&memory, victim->pid, 1));
	for (page = 0; page < DEVICE_VIEW_PAGES; page++) {
		EXPECT_EQ(memory.page[0][page].how < 0, device.page[0][page].how < 0);
		if (memory.page[0][page].how >= 0)
			EXPECT_EQ(memory.page[0][page].word, device.page[0][page].word)
				TH_LOG("the device has a stale entry of page %u", page);
	}
}

/*
 * While the start is held all is as before: the thread reads it at once. The device,
 * which has dropped its entry, does not get it back before the end.
 */
static void look_at_start(struct __test_metadata *_metadata, FIXTURE_DATA(held) *self)
{
	if (self->present) {
		EXPECT_EQ(GLANCE_DONE, glance_watch(&self->looks->thread));
		EXPECT_EQ(0, self->looks->thread.how);
		EXPECT_EQ(self->word, self->looks->thread.word);
	}
	if (self->mirrors) {
		int state = glance_watch(&self->looks->device);

		EXPECT_TRUE(state == GLANCE_WAITS ||
			    (state == GLANCE_DONE && self->looks->device.how == -EBUSY))
			TH_LOG("the device: state %d, got %d, %#lx", state,
			       self->looks->device.how, self->looks->device.word);
	}
}

/*
 * What went with the invalidation nobody sees any more while its end is held, or later:
 * unless what is there in the end is the same, moved; or the file still has it.
 */
static void check_gone(struct __test_metadata *_metadata, const FIXTURE_DATA(held) *self,
		       const struct glance *glance, const char *who)
{
	uintptr_t word = 0;
	bool there = read_page(&self->scene.victim, self->at, &word);

	if (!self->present || !(self->call->leaves & CHANGE_GONE) ||
	    self->at < self->call->start || (there && word == self->word))
		return;
	if (glance->how >= 0)
		EXPECT_NE(self->word, glance->word)
			TH_LOG("%s sees the old memory", who);
	if (glance->how >= 0 && there)
		EXPECT_EQ(word, glance->word);
}

/* Another thread and the device see the old memory before the change, and not after. */
TEST_F_TIMEOUT(held, shows_the_old_before_and_the_new_behind, TIMEOUT_S)
{
	struct victim *victim = &self->scene.victim;
	bool start = variant->act == HMM_DMIRROR_ACT_HOLD;
	bool keeps = variant->change->flags & CHANGE_FILE_HAS_IT;
	const struct change anew = { .act = write_anew };
	int err;

	if (self->mirrors)
		ASSERT_EQ(0, glance_start_device(&self->looks->device, victim->device,
						 self->at));
	ASSERT_EQ(0, hold(victim, variant->change, variant->act));
	self->call = which(self->calls, self->nr, victim->device);
	ASSERT_NE(NULL, self->call);
	ASSERT_EQ(0, glance_by_thread(&self->looks->thread, &self->thread, self->at));
	if (self->mirrors)
		ASSERT_EQ(0, glance_by_device(&self->looks->device));
	if (start)
		look_at_start(_metadata, self);
	else
		EXPECT_LE(0, glance_watch(&self->looks->thread));
	if (!start && self->mirrors)
		EXPECT_LE(0, glance_watch(&self->looks->device));

	ASSERT_EQ(0, dmirror_disarm(victim->device, ID));
	err = change_end(victim);
	/*
	 * The device moves no page that somebody else is at, and reads none back that
	 * an access took from it meanwhile.
	 */
	if ((err != -EIO && err != -ENOENT) ||
	    !(variant->change->flags & CHANGE_BY_DEVICE))
		EXPECT_EQ(0, err);
	EXPECT_EQ(0, glance_end(&self->looks->thread));
	if (!start && !keeps)
		check_gone(_metadata, self, &self->looks->thread, "the thread");
	if (!self->mirrors)
		return;
	EXPECT_EQ(0, glance_end(&self->looks->device));
	if (!keeps)
		check_gone(_metadata, self, &self->looks->device, "the device");
	check_device(_metadata, victim);
	EXPECT_EQ(0, change_act(victim, &anew, 1));
	check_device(_metadata, victim);
}

/* Shared by a victim that changes its memory and a process that reads by its device */
struct race {
	volatile uintptr_t dead;	/* no word up to this one is left */
	volatile unsigned int faults;	/* of the device */
	volatile unsigned int stale;
	volatile int err;
	volatile bool stop;
};

#define RACE_CHANGES	100
#define RACE_FAULTS	20
#define RACE_MAX	1000000

FIXTURE(parallel) {
	struct scene scene;
	struct race *race;
};

FIXTURE_VARIANT(parallel) {
	int (*drop)(uintptr_t at);
};

static int drop_page(uintptr_t at)
{
	return madvise((void *)at, CHANGE_PAGE, MADV_DONTNEED) ? -errno : 0;
}

static int map_anew(uintptr_t at)
{
	void *got = mmap((void *)at, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return got == (void *)at ? 0 : -errno;
}

FIXTURE_VARIANT_ADD(parallel, dontneed) { drop_page };
FIXTURE_VARIANT_ADD(parallel, map_fixed) { map_anew };

FIXTURE_SETUP(parallel)
{
	SETUP_OR_SKIP(DMIRROR_MIRROR);
	SCENE_BEGIN(&self->scene);
	self->race = map_shared(sizeof(*self->race));
	ASSERT_NE(NULL, self->race);
	ASSERT_EQ(0, victim_start(&self->scene.victim, DMIRROR_MIRROR));
	ASSERT_EQ(0, change_prepare(&self->scene.victim, &change_dontneed, 1));
}

SCENE_TEARDOWN(parallel)

/* In the victim: writes a word and drops it, the next one, and so on */
static long do_race(const struct victim_args *args)
{
	struct race *race = (struct race *)(uintptr_t)args->arg[0];
	int (*drop)(uintptr_t at) = (void *)(uintptr_t)args->arg[1];
	uintptr_t at = change_span(0), word;
	int err = 0;

	for (word = 1; !err && !race->err && word < RACE_MAX &&
	     (word <= RACE_CHANGES || race->faults < RACE_FAULTS); word++) {
		*(volatile uintptr_t *)at = word;
		err = drop(at);
		race->dead = word;
	}
	race->stop = true;
	return err ?: word < RACE_MAX ? 0 : -ETIMEDOUT;
}

/* Reads by the device until the victim stops: never a word that has gone before. */
static void read_in_race(struct race *race, int device)
{
	static uintptr_t page[CHANGE_MAX_PAGE / sizeof(uintptr_t)];

	while (!race->stop) {
		uintptr_t dead = race->dead;
		int how;

		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		how = dmirror_read_page(device, change_span(0), page);
		/* What the mirror's own retries come to, and what is not mapped just now */
		if (how < 0 && how != -EBUSY && how != -EFAULT)
			race->err = how;
		if (how < 0)
			continue;
		race->faults += how;
		race->stale += page[0] && page[0] <= dead;
	}
}

/* A device that reads all the time never has what the victim has given up. */
TEST_F_TIMEOUT(parallel, reader_sees_nothing_stale, TIMEOUT_S)
{
	struct victim *victim = &self->scene.victim;
	struct victim_args args = {
		.arg = { (uintptr_t)self->race, (uintptr_t)variant->drop },
	};
	pid_t parent = getpid(), reader;
	long result;

	reader = fork();
	if (!reader) {
		end_with_parent(parent);
		read_in_race(self->race, victim->device);
		_exit(0);
	}
	ASSERT_LT(0, reader);
	victim->bound_ms = TIMEOUT_S / 2 * 1000;
	ASSERT_EQ(0, victim_order(victim, do_race, &args));
	EXPECT_EQ(0, victim_answer(victim, &result));
	self->race->stop = true;
	ASSERT_EQ(reader, waitpid(reader, NULL, 0));

	EXPECT_EQ(0, result);
	EXPECT_EQ(0, self->race->err);
	EXPECT_LE(RACE_FAULTS, self->race->faults);
	EXPECT_EQ(0, self->race->stale);
}

/*
 * NUMA balancing leaves the memory of a test alone, also where it is on: none of its
 * invalidations comes between those that are counted.
 */
TEST(numa_balancing_keeps_off)
{
	static struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	int device, nr, i;
	const char *why;

	SETUP_OR_SKIP(DMIRROR_BARE);
	vm_settings_start();
	why = change_why_not_numa_scan();
	if (why)
		SKIP(return, "%s", why);
	device = dmirror_open(DMIRROR_BARE);
	ASSERT_LE(0, device);
	ASSERT_EQ(0, dmirror_add(device, ID, HMM_DMIRROR_HLIST, 0, 0));

	EXPECT_EQ(0, change_numa_scan());

	nr = dmirror_calls(device, calls, HMM_DMIRROR_NR_CALLS);
	ASSERT_LE(0, nr);
	for (i = 0; i < nr; i++)
		EXPECT_NE(HMM_DMIRROR_EVENT_PROTECTION_VMA, calls[i].event);
	EXPECT_EQ(0, close(device));
}

TEST_HARNESS_MAIN
