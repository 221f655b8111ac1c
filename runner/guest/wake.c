// SPDX-License-Identifier: GPL-2.0
/*
 * wake SECONDS - what a guest that was saved needs when it goes on: what time it is,
 * since the epoch, and random numbers of its own, from the bytes on standard input.
 * Without these, all guests that go on from one file would draw the same.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SEED_BYTES	256

int main(int argc, char **argv)
{
	union {
		struct rand_pool_info info;
		char room[sizeof(struct rand_pool_info) + SEED_BYTES];
	} seed;
	struct timespec now = {};
	ssize_t size;
	int fd;

	if (argc != 2)
		return 2;
	now.tv_sec = atoll(argv[1]);
	if (clock_settime(CLOCK_REALTIME, &now)) {
		perror("wake: clock_settime");
		return 1;
	}
	size = read(STDIN_FILENO, seed.info.buf, SEED_BYTES);
	if (size <= 0) {
		fprintf(stderr, "wake: no random numbers on standard input\n");
		return 1;
	}
	seed.info.entropy_count = size * 8;
	seed.info.buf_size = size;
	fd = open("/dev/urandom", O_WRONLY);
	/* They would be used in a minute only. */
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) || ioctl(fd, RNDRESEEDCRNG)) {
		perror("wake: /dev/urandom");
		return 1;
	}
	return 0;
}
