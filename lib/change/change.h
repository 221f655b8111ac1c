/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways in which an address space changes, each as data: how a victim makes the
 * change, which invalidations the kernel has to start for it, and how to see that it
 * worked. Functions, events and ranges are those of the kernel's source, 6.12 and 7.2.
 *
 * A change is made in a span: 4 GiB of address space for nothing else, or as much as it
 * takes, at an edge. So the change has started every invalidation that is seen there.
 */
#ifndef HMM_NOTIFIER_CHANGE_CHANGE_H
#define HMM_NOTIFIER_CHANGE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "change/edge.h"
#include "core/dmirror.h"
#include "core/sysfile.h"
#include "core/victim.h"

#define CHANGE_SPANS	3
#define CHANGE_STRIDE	0x100000000UL
#define CHANGE_BASE	VICTIM_BASE
#define CHANGE_END	(CHANGE_BASE + CHANGE_SPANS * CHANGE_STRIDE)

/* Offsets and sizes in a span, in bytes. A huge page is all that a page table maps. */
#define CHANGE_PAGE		((uintptr_t)getpagesize())
#define CHANGE_NR_PAGES		4
#define CHANGE_SIZE		(CHANGE_NR_PAGES * CHANGE_PAGE) /* of most mappings */
#define CHANGE_HUGE		(CHANGE_PAGE * CHANGE_PAGE / sizeof(uint64_t))
#define CHANGE_ELSEWHERE	0x40000000UL

/* For buffers: the largest page that there is, on arm64 */
#define CHANGE_MAX_PAGE		0x10000UL

/*
 * Tables have constants, and no kernel has all sizes of a page: so these are the same in
 * pages, or in huge pages; change_bytes() says what that is here.
 */
#define CHANGE_PAGES(nr)	(nr)
#define CHANGE_HUGES(nr)	((nr) * 0x10000)

#define CHANGE_MAX_CALLS 8

/*
 * What an invalidation does to the entries of its range that were there before the
 * change: so they have to be at its end, and not at its start.
 */
enum change_leaves {
	CHANGE_NOTHING = 0,	/* it need not change any of them */
	CHANGE_GONE = 0x1,	/* not present; what comes in its place may come later */
	CHANGE_ANOTHER = 0x2,	/* another page */
	CHANGE_NOT_THAT = 0x4,	/* gone, or another page */
	CHANGE_READONLY = 0x8,
	CHANGE_CLEAN = 0x10,	/* not dirty */
	CHANGE_SOFT_CLEAN = 0x20,
	CHANGE_UFFD_WP = 0x40,
	CHANGE_SPLIT = 0x80,	/* of a lower level */
	CHANGE_MIGRATING = 0x100,
	CHANGE_BACK = 0x200,	/* present, and was not */
	CHANGE_FILLED = 0x400,	/* something, and was nothing */
	CHANGE_NO_TABLE = 0x800, /* gone, with the page table: no entry of that level */
};

/* One invalidation; with @step, one for each @step of the range */
struct change_call {
	const char *site;	/* a function in start_site.c */
	unsigned int event;
	/* CHANGE_PAGES() or CHANGE_HUGES(), in the span; both 0: all of the mm */
	unsigned int start, end;
	unsigned int step;
	unsigned int leaves;	/* enum change_leaves, or more than one of them */
	unsigned int since;	/* the first LINUX_VERSION() that starts it, 0: all */
	unsigned int until;	/* the first that does not any more, 0: none */
};

#define CHANGE_CALL(function, what, left, from, to, ...) {			\
		.site = function, .event = HMM_DMIRROR_EVENT_##what,	\
		.leaves = left, .start = from, .end = to, ##__VA_ARGS__ }

enum change_flags {
	CHANGE_AT_ONCE = 1,	/* one act does all spans */
	CHANGE_ENDS_MM = 2,	/* the victim does not answer any more */
	CHANGE_BY_DEVICE = 4,	/* by the device: needs test_hmm's mirror, and fills it */
	CHANGE_REPEATS = 8,	/* the kernel may do it more than once */
	CHANGE_NON_BLOCKABLE = 16,
	/*
	 * The file has the page until the end of the change: who faults meanwhile gets
	 * it, and one more invalidation takes it away again (truncate_inode_folio(),
	 * remove_inode_hugepages()).
	 */
	CHANGE_FILE_HAS_IT = 32,
	CHANGE_ALL_PAGES = 64,	/* of all memory: stacks and code, too */
	CHANGE_NOT_OUTMOST = 128, /* not at the lowest nor up to the highest address */
};

/*
 * These functions run in the victim, for each span, and return 0 or -errno. @prepare
 * runs before anything is armed, @act is the change itself, and @check returns -EBADMSG
 * if the memory is not as it has to be afterwards.
 */
struct change {
	const char *(*why_not)(void);	/* why this kernel can't, or NULL */
	long (*prepare)(uintptr_t at);
	long (*act)(uintptr_t at);
	long (*check)(uintptr_t at);
	unsigned int flags;
	unsigned int size;	/* what it maps, if not CHANGE_PAGES(4) */
	struct change_call calls[CHANGE_MAX_CALLS];
};

/* CHANGE_PAGES() or CHANGE_HUGES() in bytes */
size_t change_bytes(unsigned int nr);

/*
 * Has this process, and the victims that it starts from now on, make the change at that
 * edge, in one span. Returns why it can't be, or NULL.
 */
