// SPDX-License-Identifier: GPL-2.0
/*
 * Random ioctls of the device, good ones and bad ones, from threads that share its
 * files, close them under each other, fork, and change their mm meanwhile.
 *
 * What is armed succeeds: what a failure leads to is known to the other tests only,
 * and on a kernel with known bugs it leaves a task that sleeps for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "core/dmirror.h"

#define FIRST_FD	100
#define NR_FILES	8
#define NR_THREADS	4
#define CHANGE_PAGE		((unsigned long)getpagesize())
#define PAGES		16
#define EVERYWHERE	(-CHANGE_PAGE)
/* Ids below it are of hlist notifiers, whose callbacks return 0 for success. */
#define FIRST_INTERVAL	8

union arg {
	struct hmm_dmirror_notifier notifier;
	struct hmm_dmirror_fail_point fail;
	struct hmm_dmirror_counts counts;
	struct hmm_dmirror_calls calls;
	struct hmm_dmirror_watch watch;
	struct hmm_dmirror_cmd cmd;
	uint64_t words[256];
};

static __thread uint64_t state;
static char pages[PAGES << 16] __attribute__((aligned(1 << 16)));
static struct fuzz_report *report;

static uint64_t rnd(uint64_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % bound;
}

static bool one_in(unsigned int n)
{
	return !rnd(n);
}

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {
		0, 1, 2, 15, 16, 17, 4095, 4096, 0x7fffffff, 0x80000000,
		0xffffffff, 1ULL << 32, 1ULL << 47, 0x7ffffffff000, 1ULL << 63,
		~0ULL, ~0ULL << 12,
	};

	return one_in(3) ? state >> rnd(64) :
			   odd[rnd(sizeof(odd) / sizeof(odd[0]))];
}

