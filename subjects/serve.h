/* SPDX-License-Identifier: GPL-2.0 */
/* What subjects with a device that works by itself have in common: see README. */
#ifndef SUBJECTS_SERVE_H
#define SUBJECTS_SERVE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_t worker;
static atomic_bool is_busy;	/* until the next order */

static void die(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(2);
}

static void begin_work(void *(*work)(void *unused))
{
	is_busy = true;
	if (pthread_create(&worker, NULL, work, NULL))
		die("a thread");
	printf("busy\n");
	fflush(stdout);
}

static void end_work(void)
{
	if (is_busy) {
		is_busy = false;
		pthread_join(worker, NULL);
	}
}

/*
 * Answers orders to their end: @reads says what the device sees, in a line, and @work
 * has it work as long as is_busy.
 */
static void serve(void (*reads)(void), void *(*work)(void *unused))
{
	char line[64];

	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		end_work();
		if (!strncmp(line, "read", 4))
			reads();
		else if (!strncmp(line, "busy", 4))
			begin_work(work);
	}
}

#endif
