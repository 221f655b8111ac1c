// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/start_site.h"
#include "change/window.h"

#define PRESENT		HMM_DMIRROR_ENTRY_PRESENT
#define KEPT		(HMM_DMIRROR_ENTRY_WRITABLE | HMM_DMIRROR_ENTRY_DIRTY | \
			 HMM_DMIRROR_ENTRY_SOFT_DIRTY)
#define TAKES		(HMM_DMIRROR_ENTRY_UFFD_WP | HMM_DMIRROR_ENTRY_PROTNONE)

void window_note(struct window *window, const char *what)
{
	if (!window->wrong++)
		snprintf(window->first_wrong, sizeof(window->first_wrong), "%s", what);
}

static struct window_page *find(struct window *window, uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < window->nr; i++)
		if (window->page[i].before.addr == addr)
			return &window->page[i];
	return NULL;
}

static int add(struct window *window, uintptr_t addr)
{
	addr &= ~(CHANGE_PAGE - 1);
	if (!change_in_spans(addr, addr + 1) || find(window, addr))
		return 0;
	if (window->nr == WINDOW_PAGES)
		return -E2BIG;
	window->page[window->nr++] = (struct window_page) {
		.before = { .addr = addr },
		.known = true,
	};
	return 0;
}

static int look(struct window *window, int device)
{
	unsigned int i, k;

	for (i = 0; i < window->nr; i += HMM_DMIRROR_NR_WATCHED) {
		struct hmm_dmirror_watch watch = { .flags = HMM_DMIRROR_LOOK };
		unsigned int nr = window->nr - i;
		int err;

		if (nr > HMM_DMIRROR_NR_WATCHED)
			nr = HMM_DMIRROR_NR_WATCHED;
		for (k = 0; k < nr; k++)
			watch.entry[k].addr = window->page[i + k].before.addr;
		err = dmirror_watch(device, &watch);
		if (err)
			return err;
		for (k = 0; k < nr; k++)
			window->page[i + k].before = watch.entry[k];
	}
	return 0;
}

int window_open(struct window *window, int device,
		const struct change_expected *expected, unsigned int nr,
		unsigned int watched)
{
	struct hmm_dmirror_watch watch = {};
	unsigned int i;
	int err = 0;

	memset(window, 0, sizeof(*window));
	for (i = 0; i < HMM_DMIRROR_NR_WATCHED && !err; i++) {
		watch.entry[i].addr = change_span(watched) + i * CHANGE_PAGE;
		err = add(window, watch.entry[i].addr);
	}
	for (i = 0; i < nr && !err; i++)
		err = add(window, expected[i].start) ?:
		      add(window, expected[i].end - 1);
	err = err ?: look(window, device);
	for (i = 0; i < window->nr; i++)
		window->page[i].last = window->page[i].before;
	return err ?: dmirror_watch(device, &watch);
}

static void describe(char *text, size_t size, const struct hmm_dmirror_entry *e)
{
	static const char letters[] = "pwdsunxm";
	char flags[sizeof(letters)];
	unsigned int i;

	for (i = 0; letters[i]; i++)
		flags[i] = e->flags & (1U << i) ? letters[i] : '-';
	flags[i] = '\0';
	snprintf(text, size, "%s pfn %#llx level %u", flags,
		 (unsigned long long)e->pfn, e->level);
}

/*
 * What was there and is not, or NULL. More rights may come at any time, and so may
 * something where nothing was, unless that is what is to be told of.
 */
static const char *taken(const struct window_page *page,
			 const struct hmm_dmirror_entry *now, unsigned int leaves)
{
	const struct hmm_dmirror_entry *old = &page->last;

	if (!old->level || !now->level)
		return NULL;
	if (leaves & CHANGE_NO_TABLE && old->level == 1 && now->level > 1)
		return "is without its table";
	if (!old->flags)
		return leaves & CHANGE_FILLED && now->flags ? "is there already" : NULL;
	if (!(old->flags & PRESENT))
		/* In place of what is gone anything may come, after its end. */
		return page->changed || old->flags == now->flags ?
			NULL : "is no more what it was";
	if (!(now->flags & PRESENT))
		return "is gone";
	if (now->pfn != old->pfn)
		return "is another page";
	if (now->level != old->level)
		return "is of another level";
	if (old->flags & ~now->flags & KEPT)
		return "has lost a right";
	return ~old->flags & now->flags & TAKES ? "is protected" : NULL;
}

static void check_kept(struct window *window, const struct window_page *page,
		       const struct hmm_dmirror_entry *now, const char *when,
		       const char *site, unsigned int leaves)
{
	const char *what = taken(page, now, leaves);
	char old[48], new[48], text[sizeof(window->first_wrong)];

	if (!what)
		return;
	describe(old, sizeof(old), &page->last);
	describe(new, sizeof(new), now);
	snprintf(text, sizeof(text), "%s %s %#llx %s: %s, was %s", when, site,
		 (unsigned long long)now->addr, what, new, old);
	window_note(window, text);
}

