// SPDX-License-Identifier: GPL-2.0
/*
 * kmsg OUT - copies the kernel's log, from its oldest record on, to OUT.
 *
 * Records go out as /dev/kmsg gives them, with their sequence number, so that
 * the reader on the other side can tell whether one is missing.  On SIGTERM
 * what is still there is copied, then a last line says that this was all:
 *
 *	end of log, N records
 *
 * This must not lose records to a slow start or to EPIPE, which is why it is
 * not cat.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Each write to the port leaves the guest; a WARN is 50 records. The port takes no
 * more than this at once.
 */
#define CHUNK		32768
/* A read gives one record; CONSOLE_EXT_LOG_MAX of 6.1, PRINTK_MESSAGE_MAX is less. */
#define RECORD_MAX	8192

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		buf += n;
		len -= n;
	}
	return 0;
}

/* Copies what is there; returns the number of records, or -1. */
static long drain(int in, int out)
{
	static char buf[CHUNK];
	size_t len = 0;
	long count = 0;
	ssize_t n;
	int err;

	for (;;) {
		n = read(in, buf + len, RECORD_MAX);
		err = n < 0 ? errno : 0;
		if (err == EINTR || err == EPIPE)
			continue; /* overwritten: the gap shows in the numbers */
		if (!err) {
			len += n;
			count++;
			if (len <= CHUNK - RECORD_MAX)
				continue;
		}
		if (write_all(out, buf, len))
			return -1;
		if (err)
			return err == EAGAIN ? count : -1;
		len = 0;
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	struct pollfd pfd = { .events = POLLIN };
	sigset_t term, old;
	long total = 0, n;
	char line[64];
	int out;

	if (argc != 2)
		return 2;
	out = open(argv[1], O_WRONLY);
	pfd.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (out < 0 || pfd.fd < 0 || lseek(pfd.fd, 0, SEEK_SET) < 0) {
		perror("kmsg");
		return 2;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old); /* delivered in ppoll() only */

	for (;;) {
		int last = stop;

		n = drain(pfd.fd, out);
		if (n < 0)
			return 1;
		total += n;
		if (last)
			break;
		if (ppoll(&pfd, 1, NULL, &old) < 0 && errno != EINTR)
			return 1;
	}
	snprintf(line, sizeof(line), "end of log, %ld records\n", total);
	return write_all(out, line, strlen(line)) ? 1 : 0;
}
