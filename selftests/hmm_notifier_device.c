// SPDX-License-Identifier: GPL-2.0
/*
 * The fail points of test_hmm themselves: what they refuse, and that what one
 * file armed dies with it. A tool that lies makes every other test worthless.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "change/change.h"
#include "core/vm_settings.h"
#include "hmm_notifier.h"

#define NOBODY 65534

FIXTURE(bad_notifier) {
	struct scene scene;
};

FIXTURE_VARIANT(bad_notifier) {
	struct hmm_dmirror_notifier arg;
	int error;
};

#define BAD_NOTIFIER(name, err, ...)					\
	FIXTURE_VARIANT_ADD(bad_notifier, name) {			\
		.arg = { __VA_ARGS__ }, .error = err }

BAD_NOTIFIER(id_0, EINVAL, .kind = HMM_DMIRROR_HLIST);
BAD_NOTIFIER(id_too_large, EINVAL, .id = HMM_DMIRROR_NR_NOTIFIERS,
	     .kind = HMM_DMIRROR_HLIST);
BAD_NOTIFIER(id_taken, EEXIST, .id = 1, .kind = HMM_DMIRROR_HLIST);
BAD_NOTIFIER(kind_0, EINVAL, .id = 2);
BAD_NOTIFIER(kind_unknown, EINVAL, .id = 2, .kind = 99);
BAD_NOTIFIER(flags_unknown, EINVAL, .id = 2, .kind = HMM_DMIRROR_HLIST,
	     .flags = 0x80);
BAD_NOTIFIER(flags_of_others, EINVAL, .id = 2, .kind = HMM_DMIRROR_HLIST_END,
	     .flags = HMM_DMIRROR_LOCKED);
BAD_NOTIFIER(reserved, EINVAL, .id = 2, .kind = HMM_DMIRROR_HLIST,
	     .reserved = { 1 });
BAD_NOTIFIER(reserved_too, EINVAL, .id = 2, .kind = HMM_DMIRROR_HLIST,
	     .reserved = { 0, 1 });
BAD_NOTIFIER(hlist_with_range, EINVAL, .id = 2, .kind = HMM_DMIRROR_HLIST,
	     .end = CHANGE_MAX_PAGE);
BAD_NOTIFIER(interval_empty, EOVERFLOW, .id = 2, .kind = HMM_DMIRROR_INTERVAL);
BAD_NOTIFIER(interval_reversed, EOVERFLOW, .id = 2,
	     .kind = HMM_DMIRROR_INTERVAL,
	     .start = 2 * CHANGE_MAX_PAGE, .end = CHANGE_MAX_PAGE);
BAD_NOTIFIER(interval_unaligned, EINVAL, .id = 2,
	     .kind = HMM_DMIRROR_INTERVAL,
	     .start = CHANGE_MAX_PAGE, .end = 2 * CHANGE_MAX_PAGE + 1);

FIXTURE_SETUP(bad_notifier)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	ASSERT_EQ(0, scene_open(&self->scene, DMIRROR_BARE));
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
}

SCENE_TEARDOWN(bad_notifier)

/* What makes no sense is refused, and changes nothing. */
TEST_F(bad_notifier, is_refused)
{
	struct hmm_dmirror_notifier arg = variant->arg;
	struct hmm_dmirror_counts counts;

	EXPECT_EQ(-1, ioctl(self->scene.victim.device, HMM_DMIRROR_NOTIFIER_ADD, &arg));
	EXPECT_EQ(variant->error, errno);
	EXPECT_EQ(-ENOENT, dmirror_counts(self->scene.victim.device, 2, &counts));
	EXPECT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &counts));
}

FIXTURE(bad_fail_point) {
	struct scene scene;
};

FIXTURE_VARIANT(bad_fail_point) {
	struct hmm_dmirror_fail_point arg;
	int error;
};

#define BAD_FAIL_POINT(name, err, ...)					\
	FIXTURE_VARIANT_ADD(bad_fail_point, name) {			\
		.arg = { __VA_ARGS__ }, .error = err }
