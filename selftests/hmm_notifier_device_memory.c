// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a device has to itself: how it goes when it is of a private file mapping,
 * whose pages are anonymous once they are written, and what is read of it in /proc while
 * it moves. What moving it starts is in hmm_notifier_mmap.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "change/changes.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

#define PAGES		CHANGE_NR_PAGES

/* Room for a huge page */
static unsigned char *buffer;

static void __attribute__((constructor)) map_buffer(void)
{
	void *room = mmap(NULL, CHANGE_HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	buffer = room == MAP_FAILED ? NULL : room;
}

/* In the victim: a file's pages, written by it */
static long map_file(uintptr_t at)
{
	int err, fd = memfd_create("hmm_notifier", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, CHANGE_SIZE))
		return -errno;
	err = change_map(at, CHANGE_SIZE, MAP_PRIVATE, fd);
	close(fd);
	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

static long map_private_file(uintptr_t at)
{
	unsigned char prot[PAGES] = {};
	int device = victim_own_device();
	unsigned int i;
	long err;

	err = map_file(at);
	err = err ?: dmirror_migrate_to_device(device, at, buffer, PAGES);
	err = err ?: dmirror_snapshot(device, at, prot, PAGES);
	for (i = 0; i < PAGES && !err; i++)
		if ((prot[i] & 0xf0) != HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL)
			err = -EBADMSG;
	return err;
}

static long map_exclusive_file(uintptr_t at)
{
	unsigned int i;
	long err;

	err = map_file(at);
	err = err ?: dmirror_exclusive(victim_own_device(), at, buffer, PAGES);
	for (i = 0; i < PAGES && !err; i++)
		if (change_pagemap(at + i * CHANGE_PAGE) & PAGEMAP_PRESENT)
			err = -EBADMSG;
	return err;
}

static const struct change private_file = { .prepare = map_private_file };
static const struct change exclusive_file = { .prepare = map_exclusive_file };

static long unmap(uintptr_t at)
{
	return munmap((void *)at, CHANGE_SIZE) ? -errno : change_unmapped(at, CHANGE_SIZE);
}

/* The file has nothing. */
static long drop(uintptr_t at)
{
	return madvise((void *)at, CHANGE_SIZE, MADV_DONTNEED) ? -errno :
	       change_zero(at, CHANGE_SIZE);
}

static int by_munmap(struct victim *victim)
{
	return change_act(victim, &(const struct change){ .act = unmap }, 1);
}

static int by_dontneed(struct victim *victim)
{
	return change_act(victim, &(const struct change){ .act = drop }, 1);
}

/* The victim's memory, by its device: nothing is there. */
static int by_mrelease(struct victim *victim)
{
	unsigned char prot[PAGES];
	unsigned int i;
	int err;

	memset(prot, 0xff, sizeof(prot));
	err = victim_freeze(victim) ?: victim_reap(victim);
	err = err ?: dmirror_snapshot(victim->device, change_span(0), prot, PAGES);
	for (i = 0; i < PAGES && !err; i++)
		err = prot[i] == HMM_DMIRROR_PROT_NONE ? 0 : -EBADMSG;
	return err;
}

FIXTURE(file) {
	struct scene scene;
};

FIXTURE_VARIANT(file) {
	const struct change *moved;
	int (*goes)(struct victim *victim);
};

FIXTURE_VARIANT_ADD(file, private_munmap) { &private_file, by_munmap };
FIXTURE_VARIANT_ADD(file, private_dontneed) { &private_file, by_dontneed };
FIXTURE_VARIANT_ADD(file, private_mrelease) { &private_file, by_mrelease };
FIXTURE_VARIANT_ADD(file, exclusive_munmap) { &exclusive_file, by_munmap };
FIXTURE_VARIANT_ADD(file, exclusive_dontneed) { &exclusive_file, by_dontneed };
FIXTURE_VARIANT_ADD(file, exclusive_mrelease) { &exclusive_file, by_mrelease };

/* After SETUP_OR_SKIP() */
#define DEVICE_MEMORY_OR_SKIP() do {					\
	const char *no_memory = change_migrate_to_device.why_not();	\
									\
	if (no_memory)							\
		SKIP(return, "%s", no_memory);				\
} while (0)