/* Mostly @good, else one at the end of a page, or none at all */
static void *pointer(void *good)
{
	static char *volatile edge;

	if (!edge) {
		char *two = mmap(NULL, 2 * CHANGE_PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(two + CHANGE_PAGE, CHANGE_PAGE);
		edge = two + CHANGE_PAGE;
	}
	switch (rnd(32)) {
	case 0:		return NULL;
	case 1:		return (void *)0xffff888000000000;
	case 2:		return edge - rnd(100);
	case 3:		return (void *)(odd_number() & ~7UL);
	case 4:		return (void *)"read only";
	default:	return good;
	}
}

static void fill_add(struct hmm_dmirror_notifier *arg)
{
	static const uint32_t hlist[] = {
		HMM_DMIRROR_HLIST, HMM_DMIRROR_HLIST_END, HMM_DMIRROR_IDLE,
	};
	static const uint32_t interval[] = {
		HMM_DMIRROR_INTERVAL, HMM_DMIRROR_INTERVAL_TWO_PASS,
	};

	arg->id = rnd(HMM_DMIRROR_NR_NOTIFIERS + 2);
	arg->flags = one_in(3) ? rnd(4) : 0;
	arg->reserved[rnd(2)] = one_in(50);
	if (arg->id < FIRST_INTERVAL) {
		arg->kind = hlist[rnd(3)];
		arg->start = one_in(50);
		return;
	}
	arg->kind = interval[rnd(2)];
	arg->start = rnd(64) * CHANGE_PAGE + one_in(50);
	arg->end = one_in(3) ? arg->start + rnd(5) * CHANGE_PAGE : EVERYWHERE;
}

static void fill_fail_point(struct hmm_dmirror_fail_point *arg)
{
	arg->id = rnd(HMM_DMIRROR_NR_NOTIFIERS + 2);
	arg->contexts = rnd(4);
	arg->reserved1 = one_in(50);
	if (!arg->contexts)
		return;
	arg->ret = !arg->id || arg->id >= FIRST_INTERVAL;
	arg->end = one_in(20) ? odd_number() : ~0ULL;
	arg->skip = rnd(3);
	arg->times = rnd(4);
	arg->events = one_in(2) ? rnd(300) : 0;
	if (arg->contexts != HMM_DMIRROR_BLOCKABLE)
		return;
	if (one_in(20))
		arg->act = HMM_DMIRROR_ACT_SLEEP;
	else if (one_in(100))
		arg->act = one_in(2) ? HMM_DMIRROR_ACT_HOLD : HMM_DMIRROR_ACT_HOLD_END;
}

static void fill_calls(struct hmm_dmirror_calls *arg, size_t size)
{
	arg->ptr = (uintptr_t)pointer(pages);
	arg->nr = one_in(3) ? odd_number() : rnd(HMM_DMIRROR_NR_CALLS + 2);
	arg->flags = rnd(2);
	if (arg->ptr == (uintptr_t)pages)
		arg->nr %= sizeof(pages) / size;
}

static void fill_watch(struct hmm_dmirror_watch *arg)
{
	unsigned int i;

	for (i = 0; i < HMM_DMIRROR_NR_WATCHED; i++)
		arg->entry[i].addr = one_in(3) ? odd_number() :
				     (uintptr_t)pages + rnd(PAGES) * CHANGE_PAGE;
	arg->flags = one_in(50) ? odd_number() : rnd(2);
	arg->reserved = one_in(50);
}

/* Upstream's ioctls walk any number of pages; so it is bounded here. */
static void fill_cmd(struct hmm_dmirror_cmd *arg)
{
	arg->addr = one_in(10) ? odd_number() : (uintptr_t)pages;
	arg->ptr = (uintptr_t)pointer(pages + CHANGE_PAGE);
	arg->npages = rnd(PAGES);
}

static unsigned long fill(union arg *arg)
{
	static const unsigned long upstream[] = {
		HMM_DMIRROR_READ, HMM_DMIRROR_WRITE, HMM_DMIRROR_SNAPSHOT,
		HMM_DMIRROR_MIGRATE_TO_DEV, HMM_DMIRROR_MIGRATE_TO_SYS,
		HMM_DMIRROR_EXCLUSIVE, HMM_DMIRROR_CHECK_EXCLUSIVE,
	};

	memset(arg, 0, sizeof(*arg));
	switch (rnd(10)) {
	case 0:
		fill_cmd(&arg->cmd);
		return upstream[rnd(sizeof(upstream) / sizeof(upstream[0]))];
	case 1:
		arg->notifier.id = rnd(HMM_DMIRROR_NR_NOTIFIERS + 2);
		arg->notifier.kind = one_in(50);
		return HMM_DMIRROR_NOTIFIER_DEL;
	case 2:
		arg->notifier.id = rnd(HMM_DMIRROR_NR_NOTIFIERS + 2);
		return HMM_DMIRROR_NOTIFIER_READ;
	case 3:
		fill_fail_point(&arg->fail);
		return HMM_DMIRROR_FAIL_POINT;
	case 4:
		arg->counts.id = rnd(HMM_DMIRROR_NR_NOTIFIERS + 2);
		arg->counts.flags = rnd(3);
		return HMM_DMIRROR_COUNTS;
	case 5:
		fill_calls(&arg->calls, sizeof(struct hmm_dmirror_call));
		return HMM_DMIRROR_CALLS;
	case 6:
		fill_watch(&arg->watch);
		return HMM_DMIRROR_WATCH;
	case 7:
		fill_calls(&arg->calls, sizeof(struct hmm_dmirror_seen));
		return HMM_DMIRROR_SEEN;
	default:
		fill_add(&arg->notifier);
		return HMM_DMIRROR_NOTIFIER_ADD;
	}
}

/* Random ioctl numbers and sizes, but none of upstream's: the driver must refuse all. */
static unsigned long fill_with_garbage(union arg *arg)
{
	unsigned int i;

	for (i = 0; i < sizeof(*arg) / sizeof(arg->words[0]); i++)
		arg->words[i] = odd_number();
	arg->notifier.reserved[0] |= 1;
	arg->fail.reserved2[0] |= 1;
	return one_in(4) ? HMM_DMIRROR_FAIL_POINT :
	       _IOC(rnd(4), 'H', 0x20 + rnd(16), rnd(sizeof(*arg)));
}

static void one_call(int fd)
{
	union arg arg;
	bool garbage = one_in(8);
	unsigned long cmd = garbage ? fill_with_garbage(&arg) : fill(&arg);
	void *ptr = _IOC_NR(cmd) < 0x20 ? &arg : pointer(&arg);

	__atomic_add_fetch(&report->calls, 1, __ATOMIC_RELAXED);
	if (!ioctl(fd, cmd, ptr))
		__atomic_add_fetch(&report->done, 1, __ATOMIC_RELAXED);
}

static void change_mm(void)
{
	size_t size = 64 * CHANGE_PAGE;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		return;
	mprotect(at, size / 2, PROT_READ);
	madvise(at, size, MADV_DONTNEED);
	munmap(at, size);
}

/* Closes it under all who use it. */
static void open_anew(int fd)
{
	int file = dmirror_open(one_in(3) ? DMIRROR_MIRROR : DMIRROR_BARE);

	if (file < 0)
		return;
	dup2(file, fd);
	close(file);
}

static void map_device(int fd)
{
	size_t size = (1 + rnd(4)) * CHANGE_PAGE;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			one_in(2) ? MAP_SHARED : MAP_PRIVATE, fd,
			rnd(4) * CHANGE_PAGE);

	if (at != MAP_FAILED)
		munmap(at, size);
}

/* The files are those of this mm, the caller's is another one. */
static void from_another_mm(void)
{
	pid_t pid = fork();
	unsigned int i;

	if (!pid) {
		for (i = 0; i < 50; i++) {
			one_call(FIRST_FD + rnd(NR_FILES));
			change_one_page();
		}
		_exit(0);
	}
	if (pid > 0 && one_in(2)) {
		usleep(rnd(2000));
		kill(pid, SIGKILL);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void *do_anything(void *seed)
{
	state = (uintptr_t)seed * 0x9e3779b97f4a7c15ULL + 1;
	for (;;) {
		int fd = FIRST_FD + rnd(NR_FILES);

		switch (rnd(256)) {
		case 0 ... 7:
			change_one_page();
			break;
		case 8 ... 11:
			change_mm();
			break;
		case 12:
			open_anew(fd);
			break;
		case 13:
			from_another_mm();
			break;
		case 14:
			map_device(fd);
			break;
		default:
			one_call(fd);
		}
	}
	return NULL;
}

void fuzz_process(unsigned int seconds, unsigned int seed,
		  struct fuzz_report *to)
{
	pthread_t thread;
	uintptr_t i;

	report = to;
	state = seed + 1;
	for (i = 0; i < NR_FILES; i++)
		open_anew(FIRST_FD + i);
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&thread, NULL, do_anything,
				   (void *)(seed * 64UL + i)))
			break;
	sleep(seconds);
	_exit(0);
}