#define ANYWHERE .start = 0, .end = ~0ULL

BAD_FAIL_POINT(id_unknown, ENOENT, .id = 3, .contexts = 1, ANYWHERE);
BAD_FAIL_POINT(id_0_of_no_mirror, ENOENT, .contexts = 1, ANYWHERE);
BAD_FAIL_POINT(contexts_unknown, EINVAL, .id = 1, .contexts = 4, ANYWHERE);
BAD_FAIL_POINT(events_unknown, EINVAL, .id = 1, .contexts = 1,
	       .events = 1 << (HMM_DMIRROR_EVENT_EXCLUSIVE + 1), ANYWHERE);
BAD_FAIL_POINT(no_range, EINVAL, .id = 1, .contexts = 1);
BAD_FAIL_POINT(reversed, EINVAL, .id = 1, .contexts = 1, .start = 2, .end = 1);
BAD_FAIL_POINT(act_unknown, EINVAL, .id = 1, .contexts = 2, ANYWHERE,
	       .act = HMM_DMIRROR_ACT_LOCK_TO_END + 1);
BAD_FAIL_POINT(hold_non_blockable, EINVAL, .id = 1, .contexts = 3, ANYWHERE,
	       .act = HMM_DMIRROR_ACT_HOLD);
BAD_FAIL_POINT(hold_no_end, EINVAL, .id = 1, .contexts = 2, ANYWHERE,
	       .act = HMM_DMIRROR_ACT_HOLD_END);
BAD_FAIL_POINT(lock_no_end, EINVAL, .id = 1, .contexts = 2, ANYWHERE,
	       .act = HMM_DMIRROR_ACT_LOCK_TO_END);
BAD_FAIL_POINT(lock_non_blockable, EINVAL, .id = 1, .contexts = 1, ANYWHERE,
	       .act = HMM_DMIRROR_ACT_LOCK);
BAD_FAIL_POINT(reserved_1, EINVAL, .id = 1, .contexts = 1, ANYWHERE,
	       .reserved1 = 1);
BAD_FAIL_POINT(reserved_2, EINVAL, .id = 1, .contexts = 1, ANYWHERE,
	       .reserved2 = { 0, 1 });
BAD_FAIL_POINT(interval_errno, EINVAL, .id = 2, .contexts = 1, ANYWHERE,
	       .ret = -EAGAIN);
BAD_FAIL_POINT(disarm_with_value, EINVAL, .id = 1, .ret = -EAGAIN);
BAD_FAIL_POINT(disarm_with_range, EINVAL, .id = 1, ANYWHERE);

FIXTURE_SETUP(bad_fail_point)
{
	struct hmm_dmirror_fail_point armed = {
		.id = 1, .contexts = HMM_DMIRROR_BLOCKABLE, ANYWHERE,
	};
	void *page;

	SETUP_OR_SKIP(DMIRROR_BARE);
	SCENE_BEGIN(&self->scene);
	ASSERT_EQ(0, scene_open(&self->scene, DMIRROR_BARE));
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 2,
				 HMM_DMIRROR_INTERVAL, 0, CHANGE_PAGE));
	/* One hit, of success: what is refused must not lose it. */
	page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	armed.start = (uintptr_t)page;
	armed.end = armed.start + 1;
	ASSERT_EQ(0, dmirror_arm(self->scene.victim.device, &armed));
	ASSERT_EQ(0, munmap(page, getpagesize()));
}

SCENE_TEARDOWN(bad_fail_point)

/* What makes no sense is refused; hits are told all the same, and stay. */
TEST_F(bad_fail_point, is_refused)
{
	struct hmm_dmirror_fail_point arg = variant->arg;
	bool tells_hits = arg.id == 1;
	__u64 hits;

	EXPECT_EQ(-1, ioctl(self->scene.victim.device, HMM_DMIRROR_FAIL_POINT, &arg));
	EXPECT_EQ(variant->error, errno);
	EXPECT_EQ(tells_hits, arg.hits);
	EXPECT_EQ(0, dmirror_disarm_hits(self->scene.victim.device, 1, &hits));
	EXPECT_EQ(1, hits);
}