FIXTURE_SETUP(file)
{
	SETUP_OR_SKIP(DMIRROR_MIRROR);
	DEVICE_MEMORY_OR_SKIP();
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_MIRROR, 0);
	ASSERT_EQ(0, scene_add(&self->scene, 1,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	ASSERT_EQ(0, change_prepare(&self->scene.victim, variant->moved, 1));
}

SCENE_TEARDOWN(file)

/* A written page of a private file mapping goes from the device as any other does. */
TEST_F(file, goes_in_silence)
{
	EXPECT_EQ(0, variant->goes(&self->scene.victim));
}

/*
 * A page that stays on the device, as a fault is about to move it: do_swap_page() has a
 * reference to it, and in 7.2 its lock. test_hmm holds the fault where it is told of it.
 */
#define HOLDER		1
#define FAILURES	50

FIXTURE(faulting) {
	struct scene scene;
	int device;
};

static long map_on_device(uintptr_t at)
{
	long err = change_private(at);

	return err ?: dmirror_migrate_to_device(victim_own_device(), at, buffer, 1);
}

static long touch(const struct victim_args *args)
{
	return change_filled(args->arg[0], CHANGE_PAGE);
}

/* Has the victim touch it, and waits until it is held. Returns 0 or -errno. */
static int hold_fault(struct victim *victim)
{
	struct hmm_dmirror_fail_point fail = {
		.id = HOLDER,
		.contexts = HMM_DMIRROR_BLOCKABLE,
		.events = 1 << HMM_DMIRROR_EVENT_MIGRATE,
		.start = CHANGE_BASE,
		.end = CHANGE_BASE + CHANGE_PAGE,
		.act = HMM_DMIRROR_ACT_HOLD,
		.times = 1,
	};
	struct victim_args args = { .arg = { CHANGE_BASE } };
	int err;

	err = dmirror_arm(victim->device, &fail) ?: victim_order(victim, touch, &args);
	return err ?: dmirror_await_hit(victim->device, HOLDER);
}

FIXTURE_SETUP(faulting)
{
	struct change change = { .prepare = map_on_device };

	SETUP_OR_SKIP(DMIRROR_MIRROR);
	DEVICE_MEMORY_OR_SKIP();
	SCENE_BEGIN_VICTIM(&self->scene, DMIRROR_MIRROR, 0);
	self->device = self->scene.victim.device;
	ASSERT_EQ(0, change_prepare(&self->scene.victim, &change, 1));
	ASSERT_EQ(0, scene_add(&self->scene, HOLDER,
			       &(const struct rule_notifier){ .kind = RULE_HLIST_END }));
	ASSERT_EQ(0, hold_fault(&self->scene.victim));
}

SCENE_TEARDOWN(faulting)

/* Moving it back fails again and again, and leaves no reference that would keep it there. */
TEST_F(faulting, fails_without_a_trace)
{
	long result;
	int i;

	for (i = 0; i < FAILURES; i++)
		EXPECT_EQ(-EIO, dmirror_migrate_to_system(self->device, CHANGE_BASE, 1));

	EXPECT_EQ(0, dmirror_disarm(self->device, HOLDER));
	ASSERT_EQ(0, victim_answer(&self->scene.victim, &result));
	EXPECT_EQ(0, result);
	EXPECT_EQ(0, dmirror_migrate_to_device(self->device, CHANGE_BASE, buffer, 1));
	EXPECT_EQ(0, dmirror_migrate_to_system(self->device, CHANGE_BASE, 1));
}

/* Shared with the victim: how often it moved its memory; whether it is to stop */
struct moving {
	unsigned int times;
	bool stop;
};

FIXTURE(moving) {
	struct scene scene;
	volatile struct moving *shared;
};

FIXTURE_VARIANT(moving) {
	unsigned int size;	/* for change_bytes() */
	long (*map)(uintptr_t at);
};

FIXTURE_VARIANT_ADD(moving, small) { CHANGE_PAGES(4), change_private };
FIXTURE_VARIANT_ADD(moving, huge) { CHANGE_HUGES(1), change_map_huge };

FIXTURE_SETUP(moving)
{
	struct change change = { .prepare = variant->map };

	SETUP_OR_SKIP(DMIRROR_MIRROR);
	DEVICE_MEMORY_OR_SKIP();
	vm_settings_start();
	if (variant->size == CHANGE_HUGES(1) && change_why_not_huge())
		SKIP(return, "%s", change_why_not_huge());
	SCENE_BEGIN(&self->scene);
	self->shared = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->shared);
	ASSERT_EQ(0, victim_start(&self->scene.victim, DMIRROR_MIRROR));
	ASSERT_EQ(0, change_prepare(&self->scene.victim, &change, 1));
}

