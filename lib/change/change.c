// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change/change.h"
#include "change/start_site.h"

size_t change_bytes(unsigned int nr)
{
	return nr / CHANGE_HUGES(1) * CHANGE_HUGE +
	       nr % CHANGE_HUGES(1) * CHANGE_PAGE;
}

static uintptr_t base = CHANGE_BASE;
static uintptr_t elsewhere = CHANGE_ELSEWHERE;

/* Of the one span at an edge: its size, and where in it the table ends */
static enum edge edge;
static size_t mapped, border;

const char *change_at_edge(const struct change *change, enum edge where)
{
	bool outmost = where == EDGE_LOWEST || where == EDGE_HIGHEST;
	size_t align = CHANGE_HUGE;

	edge = where;
	mapped = change->size ? change_bytes(change->size) : CHANGE_SIZE;
	if (mapped % CHANGE_HUGE)
		align = CHANGE_PAGE;
	else if (mapped > 2 * CHANGE_HUGE)
		align = mapped / 2;
	if (edge == EDGE_PMD && align > CHANGE_PAGE)
		return "a huge page always ends with a PMD";
	if (outmost && mapped > 2 * CHANGE_HUGE)
		return "program and stack are where this would be";
	if (outmost && change->flags & CHANGE_NOT_OUTMOST)
		return "the kernel takes no such address for this";
	if (edge == EDGE_HIGHEST)
		elsewhere = -CHANGE_ELSEWHERE;
	border = (mapped / 2 + align - 1) & -align;
	base = edge_room(edge, mapped, align, border);
	return base == -1UL ? "no such address to map at" : NULL;
}

uintptr_t change_span(unsigned int span)
{
	return base + span * CHANGE_STRIDE;
}

uintptr_t change_span_end(unsigned int span)
{
	return edge ? base + mapped : change_span(span + 1);
}

uintptr_t change_elsewhere(uintptr_t addr)
{
	return addr + elsewhere;
}

static bool touches(uintptr_t at, uintptr_t to, uintptr_t start, uintptr_t end)
{
	return start < to && (end > at || start >= at);
}

bool change_in_spans(uintptr_t start, uintptr_t end)
{
	if (!edge)
		return touches(CHANGE_BASE, CHANGE_END, start, end);
	return touches(base, base + mapped, start, end) ||
	       touches(change_elsewhere(base), change_elsewhere(base + mapped), start, end);
}

static long each_span(const struct victim_args *args)
{
	long (*fn)(uintptr_t at) = (void *)(uintptr_t)args->arg[0];
	unsigned int span, spans = args->arg[1];
	long err = 0;

	for (span = 0; span < spans && !err; span++)
		err = fn(change_span(span));
	return err;
}

static int begin(struct victim *victim, long (*fn)(uintptr_t at),
		 unsigned int spans)
{
	struct victim_args args = { .arg = { (uintptr_t)fn, spans } };

	return victim_order(victim, each_span, &args);
}

int change_end(struct victim *victim)
{
	long result;
	int err = victim_answer(victim, &result);

	err = err ?: victim_settle(victim);
	return err ?: (int)result;
}

static int run(struct victim *victim, long (*fn)(uintptr_t at),
	       unsigned int spans)
{
	return fn ? begin(victim, fn, spans) ?: change_end(victim) : 0;
}

int change_prepare(struct victim *victim, const struct change *change,
		   unsigned int spans)
{
	return run(victim, change->prepare, spans);
}

static unsigned int acts(const struct change *change, unsigned int spans)
{
	return change->flags & CHANGE_AT_ONCE ? 1 : spans;
}

int change_begin(struct victim *victim, const struct change *change,
		 unsigned int spans)
{
	return begin(victim, change->act, acts(change, spans));
}

int change_act(struct victim *victim, const struct change *change,
	       unsigned int spans)
{
	int err = run(victim, change->act, acts(change, spans));

	if (change->flags & CHANGE_ENDS_MM)
		return err == -EPIPE ? 0 : err ? err : -EEXIST;
	return err;
}