FIXTURE(device) {
	struct scene scene;
};

FIXTURE_SETUP(device)
{
	SETUP_OR_SKIP(DMIRROR_BARE);
	vm_settings_start();
	SCENE_BEGIN(&self->scene);
	ASSERT_EQ(0, scene_open(&self->scene, DMIRROR_BARE));
}

SCENE_TEARDOWN(device)

static int change_one_page(void)
{
	void *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return page == MAP_FAILED ? -errno : munmap(page, getpagesize());
}

/*
 * Nothing fails after the last close of the file that armed it. On one page: all else
 * of our mm may change between arming and closing, by khugepaged or by a write that
 * copies.
 */
TEST_F(device, forgets_when_closed)
{
	void *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct hmm_dmirror_fail_point fail = {
		.id = 1, .ret = -ENOMEM, .contexts = HMM_DMIRROR_BLOCKABLE,
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + getpagesize(),
	};
	int fd = dmirror_open(DMIRROR_BARE);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dmirror_add(fd, 1, HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, dmirror_arm(fd, &fail));
	ASSERT_EQ(0, close(fd));

	EXPECT_EQ(0, munmap(page, getpagesize()));
}

/* Two files of one mm have each their own notifiers and counts. */
TEST_F(device, is_not_shared)
{
	struct hmm_dmirror_counts first, second;
	int fd = dmirror_open(DMIRROR_BARE);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, change_one_page());
	ASSERT_EQ(0, dmirror_add(fd, 1, HMM_DMIRROR_HLIST_END, 0, 0));
	ASSERT_EQ(0, change_one_page());

	/* In this order: khugepaged may change our mm in between. */
	ASSERT_EQ(0, dmirror_counts(fd, 1, &second));
	ASSERT_EQ(0, dmirror_counts(self->scene.victim.device, 1, &first));
	EXPECT_LT(dmirror_sum(second.calls[RULE_BLOCKABLE]),
		  dmirror_sum(first.calls[RULE_BLOCKABLE]));
	EXPECT_LE(1, dmirror_sum(second.calls[RULE_BLOCKABLE]));
	EXPECT_EQ(dmirror_sum(second.calls[RULE_BLOCKABLE]),
		  dmirror_sum(second.ends[RULE_BLOCKABLE]));
	EXPECT_EQ(0, close(fd));
}

/* A log that is full says so; it never passes for a whole one. */
TEST_F(device, tells_of_lost_calls)
{
	struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
	unsigned int i;

	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
	for (i = 0; i < HMM_DMIRROR_NR_CALLS + 1; i++)
		ASSERT_EQ(0, change_one_page());
	EXPECT_EQ(-EOVERFLOW, dmirror_calls(self->scene.victim.device, calls,
					    HMM_DMIRROR_NR_CALLS));
	/* Reading has started it over. */
	ASSERT_EQ(0, change_one_page());
	EXPECT_LE(1, dmirror_calls(self->scene.victim.device, calls,
				   HMM_DMIRROR_NR_CALLS));
}

/* Unknown ids and kinds that can't be read are refused. */
TEST_F(device, refuses_what_is_not_there)
{
	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
	EXPECT_EQ(-ENOENT, dmirror_del(self->scene.victim.device, 2));
	EXPECT_EQ(-EINVAL, dmirror_del(self->scene.victim.device, 0));
	EXPECT_EQ(-ENOENT, dmirror_read_begin(self->scene.victim.device, 2));
	EXPECT_EQ(-EINVAL, dmirror_read_begin(self->scene.victim.device, 1));
	EXPECT_EQ(0, dmirror_del(self->scene.victim.device, 1));
	EXPECT_EQ(-ENOENT, dmirror_del(self->scene.victim.device, 1));
	EXPECT_EQ(-EINVAL, ioctl(self->scene.victim.device, _IO('H', 0x7f)) ? -errno : 0);
}

