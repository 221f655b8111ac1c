// SPDX-License-Identifier: GPL-2.0
/*
 * Small files that are read and written in pieces. open(), read() and write() are
 * ours.
 */
#include <errno.h>
#include <unistd.h>

#include "core/machine_state.h"
#include "core/sysfile.h"
#include "unit.h"
#include "wraps.h"

#define FD	1000

static const char *left;	/* to be read */
static size_t piece;		/* of a read or a write, at most */
static unsigned int interrupts, reads;

int __wrap_open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return FD;
}

ssize_t __wrap_read(int fd, void *buf, size_t size)
{
	size_t len = strlen(left);

	CHECK(fd == FD, "%d", fd);
	reads++;
	if (interrupts) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	len = len < piece ? len : piece;
	len = len < size ? len : size;
	memcpy(buf, left, len);
	left += len;
	return len;
}

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	(void)buf;
	CHECK(fd == FD, "%d", fd);
	return size < piece ? size : piece;
}

static void expect(const char *file, size_t pieces, size_t size, const char *line)
{
	char text[64] = "";
	int err;

	left = file;
	piece = pieces;
	err = sysfile_read("/proc/x", text, size);
	CHECK(!err && !strcmp(text, line), "%d, \"%s\" in pieces of %zu", err, text,
	      pieces);
}

static void reads_in_pieces(void)
{
	size_t at;

	for (at = 1; at < 24; at++) {
		expect("always [madvise] never\n", at, 64, "always [madvise] never");
		expect("always [madvise] never", at, 64, "always [madvise] never");
		expect("one\ntwo\n", at, 64, "one");
		expect("\n", at, 64, "");
		expect("", at, 64, "");
		expect("123 (comm) S 2", at, 7, "123 (c");
		interrupts = 2;
		expect("always\n", at, 64, "always");
	}
}

/* Where reading does something, once is enough: "hot_add" of zram adds a disk. */
static void reads_no_more_than_it_has_to(void)
{
	expect("1\n", 64, 64, "1");
	CHECK(reads == 1, "%u", reads);
}

static void writes_all_or_fails(void)
{
	int err;

	piece = 64;
	err = machine_write("/proc/self/x", "1000");
	CHECK(!err, "%d", err);
	piece = 3;
	err = machine_write("/proc/self/x", "1000");
	CHECK(err == -EIO, "%d", err);
}

static const struct unit_test tests[] = {
	{ "reads_in_pieces", reads_in_pieces },
	{ "reads_no_more_than_it_has_to", reads_no_more_than_it_has_to },
	{ "writes_all_or_fails", writes_all_or_fails },
};

UNIT_MAIN(tests)
