/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's log, record by record, through /dev/kmsg
 * (Documentation/ABI/testing/dev-kmsg).
 */
#ifndef HMM_NOTIFIER_CORE_KMSG_H
#define HMM_NOTIFIER_CORE_KMSG_H

struct kmsg {
	int fd;
};

struct kmsg_record {
	unsigned long long seq;
	unsigned long long usec;	/* when it was logged, since the boot */
	char text[1024];
};

/*
 * Opens the log behind its last record; kmsg_open_all() in front of its first. Both
 * return 0 or -errno.
 */
int kmsg_open(struct kmsg *kmsg);
int kmsg_open_all(struct kmsg *kmsg);
void kmsg_close(struct kmsg *kmsg);

/*
 * Reads the next record. Returns 1, 0 if there is none yet, -EPIPE if records
 * were overwritten before they could be read, or another -errno.
 */
int kmsg_next(struct kmsg *kmsg, struct kmsg_record *record);

/* Writes one line into the log. Returns 0 or -errno. */
int kmsg_write(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