SCENE_TEARDOWN(moving)

/*
 * In the victim: to the device and back, until it is told to stop. -EIO: some page stays
 * where it is, when somebody else is at it.
 */
static long move_until_stopped(const struct victim_args *args)
{
	volatile struct moving *moving = (void *)(uintptr_t)args->arg[0];
	size_t pages = args->arg[1] / CHANGE_PAGE;
	int device = victim_own_device();
	long err = 0;

	while (!moving->stop && (!err || err == -EIO)) {
		err = dmirror_migrate_to_device(device, CHANGE_BASE, buffer, pages);
		moving->times += !err;
		err = err ?: dmirror_migrate_to_system(device, CHANGE_BASE, pages);
	}
	return err && err != -EIO ? err : change_filled(CHANGE_BASE, args->arg[1]);
}

static int open_of(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Reads all that /proc says of the memory there. Returns 0 or -errno. */
static int read_proc(pid_t pid, size_t size)
{
	static char text[CHANGE_MAX_PAGE];
	size_t entries = size / CHANGE_PAGE * sizeof(uint64_t);
	int pagemap = open_of(pid, "pagemap"), smaps = open_of(pid, "smaps");
	int err = 0;
	ssize_t len;

	if (pread(pagemap, text, entries, CHANGE_BASE / CHANGE_PAGE * sizeof(uint64_t)) !=
	    (ssize_t)entries)
		err = -EIO;
	do {
		len = read(smaps, text, sizeof(text));
	} while (len > 0);
	close(pagemap);
	close(smaps);
	return err ?: len;
}

/* Seen: a move of a huge page takes a second, with a load of ten per CPU. */
#define MOVES		5
#define MAX_READS	10000U
#define TIMEOUT_S	120

/* The kernel tells of memory on the device, and of what is on its way, in silence. */
TEST_F_TIMEOUT(moving, is_told_of_in_silence, TIMEOUT_S)
{
	struct victim_args args = {
		.arg = { (uintptr_t)self->shared, change_bytes(variant->size) },
	};
	struct victim *victim = &self->scene.victim;
	unsigned int reads;
	long result;
	int err = 0;

	ASSERT_EQ(0, victim_order(victim, move_until_stopped, &args));
	for (reads = 0; !err && reads < MAX_READS; reads++) {
		err = read_proc(victim->pid, change_bytes(variant->size));
		if (reads >= MOVES && self->shared->times >= MOVES)
			break;
	}
	self->shared->stop = true;

	EXPECT_EQ(0, err);
	EXPECT_GT(MAX_READS, reads);
	ASSERT_EQ(0, victim_answer(victim, &result));
	EXPECT_EQ(0, result);
}

TEST_HARNESS_MAIN
