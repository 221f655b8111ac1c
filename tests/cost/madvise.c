// SPDX-License-Identifier: GPL-2.0
/*
 * madvise mirror|hlist|interval NUMBER - how many instructions madvise(MADV_DONTNEED) of
 * one page takes that has so many notifiers, all of which succeed.
 *
 * With QEMU's -icount shift=3 an instruction takes 8 ticks of the time stamp counter. An
 * interrupt adds to some of the calls; the least of many has none. "mirror" is upstream's own
 * interval notifier over the whole address space: an open /dev/hmm_dmirror0.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "core/dmirror.h"

#define CALLS		200
#define TICKS		8	/* of an instruction */
#define PER_FILE	8	/* notifiers of one open device; it has room for 15 */

static int add(unsigned int kind, unsigned int nr, uintptr_t page)
{
	bool interval = rule_is_interval(kind);
	unsigned int i;
	int fd = -1;

	for (i = 0; i < nr; i++) {
		if (i % PER_FILE == 0)
			fd = dmirror_open(DMIRROR_BARE);
		if (fd < 0)
			return fd;
		if (dmirror_add(fd, i % PER_FILE + 1, kind, interval ? page : 0,
				interval ? page + 4096 : 0))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long took, least = ~0ULL;
	unsigned int nr, i;
	char *page;
	int ret;

	if (argc != 3)
		return 2;
	nr = atoi(argv[2]);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 2;
	if (!strcmp(argv[1], "mirror"))
		ret = open(DMIRROR_MIRROR, O_RDWR) < 0; /* dmirror_open() asks for counts */
	else
		ret = add(strcmp(argv[1], "hlist") ? RULE_INTERVAL : RULE_HLIST, nr,
			  (uintptr_t)page);
	if (ret)
		return 1;

	for (i = 0; i < CALLS; i++) {
		*page = 1;
		__asm__ volatile("" : : : "memory"); /* the fault is not counted */
		took = __rdtsc();
		if (madvise(page, 4096, MADV_DONTNEED))
			return 1;
		took = __rdtsc() - took;
		if (took < least)
			least = took;
	}
	printf("cost: %s %u %llu\n", argv[1], nr, least / TICKS);
	return 0;
}
