// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/machine_state.h"
#include "subject/subject.h"

/* Never returns. */
static void become(char *const command[], const char *cgroup, int in, int out, pid_t parent)
{
	char procs[192];

	end_with_parent(parent);
	if (cgroup) {
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
		if (machine_write(procs, "0"))
			_exit(126);
	}
	signal(SIGPIPE, SIG_DFL);
	unsetenv("POSIXLY_CORRECT");
	dup2(in, 0);
	dup2(out, 1);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execvp(command[0], command);
	printf("%s: %s\n", command[0], strerror(errno));
	fflush(stdout);
	_exit(127);
}

/* The next line, without its newline, in subject->said. 0, -ETIMEDOUT or -EPIPE */
static int hear(struct subject *subject)
{
	struct pollfd answer = { .fd = subject->victim->answers, .events = POLLIN };
	char *end;
	ssize_t n;

	while (!(end = memchr(subject->text, '\n', subject->len))) {
		if (subject->len == sizeof(subject->text))
			return -EPIPE;
		if (poll(&answer, 1, SUBJECT_BOUND_MS) != 1)
			return -ETIMEDOUT;
		n = read(answer.fd, subject->text + subject->len,
			 sizeof(subject->text) - subject->len);
		if (n <= 0)
			return -EPIPE;
		subject->len += n;
	}
	n = end - subject->text;
	snprintf(subject->said, sizeof(subject->said), "%.*s", (int)n, subject->text);
	subject->len -= n + 1;
	memmove(subject->text, end + 1, subject->len);
	return 0;
}

static void add_mirror(struct subject *subject, uintptr_t at, uintptr_t size)
{
	uintptr_t start = at & -SUBJECT_PAGE;

	if (size && subject->nr_mirrors < SUBJECT_MAX_MIRRORS)
		subject->mirrors[subject->nr_mirrors++] = (struct subject_range) {
			start, (at + size + SUBJECT_PAGE - 1) & -SUBJECT_PAGE };
}

static int hear_until_ready(struct subject *subject)
{
	uintptr_t at, size;
	int err;

	while (!(err = hear(subject))) {
		if (!strcmp(subject->said, "ready"))
			return subject->nr_mirrors ? 0 : -EBADMSG;
		if (!strcmp(subject->said, "busy"))
			subject->can_work = true;
		else if (!strcmp(subject->said, "lent"))
			subject->is_lent = true;
		else if (sscanf(subject->said, "complains %95[^\n]",
				subject->complaint) == 1)
			continue;
		else if (sscanf(subject->said, "mirror %lx %lx", &at, &size) == 2)
			add_mirror(subject, at, size);
	}
	return err;
}

int subject_start(struct subject *subject, struct victim *victim, char *const command[],
		  const char *cgroup)
{
	int in[2], out[2];
	pid_t parent = getpid();

	*subject = (struct subject) { .victim = victim };
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	/* To write to one that is dead is to be -EPIPE. */
	signal(SIGPIPE, SIG_IGN);
	victim->pid = fork();
	if (!victim->pid)
		become(command, cgroup, in[0], out[1], parent);
	close(in[0]);
	close(out[1]);
	if (victim->pid < 0) {
		victim->pid = 0;
		return -EAGAIN;
	}
	victim->orders = in[1];
	victim->answers = out[0];
	victim->pidfd = open_task(victim->pid);
	return victim->pidfd < 0 ? victim->pidfd : hear_until_ready(subject);
}

const char *subject_why_not_own(const struct subject *subject)
{
	return subject->is_lent ? "its memory is not its own" : NULL;
}

/* Its answer is in subject->said. */
static int ask(struct subject *subject, const char *order)
{
	if (write(subject->victim->orders, order, strlen(order)) < 0)
		return -errno;
	return hear(subject);
}

int subject_work(struct subject *subject)
{
	return ask(subject, "busy\n") ?: strcmp(subject->said, "busy") ? -EBADMSG : 0;
}

int subject_read(struct subject *subject, unsigned int *sum)
{
	int err = ask(subject, "read\n");

	if (err)
		return err;
	if (!strcmp(subject->said, "no device"))
		return -ENODEV;
	return sscanf(subject->said, "sum %u", sum) == 1 && *sum < 256 ? 0 : -EBADMSG;
}

static int peek(pid_t pid, uintptr_t at, void *to, size_t size)
{
	struct iovec ours = { to, size }, theirs = { (void *)at, size };

	return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)size ? 0 : -errno;
}

