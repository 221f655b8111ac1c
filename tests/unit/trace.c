// SPDX-License-Identifier: GPL-2.0
/*
 * What reads a trace_pipe, from a pipe of ours that gives pieces of any size.
 * Linked with --wrap for open() and read().
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "change/start_trace.h"
#include "core/detector.h"
#include "core/trace_pipe.h"
#include "unit.h"
#include "wraps.h"

#define PLACE	"  kworker/0:1-12      [000] ...1.   123.456789: "
#define CALLED	"__mmu_notifier_invalidate_range_start <-"
#define CALLER	PLACE CALLED
#define WARNED	PLACE "error_report_end: [warning] ffffffff81234567\n"
#define OTHER	PLACE "error_report_end: [kasan] ffffffff81234567\n"
#define LOST	"CPU:0 [LOST 12 EVENTS]\n"
#define LOST_ANY "CPU:1 [LOST EVENTS]\n"
#define TOO_BIG	PLACE "error_rep[LINE TOO BIG]\n"

#define NOBODY	(-1)
#define MANY	120	/* lines, more than fit into two reads */

static int ours = NOBODY;	/* what there is to read, as a pipe */
static int reader = NOBODY;	/* its file, where it is open */
static size_t first, others;	/* how much a read gives at most */
static bool interrupts;		/* each other read */

int __wrap_open(const char *path, int flags, ...)
{
	CHECK(strstr(path, "/trace_pipe"), "%s", path);
	CHECK(flags & O_NONBLOCK, "%#x", flags);
	reader = dup(ours);
	return reader;
}

ssize_t __wrap_read(int fd, void *buf, size_t size)
{
	static bool interrupted;
	size_t most = first;

	CHECK(fd == reader, "%d", fd);
	interrupted = interrupts && !interrupted;
	if (interrupted) {
		errno = EINTR;
		return -1;
	}
	first = others;
	return __real_read(fd, buf, size < most ? size : most);
}

static void feed(const char *text, size_t first_read, size_t other_reads)
{
	size_t len = strlen(text);
	int fds[2];

	close(ours);
	CHECK(!pipe2(fds, O_NONBLOCK), "%s", strerror(errno));
	CHECK(write(fds[1], text, len) == (ssize_t)len, "%zu bytes", len);
	close(fds[1]);
	ours = fds[0];
	first = first_read;
	others = other_reads;
}

static void check_callers(const char *text, size_t first_read, size_t other_reads)
{
	static const char * const names[] = { "zap", "unmap_vmas", "ksm_do_scan" };
	struct start_trace_caller callers[4];
	int i, nr;

	feed(text, first_read, other_reads);
	nr = start_trace_take(callers, 4);
	CHECK(nr == 3, "%d at %zu, %zu", nr, first_read, other_reads);
	for (i = 0; i < nr; i++)
		CHECK(!strcmp(callers[i].name, names[i]), "%s at %zu, %zu",
		      callers[i].name, first_read, other_reads);
}

/* Cut in two at each byte, then into pieces of each size */
static void callers_are_whole(void)
{
	static const char text[] = CALLER "zap\n" CALLER "unmap_vmas.isra.0\n"
		PLACE "another_function <-zap\n" CALLER "ksm_do_scan\n";
	size_t at;

	for (at = 1; at <= strlen(text); at++) {
		check_callers(text, at, strlen(text));
		check_callers(text, at, at);
	}
}

static void warns_are_whole(void)
{
	static const char text[] = WARNED OTHER WARNED WARNED;
	size_t at;
	int nr;

	for (at = 1; at <= strlen(text); at++) {
		feed(text, at, at);
		nr = detector_trace_read();
		CHECK(nr == 3, "%d at %zu", nr, at);
	}
}

static void long_texts_are_whole(void)
{
	static const size_t sizes[] = { 1, 100, 4095, 4096, 4097, 8191, 8192, 65536 };
	char text[MANY * 128] = "", *end = text;
	struct start_trace_caller callers[MANY];
	unsigned int i;
	int nr, line;

	for (line = 0; line < MANY; line++)
		end += sprintf(end, CALLER "caller_%d\n", line);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		feed(text, sizes[i], sizes[i]);
		nr = start_trace_take(callers, MANY);
		CHECK(nr == MANY, "%d at %zu", nr, sizes[i]);
		for (line = 0; line < MANY; line++)
			CHECK(atoi(callers[line].name + strlen("caller_")) == line,
			      "%s, not %d", callers[line].name, line);
	}
}

