// SPDX-License-Identifier: GPL-2.0
/*
 * bad WAY: a subject whose driver is test_hmm, with a notifier that breaks the rule in that
 * way. For what judges it, it is as opaque as any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test_hmm_uapi.h"

#define PAGES	12
#define PAGE	getpagesize()
#define BLOCK	HMM_DMIRROR_BLOCKABLE
#define NONE	HMM_DMIRROR_NON_BLOCKABLE
#define MIRROR	0	/* the id of the mirror's own interval notifier */
#define HLIST	1
#define SLEEP	HMM_DMIRROR_ACT_SLEEP

static const struct way {
	const char *name;
	struct hmm_dmirror_fail_point fail;	/* none without contexts */
	bool is_stale, is_bare, writes, is_lazy;
} ways[] = {
#define FAIL(way, ...) { .name = way, .fail = { __VA_ARGS__ } }
	/* Both are legal, but the second makes its exit hang by a bug of today's kernels. */
	FAIL("refuses", .id = MIRROR, .ret = false, .contexts = NONE),
	FAIL("refuses_late", .id = HLIST, .ret = -EAGAIN, .contexts = NONE),
	FAIL("enomem", .id = HLIST, .ret = -ENOMEM, .contexts = NONE),
	FAIL("blockable", .id = HLIST, .ret = -EAGAIN, .contexts = BLOCK),
	FAIL("blockable_false", .id = MIRROR, .ret = false, .contexts = BLOCK),
	FAIL("sleep", .id = HLIST, .contexts = NONE, .act = SLEEP),
	FAIL("sleep_interval", .id = MIRROR, .ret = true, .contexts = NONE, .act = SLEEP),
	{ .name = "stale", .is_stale = true },
	{ .name = "no_notifier", .is_bare = true },
	{ .name = "stale_write", .writes = true },
	{ .name = "lazy", .is_lazy = true },
};

static uint8_t copy[PAGES << 16];	/* the largest pages are of 64 KiB */
static uint8_t *memory;
static atomic_bool is_busy;

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(2);
}

static void read_memory(int device, const struct way *way)
{
	struct hmm_dmirror_cmd read = {
		.addr = (uintptr_t)memory, .ptr = (uintptr_t)copy, .npages = PAGES,
	};
	static bool has_read;
	unsigned int i, sum = 0;

	/* What it has read once is what it will always see. */
	if (!(way->is_stale && has_read) && ioctl(device, HMM_DMIRROR_READ, &read)) {
		printf("failed: %s\n", strerror(errno));
	} else {
		for (i = 0; i < PAGES; i++)
			sum += copy[i * PAGE];
		printf("sum %u\n", sum & 0xff);
	}
	has_read = true;
	fflush(stdout);
}

/* Writes as a device does that has the pages still, whatever they are protected with. */
static void *write_stale(void *unused)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint8_t count = 0;
	int i;

	for (; is_busy; count++, usleep(1000))
		for (i = 0; i < PAGES; i++)
			if (pwrite(fd, &count, 1, (uintptr_t)memory + i * PAGE + 1) != 1)
				usleep(1);
	close(fd);
	return unused;
}

static void work(const struct way *way, const char *order)
{
	static pthread_t worker;

	if (is_busy) {
		is_busy = false;
		pthread_join(worker, NULL);
	}
	if (strcmp(order, "busy\n"))
		return;
	is_busy = way->writes;
	if (is_busy && pthread_create(&worker, NULL, write_stale, NULL))
		die("a thread");
	printf("busy\n");
	fflush(stdout);
}

/* Returns the device, armed. */
static int start(const struct way *way)
{
	struct hmm_dmirror_notifier add = { .id = HLIST, .kind = HMM_DMIRROR_HLIST };
	struct hmm_dmirror_fail_point fail = way->fail;
	int device = open(way->is_bare ? "/dev/hmm_dmirror_bare" : "/dev/hmm_dmirror0",
			  O_RDWR | O_CLOEXEC);

	if (device < 0)
		die("the device");
	fail.end = -1UL;
	if (fail.id == HLIST && ioctl(device, HMM_DMIRROR_NOTIFIER_ADD, &add))
		die("HMM_DMIRROR_NOTIFIER_ADD");
	if (fail.contexts && ioctl(device, HMM_DMIRROR_FAIL_POINT, &fail))
		die("HMM_DMIRROR_FAIL_POINT");
	return device;
}

int main(int argc, char **argv)
{
	unsigned int i = 0, nr = sizeof(ways) / sizeof(ways[0]);
	char order[64];
	int device;

	while (i < nr && (argc < 2 || strcmp(argv[1], ways[i].name)))
		i++;
	if (i == nr)
		die("no such way");
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 1, PAGES * PAGE);
	device = start(&ways[i]);
	printf("mirror %p %#x\nbusy\nready\n", memory, PAGES * PAGE);
	fflush(stdout);
	while (fgets(order, sizeof(order), stdin)) {
		work(&ways[i], order);
		if (strcmp(order, "busy\n"))
			read_memory(device, &ways[i]);
	}
	return 0;
}