static const char *site_of(const struct change_expected *expected)
{
	return expected && expected->site >= 0 ?
		start_sites[expected->site].function : "nobody known";
}

static bool in_range(const struct hmm_dmirror_call *call, uintptr_t addr)
{
	return call->start <= addr && addr < call->end;
}

/* A device that does not look must not pass for a kernel that is right. */
static bool is_blind(const struct window *window, const struct hmm_dmirror_seen *seen)
{
	bool can = false;
	unsigned int i;

	for (i = 0; i < window->nr; i++) {
		const struct window_page *page = &window->page[i];

		if (!in_range(&seen->call, page->before.addr))
			continue;
		if (dmirror_seen_of(seen, page->before.addr))
			return false;
		can |= page->before.level > 0;
	}
	return can;
}

void window_start(struct window *window, const struct hmm_dmirror_seen *seen,
		  const struct change_expected *expected, bool ends)
{
	unsigned int i;

	if (is_blind(window, seen))
		window_note(window, "nothing was seen at a start");
	for (i = 0; i < window->nr; i++) {
		struct window_page *page = &window->page[i];
		const struct hmm_dmirror_entry *now =
			dmirror_seen_of(seen, page->before.addr);

		if (!in_range(&seen->call, page->before.addr))
			continue;
		if (page->known && now)
			check_kept(window, page, now, "at the start of",
				   site_of(expected), expected ? expected->leaves : 0);
		page->known &= ends;
	}
}

bool window_is_left(unsigned int leaves, const struct hmm_dmirror_entry *old,
		    const struct hmm_dmirror_entry *now)
{
	bool present = now->flags & PRESENT, same = present && now->pfn == old->pfn;

	if (leaves & CHANGE_FILLED)
		return now->flags;
	if (leaves & CHANGE_NO_TABLE)
		return !present && now->level > 1;
	if (!old->flags)
		return true;
	if (leaves & CHANGE_BACK)
		return present;
	if (leaves & CHANGE_MIGRATING)
		return now->flags & HMM_DMIRROR_ENTRY_MIGRATION;
	if (!(old->flags & PRESENT))
		return true;
	return !((leaves & CHANGE_GONE && present) ||
		 (leaves & CHANGE_ANOTHER && (!present || same)) ||
		 (leaves & CHANGE_NOT_THAT && same) ||
		 (leaves & CHANGE_READONLY && now->flags & HMM_DMIRROR_ENTRY_WRITABLE) ||
		 (leaves & CHANGE_CLEAN && now->flags & HMM_DMIRROR_ENTRY_DIRTY) ||
		 (leaves & CHANGE_SOFT_CLEAN && now->flags & HMM_DMIRROR_ENTRY_SOFT_DIRTY) ||
		 (leaves & CHANGE_UFFD_WP && !(now->flags & HMM_DMIRROR_ENTRY_UFFD_WP)) ||
		 (leaves & CHANGE_SPLIT && now->level >= old->level));
}

bool window_end(struct window *window, const struct hmm_dmirror_seen *seen,
		const struct change_expected *expected, char *why, size_t size)
{
	char old[48], new[48];
	bool good = true;
	unsigned int i;

	if (is_blind(window, seen))
		window_note(window, "nothing was seen at an end");
	for (i = 0; i < window->nr; i++) {
		struct window_page *page = &window->page[i];
		const struct hmm_dmirror_entry *now =
			dmirror_seen_of(seen, page->before.addr);

		if (!in_range(&seen->call, page->before.addr))
			continue;
		page->known = now;
		if (!now)
			continue;
		if (good && !window_is_left(expected->leaves, &page->before, now)) {
			describe(old, sizeof(old), &page->before);
			describe(new, sizeof(new), now);
			snprintf(why, size, "at the end of %s %#llx is still %s, was %s",
				 site_of(expected), (unsigned long long)now->addr, new, old);
			good = false;
		}
		page->changed |= page->last.flags != now->flags ||
				 page->last.pfn != now->pfn;
		page->last = *now;
	}
	return good;
}

void window_forget(struct window *window, uintptr_t start, uintptr_t end)
{
	unsigned int i;

	for (i = 0; i < window->nr; i++)
		if (start <= window->page[i].before.addr && window->page[i].before.addr < end)
			window->page[i].known = false;
}

int window_close(struct window *window, int device)
{
	struct window now = *window;
	unsigned int i;
	int err = look(&now, device);

	/* The mm has ended. */
	if (err == -ESRCH)
		return 0;
	for (i = 0; i < window->nr && !err; i++)
		if (window->page[i].known)
			check_kept(window, &window->page[i], &now.page[i].before,
				   "after the last end", "of all", 0);
	return err;
}