static void losses_are_told(void)
{
	static const char * const texts[] = {
		LOST WARNED, WARNED LOST_ANY WARNED, WARNED TOO_BIG WARNED,
		WARNED PLACE "half a line",
	};
	struct start_trace_caller callers[4];
	size_t at;
	int i, ret;

	for (i = 0; i < 4; i++)
		for (at = 1; at <= strlen(texts[i]); at++) {
			feed(texts[i], at, 8192);
			ret = detector_trace_read();
			CHECK(ret == -EPIPE, "%d of %d at %zu", ret, i, at);
			feed(texts[i], at, 8192);
			ret = start_trace_take(callers, 4);
			CHECK(ret == -EPIPE, "%d of %d at %zu", ret, i, at);
		}
	/* and the next call does not see them again */
	feed(WARNED, 8192, 8192);
	CHECK(detector_trace_read() == 1, "after a loss");
}

static void names_are_no_losses(void)
{
	struct start_trace_caller callers[4];
	int ret;

	feed("  LOST-12      [000] ...1.   123.456789: " CALLED "zap\n", 8192, 8192);
	ret = start_trace_take(callers, 4);
	CHECK(ret == 1, "%d", ret);
}

static void signals_do_no_harm(void)
{
	interrupts = true;
	callers_are_whole();
	warns_are_whole();
}

/* Half a line waits for its other half. */
static void halves_are_kept(void)
{
	static const char text[] = "one\n\nthree and more\n";
	static const char * const lines[] = { "one", "", "three and more" };
	struct trace_pipe pipe;
	int fds[2], found, ret;
	char *line;
	size_t at;

	first = 8192;
	others = 8192;
	for (at = 0; at <= strlen(text); at++) {
		CHECK(!pipe2(fds, O_NONBLOCK), "%s", strerror(errno));
		pipe = (struct trace_pipe) { .fd = fds[0] };
		reader = fds[0];
		for (found = 0; found < 3; found++) {
			if (!found)
				CHECK(write(fds[1], text, at) == (ssize_t)at, "%zu", at);
			ret = trace_pipe_next(&pipe, &line);
			if (!ret) {
				CHECK(write(fds[1], text + at, strlen(text) - at) ==
				      (ssize_t)(strlen(text) - at), "%zu", at);
				ret = trace_pipe_next(&pipe, &line);
			}
			CHECK(ret == 1, "%d at %zu", ret, at);
			CHECK(!strcmp(line, lines[found]), "%s at %zu", line, at);
		}
		CHECK(!trace_pipe_next(&pipe, &line), "more at %zu", at);
		close(fds[0]);
		close(fds[1]);
	}
}

/* A line that just fits, one that does not, and one behind that */
static void the_longest_line(void)
{
	static char text[3 * TRACE_PIPE_LINE];
	struct trace_pipe pipe;
	size_t len, at;
	char *line;
	int ret;

	for (len = TRACE_PIPE_LINE - 2; len <= TRACE_PIPE_LINE + 2; len++)
		for (at = 8000; at < 8400; at += 7) {
			memset(text, 'x', len);
			strcpy(text + len, "\nnext\n");
			feed(text, at, 8192);
			pipe = (struct trace_pipe) { .fd = ours };
			reader = ours;
			ret = trace_pipe_next(&pipe, &line);
			CHECK(ret == (len < TRACE_PIPE_LINE ? 1 : -EPIPE),
			      "%d for %zu", ret, len);
			CHECK(ret < 0 || strlen(line) == len, "%zu", strlen(line));
			CHECK(trace_pipe_next(&pipe, &line) == 1, "after %zu", len);
			CHECK(!strcmp(line, "next"), "%s after %zu", line, len);
			CHECK(!trace_pipe_next(&pipe, &line), "after %zu", len);
		}
}

static const struct unit_test tests[] = {
	{ "callers_are_whole", callers_are_whole },
	{ "warns_are_whole", warns_are_whole },
	{ "long_texts_are_whole", long_texts_are_whole },
	{ "losses_are_told", losses_are_told },
	{ "names_are_no_losses", names_are_no_losses },
	{ "signals_do_no_harm", signals_do_no_harm },
	{ "halves_are_kept", halves_are_kept },
	{ "the_longest_line", the_longest_line },
};

UNIT_MAIN(tests)