int change_check(struct victim *victim, const struct change *change,
		 unsigned int spans)
{
	return run(victim, change->check, spans);
}

static bool has(const struct change_call *call)
{
	unsigned int version = kernel_version();

	return call->site && version >= call->since &&
	       (!call->until || version < call->until);
}

static bool is_once(const struct change *change, const struct change_call *call)
{
	return change->flags & CHANGE_AT_ONCE && !call->end;
}

/* With three levels of tables, all addresses are less than what one P4D would map. */
static bool has_p4d(void)
{
	return edge_room(EDGE_P4D, 2 * CHANGE_PAGE, CHANGE_PAGE, CHANGE_PAGE) != -1UL;
}

/*
 * Whether it is a call of change_protection(), which has one for what each P4D maps, before
 * 6.12 or without one for each PUD, and that ends inside the range.
 */
static bool is_two_calls(const struct change_call *call)
{
	return !strcmp(call->site, "change_pud_range") &&
	       (edge == EDGE_P4D || (edge == EDGE_PUD && (kernel_version() <
		LINUX_VERSION(6, 12) || !has_p4d()))) &&
	       change_bytes(call->start) < border && border < change_bytes(call->end);
}

/* try_realign_addr(): from the beginning of a page table whose end it reaches */
static uintptr_t start_of(const struct change_call *call, uintptr_t start, uintptr_t end)
{
	return kernel_version() >= LINUX_VERSION(6, 7) &&
	       !strcmp(call->site, "move_page_tables") &&
	       start / CHANGE_HUGE != end / CHANGE_HUGE ? start & -CHANGE_HUGE : start;
}

/* Returns how many it wants to add; adds what there is room for. */
static int expect_call(const struct change_call *call, unsigned int span,
		       struct change_expected *expected, int room)
{
	struct change_expected e = {
		.site = start_site_find(call->site),
		.event = call->event,
		.leaves = call->leaves,
		.span = span,
		.end = -1UL,
	};
	uintptr_t at, end = change_bytes(call->end);
	size_t step = change_bytes(call->step ? call->step : call->end - call->start);
	int nr = 0;

	if (is_two_calls(call))
		step = border;
	if (!call->end) {
		if (room > 0)
			*expected = e;
		return 1;
	}
	for (at = change_bytes(call->start); at < end; at += step) {
		e.start = change_span(span) + at;
		e.end = e.start + step;
		e.start = start_of(call, e.start, e.end);
		if (nr < room)
			expected[nr] = e;
		nr++;
	}
	return nr;
}

int change_expect(const struct change *change, unsigned int spans,
		  struct change_expected *expected, int max)
{
	unsigned int span, i;
	int nr = 0;

	for (span = 0; span < spans; span++)
		for (i = 0; i < CHANGE_MAX_CALLS; i++)
			if (has(&change->calls[i]) &&
			    !(span && is_once(change, &change->calls[i])))
				nr += expect_call(&change->calls[i], span,
						  expected + nr, max - nr);
	return nr > max ? -E2BIG : nr;
}

int change_map(uintptr_t at, size_t size, int flags, int fd)
{
	void *got = mmap((void *)at, size, PROT_READ | PROT_WRITE,
			 flags | MAP_FIXED_NOREPLACE, fd, 0);

	return got == (void *)at ? 0 : -errno;
}

void change_fill(uintptr_t at, size_t size)
{
	uintptr_t end = at + size;

	for (; at < end; at += CHANGE_PAGE)
		*(volatile uintptr_t *)at = at;
}

long change_filled(uintptr_t at, size_t size)
{
	uintptr_t end = at + size;

	for (; at < end; at += CHANGE_PAGE)
		if (*(volatile uintptr_t *)at != at)
			return -EBADMSG;
	return 0;
}

long change_zero(uintptr_t at, size_t size)
{
	uintptr_t end = at + size;

	for (; at < end; at += CHANGE_PAGE)
		if (*(volatile uintptr_t *)at)
			return -EBADMSG;
	return 0;
}

