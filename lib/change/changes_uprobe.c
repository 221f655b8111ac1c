// SPDX-License-Identifier: GPL-2.0
/*
 * A breakpoint that the kernel puts into a mapped file, and takes out.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "change/changes.h"

#define TYPE "/sys/bus/event_source/devices/uprobe/type"

/* A whole instruction each; the breakpoint is UPROBE_SWBP_INSN of asm/uprobes.h. */
#if defined(__x86_64__)
#define INSN		uint8_t
#define NOP		0x90
#define BREAKPOINT	0xcc
#elif defined(__aarch64__)
#define INSN		uint32_t
#define NOP		0xd503201f
#define BREAKPOINT	0xd42000a0
#else
#define INSN		uint32_t
#define NOP		0
#define BREAKPOINT	0
#endif

static const char *why_not_uprobes(void)
{
	if (!BREAKPOINT)
		return "no known breakpoint of this architecture";
	return sysfile_number(TYPE) < 0 ? "no CONFIG_UPROBE_EVENTS" : NULL;
}

/* Maps a file of its own for each span, executable and private, and reads it. */
static long map_code(uintptr_t at)
{
	static INSN code[CHANGE_MAX_PAGE / sizeof(INSN)];
	int fd = memfd_create("hmm_notifier", MFD_CLOEXEC);
	ssize_t size = CHANGE_PAGE;
	void *got;
	size_t i;

	for (i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		code[i] = NOP;
	if (fd < 0 || write(fd, code, size) != size)
		return -errno;
	got = mmap((void *)at, CHANGE_PAGE, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
	if (got != (void *)at)
		return -errno;
	change_keep_fd(at, fd);
	return *(volatile INSN *)at == NOP ? 0 : -EBADMSG;
}

/* Inserts a breakpoint in this mm alone. Returns its file descriptor or -errno. */
static int insert(int file)
{
	struct perf_event_attr attr = {
		.type = sysfile_number(TYPE),
		.size = sizeof(attr),
		.sample_period = 1,
	};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	attr.config1 = (uintptr_t)path;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static long insert_probe(uintptr_t at)
{
	int fd = insert(change_fd(at));

	if (fd < 0)
		return fd;
	change_keep_fd(at, fd);
	return 0;
}

static long has_breakpoint(uintptr_t at)
{
	const volatile INSN *code = (void *)at;

	return code[0] == BREAKPOINT && code[1] == NOP ? 0 : -EBADMSG;
}

const struct change change_uprobe_insert = {
	.why_not = why_not_uprobes,
	.prepare = map_code,
	.act = insert_probe,
	.check = has_breakpoint,
	.calls = {
		/* 6.16 and later have a write fault make the copy. */
		CHANGE_CALL("uprobe_write", CLEAR, CHANGE_ANOTHER, 0, CHANGE_PAGES(1),
			    .until = LINUX_VERSION(6, 16)),
		CHANGE_CALL("wp_page_copy", CLEAR, CHANGE_ANOTHER, 0, CHANGE_PAGES(1),
			    .since = LINUX_VERSION(6, 16)),
	},
};

/* mlock() empties the lists of pages to which this CPU holds a reference. */
static long empty_lists(void)
{
	void *page = mmap(NULL, CHANGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long err;

	if (page == MAP_FAILED)
		return -errno;
	err = mlock(page, CHANGE_PAGE) ? -errno : 0;
	munmap(page, CHANGE_PAGE);
	return err;
}

/* As uprobe_write() does. The second time the page gets on a list, to be an active one. */
static long get_page(uintptr_t at)
{
	INSN insn;
	struct iovec here = { &insn, sizeof(insn) };
	struct iovec there = { (void *)at, sizeof(insn) };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0 ? -errno : 0;
}

/*
 * 6.16 and later take the copy away only if nobody else has a reference to it. So it is
 * on no list, and is an active page already.
 */
static long map_probed(uintptr_t at)
{
	long err = change_stay_here() ?: map_code(at);

	err = err ?: insert_probe(at);
	err = err ?: empty_lists();
	err = err ?: get_page(at) ?: get_page(at) ?: empty_lists();
	return err ?: has_breakpoint(at);
}

static long remove_probe(uintptr_t at)
{
	return close(change_fd(at)) ? -errno : 0;
}

static long has_no_breakpoint(uintptr_t at)
{
	const volatile INSN *code = (void *)at;

	return code[0] == NOP && code[1] == NOP ? 0 : -EBADMSG;
}

const struct change change_uprobe_remove = {
	.why_not = why_not_uprobes,
	.prepare = map_probed,
	.act = remove_probe,
	.check = has_no_breakpoint,
	.calls = {
		CHANGE_CALL("uprobe_write", CLEAR, CHANGE_NOT_THAT, 0, CHANGE_PAGES(1)),
	},
};
