// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/kmsg.h"

int kmsg_open_all(struct kmsg *kmsg)
{
	kmsg->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg->fd < 0 ? -errno : 0;
}

int kmsg_open(struct kmsg *kmsg)
{
	int err = kmsg_open_all(kmsg);

	if (err)
		return err;
	if (lseek(kmsg->fd, 0, SEEK_END) < 0) {
		kmsg_close(kmsg);
		return -EIO;
	}
	return 0;
}

void kmsg_close(struct kmsg *kmsg)
{
	if (kmsg->fd >= 0)
		close(kmsg->fd);
	kmsg->fd = -1;
}

int kmsg_next(struct kmsg *kmsg, struct kmsg_record *record)
{
	char line[8192];
	char *text;
	ssize_t len;

	do {
		len = read(kmsg->fd, line, sizeof(line) - 1);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == EAGAIN ? 0 : -errno;
	line[len] = '\0';

	/* "prio,sequence,time,flags;text\n KEY=value\n" */
	text = strchr(line, ';');
	if (!text || sscanf(line, "%*u,%llu,%llu,", &record->seq, &record->usec) != 2)
		return -EBADMSG;
	text++;
	text[strcspn(text, "\n")] = '\0';
	snprintf(record->text, sizeof(record->text), "%s", text);
	return 1;
}

int kmsg_write(const char *format, ...)
{
	char line[512];
	va_list args;
	int fd, len, err = 0;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || len >= (int)sizeof(line))
		return -EINVAL;

	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, line, len) != len)
		err = -errno;
	close(fd);
	return err;
}
