/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The window of an invalidation: at its start each old entry of the page tables is
 * still there, at its end it is as the change leaves it, and outside of a window no
 * entry is taken away. Told by what the device saw with each call.
 */
#ifndef HMM_NOTIFIER_CHANGE_WINDOW_H
#define HMM_NOTIFIER_CHANGE_WINDOW_H

#include "change/change.h"

/* First and last page of so many ranges, and what is watched */
#define WINDOW_PAGES 260

struct window_page {
	struct hmm_dmirror_entry before;	/* the change */
	struct hmm_dmirror_entry last;		/* at the last end */
	bool known;				/* whether nothing began since */
	bool changed;				/* whether @last is not @before */
};

struct window {
	struct window_page page[WINDOW_PAGES];
	unsigned int nr;
	unsigned int wrong;
	char first_wrong[200];
};

/*
 * Looks at the first and the last page of each range that is expected, and at the
 * first pages of span @watched, and has the device do so with each call. Returns 0
 * or -errno.
 */
int window_open(struct window *window, int device,
		const struct change_expected *expected, unsigned int nr,
		unsigned int watched);

/*
 * In the order of the log. @expected: NULL if it is told to another notifier; @ends:
 * whether the notifier is told of ends
 */
void window_start(struct window *window, const struct hmm_dmirror_seen *seen,
		  const struct change_expected *expected, bool ends);

/* Whether @seen is as @expected leaves it; if not, @why has the words. */
bool window_end(struct window *window, const struct hmm_dmirror_seen *seen,
		const struct change_expected *expected, char *why, size_t size);

/*
 * Whether the entry @old has become @now as @leaves, of enum change_leaves, says; of more
 * than one of them, by all
 */
bool window_is_left(unsigned int leaves, const struct hmm_dmirror_entry *old,
		    const struct hmm_dmirror_entry *now);

/* For a range that was never ended: what is in it may go on to change. */
void window_forget(struct window *window, uintptr_t start, uintptr_t end);

/* Whether anything was taken away after the last end. Returns 0 or -errno. */
int window_close(struct window *window, int device);

/* Also for who finds something wrong elsewhere */
void window_note(struct window *window, const char *what);

#endif
