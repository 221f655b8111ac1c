// SPDX-License-Identifier: GPL-2.0
/*
 * Attacks on the device that the tests use: it must not harm a machine that has it
 * loaded. The judge also looks for splats, and for a guest that does not end.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "../../selftests/hmm_notifier.h"
#include "attack.h"

#define NOBODY		65534
#define SLOW_PUT	"/sys/module/slow_put/parameters/"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

FIXTURE(attack) {
	int device;
};

FIXTURE_SETUP(attack)
{
	const char *why_not = dmirror_why_not(DMIRROR_BARE);

	if (why_not)
		SKIP(return, "%s", why_not);
	mark_test(_metadata, variant, "begin");
	self->device = dmirror_open(DMIRROR_BARE);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(attack)
{
	EXPECT_EQ(0, close(self->device));
	mark_test(_metadata, variant, "end");
}

static bool file_has(const char *path, const char *text)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, buffer, sizeof(buffer) - 1);

	close(fd);
	buffer[len < 0 ? 0 : len] = '\0';
	return strstr(buffer, text);
}

static unsigned int slow_put(const char *parameter)
{
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), SLOW_PUT "%s", parameter);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atoi(text);
}

/* The first call that the user nobody could make, plus 1; 0: setuid() failed. */
static int get_in(void *files)
{
	static const unsigned long command[] = {
		HMM_DMIRROR_NOTIFIER_ADD, HMM_DMIRROR_NOTIFIER_DEL,
		HMM_DMIRROR_NOTIFIER_READ, HMM_DMIRROR_FAIL_POINT,
		HMM_DMIRROR_COUNTS, HMM_DMIRROR_CALLS,
	};
	static const char *const node[] = { DMIRROR_MIRROR, DMIRROR_BARE };
	char arg[sizeof(struct hmm_dmirror_counts)] = {};
	const int *inherited = files;
	unsigned int i, done = 0;

	if (setgid(NOBODY) || setuid(NOBODY))
		return 0;
	for (i = 0; i < 2; i++) {
		done += open(node[i], O_RDONLY) != -1 || errno != EACCES;
		done += open(node[i], O_RDWR) != -1 || errno != EACCES;
	}
	for (i = 0; i < 12; i++)
		done += !ioctl(inherited[i / 6], command[i % 6], arg) ||
			errno != EPERM;
	return 1 + done;
}

static unsigned int mode_of(const char *node)
{
	struct stat st;

	return stat(node, &st) ? 0 : st.st_mode & 07777;
}

/* Nobody but root may open a node, arm, or read. */
TEST_F(attack, is_for_root_only)
{
	int files[] = { dmirror_open(DMIRROR_MIRROR), self->device };

	ASSERT_LE(0, files[0]);
	EXPECT_EQ(1, bounded_call(get_in, files));
	EXPECT_EQ(0600, mode_of(DMIRROR_MIRROR));
	EXPECT_EQ(0600, mode_of(DMIRROR_BARE));
	EXPECT_EQ(0, close(files[0]));
}

/* An ioctl that fails leaves the caller's structure as it was. */
TEST_F(attack, errors_write_nothing)
{
	struct hmm_dmirror_counts counts, given_counts;
	struct hmm_dmirror_calls calls, given_calls;

	memset(&counts, 0x5a, sizeof(counts));
	counts.id = 3;
	counts.flags = 0;
	counts.reserved = 0;
	given_counts = counts;
	EXPECT_EQ(-1, ioctl(self->device, HMM_DMIRROR_COUNTS, &counts));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(0, memcmp(&given_counts, &counts, sizeof(counts)));

	calls = (struct hmm_dmirror_calls) {
		.ptr = 1, .nr = 2, .flags = HMM_DMIRROR_RESET | 0x80, .total = 3,
	};
	given_calls = calls;
	EXPECT_EQ(-1, ioctl(self->device, HMM_DMIRROR_CALLS, &calls));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, memcmp(&given_calls, &calls, sizeof(calls)));
}

static atomic_bool stop;

static int get_notifier(int fd)
{
	return dmirror_add_flags(fd, 1, HMM_DMIRROR_HLIST, 0, 0,
				 HMM_DMIRROR_LOCKED);
}

static void *get_and_close(void *unused)
{
	while (!stop) {
		int fd = dmirror_open(DMIRROR_BARE);

		get_notifier(fd);
		close(fd);
	}
	return NULL;
}

static void *get_as_second(void *file)
{
	while (!stop)
		if (!get_notifier(*(int *)file))
			dmirror_del(*(int *)file, 1);
	return NULL;
}

static void *change_pages(void *unused)
{
	while (!stop)
		change_one_page();
	return NULL;
}

/*
 * A second file that asks for the mm's one notifier has a reference for a moment.
 * The first file can't be closed meanwhile: the notifier would outlive it.
 */
