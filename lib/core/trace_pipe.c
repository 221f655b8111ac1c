// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/trace_pipe.h"

/* Returns 1, 0 if nothing has come, or -errno. */
static int fill(struct trace_pipe *pipe)
{
	ssize_t len;

	pipe->end -= pipe->start;
	memmove(pipe->text, pipe->text + pipe->start, pipe->end);
	pipe->start = 0;
	do {
		len = read(pipe->fd, pipe->text + pipe->end,
			   sizeof(pipe->text) - pipe->end);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? 0 : -errno;
	pipe->end += len;
	return len > 0;
}

/* What print_trace_line() and tracing_read_pipe() of kernel/trace/trace.c write */
static bool says_lost(const char *line)
{
	return (!strncmp(line, "CPU:", 4) && strstr(line, " [LOST ")) ||
	       strstr(line, "[LINE TOO BIG]");
}

int trace_pipe_next(struct trace_pipe *pipe, char **line)
{
	bool lost;
	char *end;
	int ret;

	while (!(end = memchr(pipe->text + pipe->start, '\n',
			      pipe->end - pipe->start))) {
		if (pipe->end - pipe->start == sizeof(pipe->text)) {
			pipe->start = pipe->end;
			pipe->too_long = true;
		}
		ret = fill(pipe);
		if (ret <= 0)
			return ret;
	}
	*end = '\0';
	*line = pipe->text + pipe->start;
	pipe->start = end + 1 - pipe->text;
	lost = pipe->too_long || says_lost(*line);
	pipe->too_long = false;
	return lost ? -EPIPE : 1;
}

int trace_pipe_take(const char *path, void (*take)(const char *line, void *arg),
		    void *arg)
{
	struct trace_pipe pipe = {};
	bool lost = false;
	char *line;
	int ret;

	pipe.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe.fd < 0)
		return -errno;
	while ((ret = trace_pipe_next(&pipe, &line)) > 0 || ret == -EPIPE) {
		if (ret > 0)
			take(line, arg);
		else
			lost = true;
	}
	close(pipe.fd);
	/* Half a line whose rest nobody will read */
	if (pipe.start != pipe.end || pipe.too_long)
		lost = true;
	return !ret && lost ? -EPIPE : ret;
}
