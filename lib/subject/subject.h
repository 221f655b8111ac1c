/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A subject: a process whose memory a driver mirrors. Nothing is known of either; it
 * speaks the protocol of subjects/README through its stdin and stdout, and all else is
 * done to it from outside.
 */
#ifndef HMM_NOTIFIER_SUBJECT_SUBJECT_H
#define HMM_NOTIFIER_SUBJECT_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/victim.h"

#define SUBJECT_PAGE		((uintptr_t)getpagesize())
#define SUBJECT_MAX_MIRRORS	4
#define SUBJECT_BOUND_MS	15000

struct subject_range {
	uintptr_t start, end;
};

struct subject {
	struct victim *victim;		/* its process, stdin and stdout */
	pid_t child;			/* of a fork that it was made to do, or 0 */
	bool can_work;			/* its device, by itself */
	bool is_lent;			/* its memory is not its own: see subjects/README */
	char complaint[96];		/* of its driver, of memory that is not there, or "" */
	unsigned int nr_mirrors;
	struct subject_range mirrors[SUBJECT_MAX_MIRRORS];
	char said[160];			/* its last line */
	char fault[256];
	char text[4096];		/* said, and not read yet */
	size_t len;
};

/*
 * Starts @command, in @cgroup if that is not NULL, and waits until it is ready. Returns 0
 * or -errno: -ETIMEDOUT or -EPIPE if it says nothing more or ends, with its last line in
 * @subject->said; -EBADMSG if it names no mirror.
 */
int subject_start(struct subject *subject, struct victim *victim, char *const command[],
		  const char *cgroup);

/* NULL, or why its memory is of no use to what writes to it */
const char *subject_why_not_own(const struct subject *subject);

/*
 * What the device sees, and what is there: the sum of the first bytes of all pages, as one
 * byte. Both return 0 or -errno; subject_read() -ENODEV if there is no device that can
 * read, -EBADMSG if it says anything else, which is in @subject->said.
 */
int subject_read(struct subject *subject, unsigned int *sum);
int subject_sum(const struct subject *subject, unsigned int *sum);

/*
 * From now on the device works, up to the next subject_read(). 0 or -errno; -EBADMSG if
 * the answer is another one.
 */
int subject_work(struct subject *subject);

/* Waits until the device has written to the page. 0, or -ETIMEDOUT */
int subject_has_worked(const struct subject *subject, uintptr_t at);

/*
 * "" if the two are the same, there is no device, or some of what was lent is gone; else what
 * is wrong.
 */
const char *subject_compare(struct subject *subject);

/* Changes the first byte of a page, as a debugger would, if it is not lent; 0 or -errno */
int subject_touch(const struct subject *subject, uintptr_t at);

/* How many pages of the mirrors are present, by /proc/PID/pagemap; or -errno */
long subject_resident(const struct subject *subject);

/*
 * Of a page, and of the memory that subject->child shares with it: another value after any
 * change. The first also of a page that nobody may read.
 */
uint64_t subject_hash(const struct subject *subject, uintptr_t at);
uint64_t subject_hash_of_child(const struct subject *subject);
void subject_end_child(struct subject *subject);

#endif
