/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads a trace_pipe line by line. A read() of it may end inside a line: the kernel
 * copies out what it has, from 6.8 on up to 8 KiB, in pieces of the size asked for.
 */
#ifndef HMM_NOTIFIER_CORE_TRACE_PIPE_H
#define HMM_NOTIFIER_CORE_TRACE_PIPE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line, with its newline */
#define TRACE_PIPE_LINE	8192

struct trace_pipe {
	int fd;			/* with O_NONBLOCK */
	size_t start, end;	/* of the text that was read and not returned yet */
	bool too_long;		/* this line's beginning was dropped */
	char text[TRACE_PIPE_LINE];
};

/*
 * Puts the next line, without its newline, into @line, where it is valid until the next
 * call. Returns 1, 0 if no whole line has come yet, or -errno. -EPIPE stands for lines
 * that were lost, or for one that is too long; the next call reads on behind them.
 */
int trace_pipe_next(struct trace_pipe *pipe, char **line);

/*
 * Calls @take for each line that is in the file @path now. Returns 0, -EPIPE if some
 * were lost (all others were taken), or another -errno.
 *
 * Closes the file again: it has one reader at a time, and a child that hangs would
 * inherit it.
 */
int trace_pipe_take(const char *path, void (*take)(const char *line, void *arg),
		    void *arg);

#endif