/* Without a mirror there is nothing to read through. */
TEST_F(device, has_no_mirror)
{
	static char page[CHANGE_MAX_PAGE] __attribute__((aligned(CHANGE_MAX_PAGE)));

	EXPECT_EQ(-EOPNOTSUPP, dmirror_read(self->scene.victim.device, (uintptr_t)page,
					    page, 1));
}

/* Migrates pages to the device; a kernel without device memory has no such test. */
#define TO_DEVICE_OR_SKIP(fd, at, buffer, pages) do {			\
	int err = dmirror_migrate_to_device(fd, at, buffer, pages);	\
									\
	if (err == -EOPNOTSUPP)						\
		SKIP(return, "no CONFIG_DEVICE_PRIVATE");		\
	ASSERT_EQ(0, err);						\
} while (0)

/*
 * What was moved to the device is read there, also after an invalidation. A huge
 * page may stay one on the device; of that, BUG_HMM_WRONG_PAGE always has the first
 * page.
 */
static void check_device_memory(struct __test_metadata *_metadata, uintptr_t at,
				size_t size)
{
	uintptr_t *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = dmirror_open(DMIRROR_MIRROR);
	size_t first = 0;
	uintptr_t addr;

	ASSERT_NE(MAP_FAILED, (void *)buffer);
	ASSERT_LE(0, fd);
	change_fill(at, size);
	TO_DEVICE_OR_SKIP(fd, at, buffer, size / CHANGE_PAGE);
	ASSERT_EQ(0, mprotect((void *)at, size, PROT_READ));
	for (addr = at; addr < at + size; addr += CHANGE_PAGE) {
		ASSERT_EQ(1, dmirror_read_page(fd, addr, buffer));
		if (addr != at && buffer[0] == at)
			first++;
		else
			ASSERT_EQ(addr, buffer[0]);
	}
	if (first)
		EXPECT_EQ(size / CHANGE_PAGE - 1, first);
	ASSERT_EQ(0, change_filled(at, size));
	EXPECT_EQ(0, close(fd));
	if (first)
		KNOWN_BUG(BUG_HMM_WRONG_PAGE);
}

TEST_F(device, finds_its_own_page)
{
	void *page = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	check_device_memory(_metadata, (uintptr_t)page, CHANGE_PAGE);
}