TEST_F_TIMEOUT(attack, got_notifier_dies_with_its_file, 60)
{
	unsigned int raced = slow_put("raced");
	long end = now_ms() + 30000;
	pthread_t threads[3];
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&threads[0], NULL, get_and_close, NULL));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, get_as_second,
				    &self->device));
	ASSERT_EQ(0, pthread_create(&threads[2], NULL, change_pages, NULL));
	while (slow_put("delayed") < 5 && slow_put("raced") == raced &&
	       now_ms() < end)
		usleep(10000);
	stop = true;
	EXPECT_LT(0, slow_put("delayed"));
	ASSERT_EQ(raced, slow_put("raced"));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, pthread_join(threads[i], NULL));
}

/* Has each of three notifiers hold each invalidation. Never returns. */
static void be_held(void)
{
	struct hmm_dmirror_fail_point fail = {
		.ret = 1, .contexts = HMM_DMIRROR_BLOCKABLE, .end = ~0ULL,
		.act = HMM_DMIRROR_ACT_HOLD,
	};
	int fd = dmirror_open(DMIRROR_BARE);

	for (fail.id = 1; fail.id <= 3; fail.id++)
		if (dmirror_add(fd, fail.id, HMM_DMIRROR_INTERVAL, 0, -4096UL))
			_exit(1);
	for (fail.id = 1; fail.id <= 3; fail.id++)
		if (dmirror_arm(fd, &fail))
			_exit(2);
	for (;;)
		change_one_page();
}

static bool sleeps_in_d(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return file_has(path, ") D ");
}

/* A killed process is held for no longer than the bound, whatever holds it. */
TEST_F_TIMEOUT(attack, hold_ends_in_sum, 90)
{
	long end = now_ms() + 10000;
	pid_t pid = fork();

	if (!pid)
		be_held();
	ASSERT_LT(0, pid);
	while (!sleeps_in_d(pid) && now_ms() < end)
		usleep(10000);
	ASSERT_TRUE(sleeps_in_d(pid));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, wait_gone(pid, 1000L * (HMM_DMIRROR_HOLD_SECONDS + 10)));
}

/* The runner takes a guest that is silent for long for one that hangs. */
static void say(const char *what)
{
	printf("# %s\n", what);
	fflush(stdout);
}

static void say_alive(void)
{
	say("still attacking");
}

static unsigned int number(const char *variable, unsigned int otherwise)
{
	const char *text = getenv(variable);

	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static void scan_for_leaks(void)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	unsigned int i;

	/* An object that one scan saw may just have been between two owners. */
	for (i = 0; i < 2 && write(fd, "scan", 4) == 4; i++)
		sleep(6);
	close(fd);
}

/* How many objects nothing refers to that the module has allocated; says each */
static unsigned int leaks(struct __test_metadata *_metadata)
{
	FILE *file = fopen(KMEMLEAK, "re");
	char line[256], object[4096] = "";
	unsigned int nr = 0;
	bool more;

	if (!file)
		return 0;
	do {
		more = fgets(line, sizeof(line), file);
		if (!more || !strncmp(line, "unreferenced", 12)) {
			if (strstr(object, "dmirror") || strstr(object, "test_hmm")) {
				TH_LOG("%s", object);
				nr++;
			}
			object[0] = '\0';
		}
		strncat(object, line, sizeof(object) - strlen(object) - 1);
	} while (more);
	fclose(file);
	return nr;
}

/* Counts as it should: the machine is as usable as it was. */
static long calls_of_one_change(void)
{
	struct hmm_dmirror_counts before, after;
	int fd = dmirror_open(DMIRROR_BARE);

	if (fd < 0 || dmirror_add(fd, 1, HMM_DMIRROR_HLIST_END, 0, 0) ||
	    dmirror_counts(fd, 1, &before) || change_one_page() ||
	    dmirror_counts(fd, 1, &after) || close(fd))
		return -1;
	return after.calls[RULE_BLOCKABLE][HMM_DMIRROR_EVENT_UNMAP] -
	       before.calls[RULE_BLOCKABLE][HMM_DMIRROR_EVENT_UNMAP];
}

/* Whatever is asked of it, its processes end, it can be unloaded, and works. */
TEST_F_TIMEOUT(attack, survives_everything, 100000)
{
	unsigned int seed = number("HMM_NOTIFIER_SEED", 1);
	struct fuzz_report report;

	ASSERT_EQ(0, close(self->device));
	fuzz_run(number("HMM_NOTIFIER_STRESS_SECONDS", 10), seed, say_alive,
		 &report);
	TH_LOG("seed %u: %u processes, %lu ioctls, %lu did something", seed,
	       report.generations, report.calls, report.done);
	say(report.why ?: "looking for leaks");
	self->device = dmirror_open(DMIRROR_BARE);
	scan_for_leaks();

	EXPECT_EQ(NULL, report.why) {
		TH_LOG("%s", report.why);
	}
	EXPECT_LT(100, report.done);
	EXPECT_EQ(0, leaks(_metadata));
	EXPECT_EQ(1, calls_of_one_change());
}

TEST_HARNESS_MAIN