long change_unmapped(uintptr_t at, size_t size)
{
	uintptr_t end = at + size;
	unsigned char vec;

	for (; at < end; at += CHANGE_PAGE)
		if (!mincore((void *)at, CHANGE_PAGE, &vec) || errno != ENOMEM)
			return -EBADMSG;
	return 0;
}

long change_all_filled(uintptr_t at)
{
	return change_filled(at, CHANGE_SIZE);
}

#define NEW 0x1234567UL

long change_write_second(uintptr_t at)
{
	*(volatile uintptr_t *)(at + CHANGE_PAGE) = NEW;
	return 0;
}

long change_second_written(uintptr_t at)
{
	return *(volatile uintptr_t *)(at + CHANGE_PAGE) == NEW ? 0 : -EBADMSG;
}

long change_private(uintptr_t at)
{
	int err = change_map(at, CHANGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!err)
		change_fill(at, CHANGE_SIZE);
	return err;
}

long change_map_advised(uintptr_t at, int advice)
{
	int err = change_map(at, CHANGE_HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!err && madvise((void *)at, CHANGE_HUGE, advice))
		err = -errno;
	return err;
}

long change_map_huge(uintptr_t at)
{
	long err = change_map_advised(at, MADV_HUGEPAGE);

	if (err)
		return err;
	change_fill(at, CHANGE_HUGE);
	if (madvise((void *)at, CHANGE_HUGE, MADV_NOHUGEPAGE))
		return -errno;
	return change_smaps(at, "AnonHugePages") == (long)CHANGE_HUGE / 1024 ? 0 : -ENOMEM;
}

/* of change_keep_fd(), or pids of change_hold_in_child() */
static int fds[CHANGE_SPANS] = { -1, -1, -1 };

void change_keep_fd(uintptr_t at, int fd)
{
	fds[(at - base) / CHANGE_STRIDE] = fd;
}

int change_fd(uintptr_t at)
{
	return fds[(at - base) / CHANGE_STRIDE];
}

uint64_t change_pagemap(uintptr_t addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), addr / CHANGE_PAGE * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

long change_smaps(uintptr_t at, const char *key)
{
	long value, found = -1;
	bool inside = false;
	char line[512], name[64];
	uintptr_t start, end;
	FILE *file;

	file = fopen("/proc/self/smaps", "re");
	if (!file)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= at && at < end;
		else if (inside &&
			 sscanf(line, "%63[^:]: %ld kB", name, &value) == 2 &&
			 !strcmp(name, key))
			found = value;
	}
	fclose(file);
	return found;
}

long change_each(long (*fn)(uintptr_t at))
{
	unsigned int span;
	unsigned char vec;
	long err = 0;

	for (span = 0; span < CHANGE_SPANS && !err; span++)
		if (!mincore((void *)change_span(span), CHANGE_PAGE, &vec))
			err = fn(change_span(span));
	return err;
}

int change_wait(bool (*done)(void))
{
	int tries;

	for (tries = 0; !done(); tries++) {
		if (tries == 2500)
			return -ETIMEDOUT;
		poll(NULL, 0, 2);
	}
	return 0;
}

long change_in_child(long (*fn)(uintptr_t at), uintptr_t at)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(fn(at));
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}

static long sees_all(uintptr_t at)
{
	(void)at;
	return !!change_each(change_all_filled);
}

long change_see_in_child(uintptr_t at)
{
	return change_in_child(sees_all, at) ? -EBADMSG : 0;
}

long change_hold_in_child(uintptr_t at)
{
	pid_t pid, parent = getpid();

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		end_with_parent(parent);
		close_range(0, ~0U, 0);
		for (;;)
			pause();
	}
	change_keep_fd(at, pid);
	return 0;
}

uintptr_t change_child_word(uintptr_t at, uintptr_t addr)
{
	uintptr_t word = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", change_fd(at));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &word, sizeof(word), addr) != sizeof(word))
		word = 0;
	close(fd);
	return word;
}

int change_stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

bool change_writable(uintptr_t addr)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return true;
	len = read(fd, (void *)addr, CHANGE_PAGE);
	close(fd);
	return len >= 0 || errno != EFAULT;
}