TEST_F(device, finds_its_own_huge_page)
{
	char *pages = mmap(NULL, 2 * CHANGE_HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = ((uintptr_t)pages + CHANGE_HUGE - 1) & -CHANGE_HUGE;

	if (change_why_not_huge())
		SKIP(return, "%s", change_why_not_huge());
	ASSERT_NE(MAP_FAILED, pages);
	madvise((void *)at, CHANGE_HUGE, MADV_HUGEPAGE);
	change_fill(at, CHANGE_PAGE);
	/* khugepaged would take it back from the device: collapse_huge_page() */
	madvise((void *)at, CHANGE_HUGE, MADV_NOHUGEPAGE);
	check_device_memory(_metadata, at, CHANGE_HUGE);
}

/* Two files of a process are two page tables of its device. */
TEST_F(device, sees_what_another_file_migrated)
{
	static uintptr_t buffer[CHANGE_MAX_PAGE / sizeof(uintptr_t)];
	int first = dmirror_open(DMIRROR_MIRROR);
	int second = dmirror_open(DMIRROR_MIRROR);
	void *page = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = (uintptr_t)page;

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_NE(MAP_FAILED, page);
	change_fill(at, CHANGE_PAGE);
	ASSERT_EQ(0, dmirror_read(first, at, buffer, 1));
	ASSERT_EQ(at, buffer[0]);
	TO_DEVICE_OR_SKIP(second, at, buffer, 1);
	buffer[0] = ~at;
	ASSERT_EQ(0, dmirror_write(second, at, buffer, 1));

	ASSERT_EQ(0, dmirror_read(first, at, buffer, 1));
	EXPECT_EQ(~at, buffer[0]);
	EXPECT_EQ(~at, *(volatile uintptr_t *)at);
	EXPECT_EQ(0, close(first));
	EXPECT_EQ(0, close(second));
}

/*
 * hmm_range_fault() reports a page that is in the device as it is mapped, see
 * hmm_vma_handle_pte(): no write goes around fork(), and nobody WARNs.
 */
TEST_F(device, cannot_write_what_a_fork_protects)
{
	static unsigned char buffer[CHANGE_MAX_PAGE];
	int fd = dmirror_open(DMIRROR_MIRROR);
	void *page = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, page);
	change_fill((uintptr_t)page, CHANGE_PAGE);
	TO_DEVICE_OR_SKIP(fd, (uintptr_t)page, buffer, 1);
	child = fork();
	if (!child)
		pause();
	ASSERT_LT(0, child);

	EXPECT_EQ(-EFAULT, dmirror_write(fd, (uintptr_t)page, buffer, 1));
	EXPECT_EQ(0, change_filled((uintptr_t)page, CHANGE_PAGE));

	ASSERT_EQ(0, kill_task(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(0, close(fd));
}

/* No new notifier for an mm that is gone */
TEST_F(device, refuses_a_dead_mm)
{
	struct victim victim;
	int fd;

	ASSERT_EQ(0, victim_start(&victim, DMIRROR_BARE));
	fd = victim.device;
	ASSERT_EQ(0, victim_finish(&victim));
	EXPECT_EQ(-ESRCH, dmirror_add(fd, 1, HMM_DMIRROR_HLIST, 0, 0));
	EXPECT_EQ(-ESRCH, dmirror_add(fd, 1, HMM_DMIRROR_INTERVAL, 0, CHANGE_PAGE));
	EXPECT_EQ(0, victim_close(&victim));
}

/* The kinds that this kernel has not are refused by name. */
TEST_F(device, says_what_it_lacks)
{
	int err = dmirror_add(self->scene.victim.device, 1, HMM_DMIRROR_INTERVAL_TWO_PASS,
			      0, CHANGE_PAGE);

	/* 7.1 and later have two passes. */
	EXPECT_TRUE(err == 0 || err == -EOPNOTSUPP);
}

static int arm_as_nobody(void *arg)
{
	struct hmm_dmirror_fail_point fail = {
		.id = 1, .ret = -ENOMEM,
		.contexts = HMM_DMIRROR_BLOCKABLE, ANYWHERE,
	};
	int inherited = *(int *)arg;

	if (setuid(NOBODY))
		return -errno;
	if (dmirror_open(DMIRROR_BARE) != -EACCES)
		return 1;
	return dmirror_arm(inherited, &fail);
}

/* Only root may open a node; to arm a fail point takes CAP_SYS_ADMIN as well. */
TEST_F(device, is_for_root)
{
	struct stat st;

	ASSERT_EQ(0, dmirror_add(self->scene.victim.device, 1,
				 HMM_DMIRROR_HLIST, 0, 0));
	EXPECT_EQ(-EPERM, bounded_call(arm_as_nobody, &self->scene.victim.device));
	ASSERT_EQ(0, stat(DMIRROR_BARE, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
	ASSERT_EQ(0, stat(DMIRROR_MIRROR, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
}

static void __attribute__((constructor)) init(void)
{
	stay_on_one_cpu();
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

/* Many tests in one program take no more descriptors than one. */
TEST(scenes_leave_no_file_open)
{
	const void *variant = NULL;
	struct scene scene;
	int before, i;

	SETUP_OR_SKIP(DMIRROR_MIRROR);
	before = open_files();
	ASSERT_LT(0, before);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, scene_begin(&scene));
		ASSERT_EQ(0, victim_start(&scene.victim, DMIRROR_MIRROR));
		SCENE_LEAVE(&scene);
		warn_close(&scene.watch);
	}
	SCENE_BEGIN(&scene);
	SCENE_END(&scene);

	EXPECT_EQ(before, open_files());
}

TEST_HARNESS_MAIN