/* Calls @each for all pages, up to the first that returns an error. */
static int each_page(const struct subject *subject,
		     int (*each)(const struct subject *subject, uintptr_t at, void *arg),
		     void *arg)
{
	unsigned int i;
	uintptr_t at;
	int err = 0;

	for (i = 0; i < subject->nr_mirrors; i++)
		for (at = subject->mirrors[i].start; !err && at < subject->mirrors[i].end;
		     at += SUBJECT_PAGE)
			err = each(subject, at, arg);
	return err;
}

static int add_byte(const struct subject *subject, uintptr_t at, void *sum)
{
	unsigned char byte;
	int err = peek(subject->victim->pid, at, &byte, 1);

	*(unsigned int *)sum += err ? 0 : byte;
	return err;
}

int subject_sum(const struct subject *subject, unsigned int *sum)
{
	int err;

	*sum = 0;
	err = each_page(subject, add_byte, sum);
	*sum &= 0xff;
	return err;
}

const char *subject_compare(struct subject *subject)
{
	unsigned int device = 0, memory = 0;
	int seen = subject_read(subject, &device);
	int err = subject_sum(subject, &memory);

	*subject->fault = '\0';
	if (err && subject->is_lent)	/* what is gone does not come back */
		return subject->fault;
	if (err)
		snprintf(subject->fault, sizeof(subject->fault),
			 "its memory can't be read: %s", strerror(-err));
	else if (seen == -EBADMSG)
		snprintf(subject->fault, sizeof(subject->fault),
			 "the device can't read what is there: %s", subject->said);
	else if (seen && seen != -ENODEV)
		snprintf(subject->fault, sizeof(subject->fault),
			 "the device does not answer: %s", strerror(-seen));
	else if (!seen && device != memory)
		snprintf(subject->fault, sizeof(subject->fault),
			 "a stale read: the device sees %u, in memory is %u", device, memory);
	return subject->fault;
}

int subject_touch(const struct subject *subject, uintptr_t at)
{
	unsigned char byte;
	struct iovec ours = { &byte, 1 }, theirs = { (void *)at, 1 };
	int err;

	if (subject->is_lent)
		return 0;
	err = peek(subject->victim->pid, at, &byte, 1);
	if (err)
		return err;
	byte ^= 0x55;
	return process_vm_writev(subject->victim->pid, &ours, 1, &theirs, 1, 0) == 1 ?
	       0 : -errno;
}

struct resident {
	int pagemap;
	long pages;
};

static int add_resident(const struct subject *subject, uintptr_t at, void *arg)
{
	struct resident *resident = arg;
	uint64_t entry;

	(void)subject;
	if (pread(resident->pagemap, &entry, sizeof(entry),
		  at / SUBJECT_PAGE * sizeof(entry)) != sizeof(entry))
		return -EIO;
	/* The bit "page present" of Documentation/admin-guide/mm/pagemap.rst */
	resident->pages += entry >> 63;
	return 0;
}

long subject_resident(const struct subject *subject)
{
	struct resident resident = {};
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", subject->victim->pid);
	resident.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (resident.pagemap < 0)
		return -errno;
	err = each_page(subject, add_resident, &resident);
	close(resident.pagemap);
	return err ? err : resident.pages;
}

#define HASH_BASIS 0xcbf29ce484222325

/* FNV-1a of the beginning of the page */
static uint64_t add_page(uint64_t hash, pid_t pid, uintptr_t at)
{
	unsigned char bytes[64] = {};
	char path[64];
	size_t i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!pread(fd, bytes, sizeof(bytes), at);
		close(fd);
	}
	for (i = 0; i < sizeof(bytes); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

static int add_hash(const struct subject *subject, uintptr_t at, void *hash)
{
	*(uint64_t *)hash = add_page(*(uint64_t *)hash, subject->child, at);
	return 0;
}

uint64_t subject_hash_of_child(const struct subject *subject)
{
	uint64_t hash = HASH_BASIS;

	each_page(subject, add_hash, &hash);
	return hash;
}

uint64_t subject_hash(const struct subject *subject, uintptr_t at)
{
	return add_page(HASH_BASIS, subject->victim->pid, at);
}

int subject_has_worked(const struct subject *subject, uintptr_t at)
{
	uint64_t before = subject_hash(subject, at);
	time_t until = time(NULL) + SUBJECT_BOUND_MS / 1000;

	while (subject_hash(subject, at) == before) {
		if (time(NULL) > until)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

void subject_end_child(struct subject *subject)
{
	if (!subject->child)
		return;
	kill_task(subject->child, SIGKILL);
	waitpid(subject->child, NULL, __WALL);
	subject->child = 0;
}
