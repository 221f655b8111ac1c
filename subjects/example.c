// SPDX-License-Identifier: GPL-2.0
/* A subject, complete: the driver is test_hmm, its device reads whole pages. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "test_hmm_uapi.h"

#define PAGES 12
#define PAGE getpagesize()

static uint8_t copy[PAGES << 16];	/* the largest pages are of 64 KiB */

int main(void)
{
	int device = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	uint8_t *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hmm_dmirror_cmd read = {
		.addr = (uintptr_t)memory, .ptr = (uintptr_t)copy, .npages = PAGES,
	};
	unsigned int i, sum;
	char order[64];

	memset(memory, 1, PAGES * PAGE);
	printf("mirror %p %#x\nready\n", memory, PAGES * PAGE);
	fflush(stdout);
	while (fgets(order, sizeof(order), stdin)) {
		if (ioctl(device, HMM_DMIRROR_READ, &read)) {
			printf("failed: %s\n", strerror(errno));
		} else {
			for (sum = i = 0; i < PAGES; i++)
				sum += copy[i * PAGE];
			printf("sum %u\n", sum & 0xff);
		}
		fflush(stdout);
	}
	return 0;
}