const char *change_at_edge(const struct change *change, enum edge where);

/* Where a span starts and ends; another address in the same one, for what moves there */
uintptr_t change_span(unsigned int span);
uintptr_t change_span_end(unsigned int span);
uintptr_t change_elsewhere(uintptr_t addr);

/* Whether a range touches a span; an empty one inside does. */
bool change_in_spans(uintptr_t start, uintptr_t end);

/* Run a function of @change in the victim, for @spans spans. 0 or -errno */
int change_prepare(struct victim *victim, const struct change *change,
		   unsigned int spans);
int change_act(struct victim *victim, const struct change *change,
	       unsigned int spans);
int change_check(struct victim *victim, const struct change *change,
		 unsigned int spans);

/*
 * The two halves of change_act(), for a caller who does other things meanwhile. Not for
 * CHANGE_ENDS_MM
 */
int change_begin(struct victim *victim, const struct change *change,
		 unsigned int spans);
int change_end(struct victim *victim);

/* One invalidation that a change has to start, at real addresses */
struct change_expected {
	int site;		/* index into start_sites */
	unsigned int event;
	unsigned int leaves;
	uintptr_t start, end;
	unsigned int span;
};

/*
 * The invalidations that this kernel has to start for @spans spans, in the usual order.
 * Returns how many, or -E2BIG if there are more than @max.
 */
int change_expect(const struct change *change, unsigned int spans,
		  struct change_expected *expected, int max);

/* Helpers for the files that define changes, changes_*.c */

/* mmap() for reading and writing at that address, where nothing is. 0 or -errno */
int change_map(uintptr_t at, size_t size, int flags, int fd);

/* Writes each page's own address into its first word. */
void change_fill(uintptr_t at, size_t size);

/*
 * 0 if each page has that, is zero, or is not mapped; else -EBADMSG. change_filled() and
 * change_zero() touch each page.
 */
long change_filled(uintptr_t at, size_t size);
long change_zero(uintptr_t at, size_t size);
long change_unmapped(uintptr_t at, size_t size);

/* For @check: change_filled() of CHANGE_SIZE bytes */
long change_all_filled(uintptr_t at);

/* For @act: writes a new word to the second page; for @check: is it there? */
long change_write_second(uintptr_t at);
long change_second_written(uintptr_t at);

/* change_map() of private anonymous memory and change_fill(), CHANGE_SIZE bytes */
long change_private(uintptr_t at);

/* change_map() of private anonymous memory and madvise(), CHANGE_HUGE bytes */
long change_map_advised(uintptr_t at, int advice);

/*
 * change_map_advised() and change_fill() of one huge page, or -ENOMEM. Then khugepaged
 * is kept off by MADV_NOHUGEPAGE: outside our VM it is not parked (vm_settings.h), and
 * would undo what a change does.
 */
long change_map_huge(uintptr_t at);

/* Why some huge pages are not to be had here, or NULL. changes_thp.c */
const char *change_why_not_huge(void);

/*
 * Spends CPU time until the kernel has scanned this process once for NUMA balancing: 0,
 * -ETIMEDOUT or what machine_set_for_now() says. changes_numa.c
 */
long change_numa_scan(void);

/* Why the kernel does not scan here, or NULL. changes_numa.c */
const char *change_why_not_numa_scan(void);

/* Keeps a file descriptor for a span, and returns it. */
void change_keep_fd(uintptr_t at, int fd);
int change_fd(uintptr_t at);

/* Bits of /proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_BIT(nr)		(UINT64_C(1) << (nr))
#define PAGEMAP_SOFT_DIRTY	PAGEMAP_BIT(55)
#define PAGEMAP_UFFD_WP		PAGEMAP_BIT(57)
#define PAGEMAP_SWAPPED		PAGEMAP_BIT(62)
#define PAGEMAP_PRESENT		PAGEMAP_BIT(63)
/* The entry of the page at @addr, 0 if it can't be read */
uint64_t change_pagemap(uintptr_t addr);

/* KiB that /proc/self/smaps says under "@key" for the mapping at @at, or -1 */
long change_smaps(uintptr_t at, const char *key);

/* Runs @fn for each span that is mapped, up to the first that returns an error. */
long change_each(long (*fn)(uintptr_t at));

/* Waits for a daemon of the kernel: 0 when @done returns true, -ETIMEDOUT after 5 s. */
int change_wait(bool (*done)(void));

/*
 * Runs @fn in a child, which has a copy of the victim's mm, and waits for its end.
 * Returns what @fn returned, 0 to 125, or -errno.
 */
long change_in_child(long (*fn)(uintptr_t at), uintptr_t at);

/* For @act: a child sees change_all_filled() in each span that is mapped. */
long change_see_in_child(uintptr_t at);

/* A child with a copy of the victim's mm that lives for as long as the victim */
long change_hold_in_child(uintptr_t at);
/* The word that the child of this span has at @addr, 0 if none */
uintptr_t change_child_word(uintptr_t at, uintptr_t addr);

/*
 * Stays on one CPU, for good: pages in another one's LRU batch can't be reclaimed, nor
 * taken away by who asks for their last reference. 0 or -errno
 */
int change_stay_here(void);

/* Whether the page at @addr is writable: asks the kernel, to get no SIGSEGV. */
bool change_writable(uintptr_t addr);

#endif
