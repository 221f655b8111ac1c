/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lines of a trace_pipe. A read of it ends anywhere: what the kernel has
 * ready, from 6.8 on up to 8 KiB, goes out in pieces of the size asked for.
 */
#ifndef HMM_NOTIFIER_CORE_TRACE_PIPE_H
#define HMM_NOTIFIER_CORE_TRACE_PIPE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line, with its newline */
#define TRACE_PIPE_LINE	8192

struct trace_pipe {
	int fd;			/* with O_NONBLOCK */
	size_t start, end;	/* of what was read and is not returned yet */
	bool too_long;		/* the line, of which a part is gone */
	char text[TRACE_PIPE_LINE];
};

/*
 * Has in @line, up to the next call, the next line without its newline. Returns
 * 1, 0 if no whole one has come yet, or -errno. It is -EPIPE where some were
 * lost: instead of the line that says so, or of one that is too long. What
 * comes behind that is read as ever.
 */
int trace_pipe_next(struct trace_pipe *pipe, char **line);

/*
 * Calls @take for each line that the file @path has. Returns 0, -EPIPE if some
 * were lost, after all others were taken, or another -errno.
 *
 * The file has one reader at a time, so it does not stay open: a child that
 * hangs would inherit it.
 */
int trace_pipe_take(const char *path, void (*take)(const char *line, void *arg),
		    void *arg);

#endif
