// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "change/check_starts.h"
#include "change/start_site.h"
#include "change/start_trace.h"

static struct hmm_dmirror_seen seen[HMM_DMIRROR_NR_CALLS];
static struct start_trace_caller callers[HMM_DMIRROR_NR_CALLS];
static bool claimed[HMM_DMIRROR_NR_CALLS];

static bool is_same(const struct change_expected *e,
		    const struct hmm_dmirror_call *call)
{
	return e->event == call->event && e->start == call->start &&
	       e->end == call->end;
}

static bool in_spans(const struct hmm_dmirror_call *call)
{
	return change_in_spans(call->start, call->end);
}

static void note_strange(struct check_starts *starts, const char *what,
			 const struct hmm_dmirror_call *call, const char *caller)
{
	if (!starts->strange++)
		snprintf(starts->first_strange, sizeof(starts->first_strange),
			 "%s: event %u of %#llx to %#llx, %sblockable, by %.60s",
			 what, call->event, (unsigned long long)call->start,
			 (unsigned long long)call->end,
			 dmirror_context(call) == RULE_BLOCKABLE ? "" : "non-", caller);
}

/* What is repeated has ended first. */
static bool is_open(const struct check_starts *starts, int i)
{
	return starts->flags & CHECK_STARTS_ENDS && starts->ends[i] < starts->starts[i];
}

/* The index of the first expected one that was not seen yet, or of the last one seen */
static int find_start(const struct check_starts *starts,
		      const struct hmm_dmirror_call *call, bool repeats)
{
	int last = -1;
	unsigned int i;

	for (i = 0; i < starts->nr; i++) {
		if (!is_same(&starts->expected[i], call))
			continue;
		if (!starts->starts[i])
			return i;
		last = i;
	}
	return repeats && last >= 0 && !is_open(starts, last) ? last : -1;
}

/*
 * The index of the last one that was started and not ended: of nested ones, the inner
 * ends first. An end too many (BUG_RANGE_END_TWICE) counts for the last one, too.
 */
static int find_end(const struct check_starts *starts,
		    const struct hmm_dmirror_call *call)
{
	unsigned int times;
	int i;

	for (times = 1; times <= 2; times++)
		for (i = starts->nr - 1; i >= 0; i--)
			if (is_same(&starts->expected[i], call) &&
			    starts->ends[i] < times * starts->starts[i])
				return i;
	return -1;
}

static const char *caller_of(int site, int at, int nr, unsigned int change)
{
	int i;

	for (i = 0; change & CHANGE_REPEATS && site >= 0 && i < nr; i++)
		if (!claimed[i] && start_site_is(&start_sites[site], callers[i].name)) {
			claimed[i] = true;
			return callers[i].name;
		}
	return callers[at].name;
}

static void note_wrong(struct check_starts *starts, const char *function,
		       const char *caller)
{
	if (!starts->wrong_callers++)
		snprintf(starts->first_wrong, sizeof(starts->first_wrong),
			 "%.60s was to start it, %.60s did", function,
			 caller);
}

static void check_callers(struct check_starts *starts, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!start_site_known(callers[i].name))
			note_wrong(starts, "a callsite in the table",
				   callers[i].name);
}

static const char *site_of(const struct check_starts *starts, int expected)
{
	int site = expected < 0 ? -1 : starts->expected[expected].site;

	return site < 0 ? "nobody known" : start_sites[site].function;
}

/* Who reads by the mirror's interval has to know from the start on, up to the end. */
static void check_retry(struct check_starts *starts, const struct hmm_dmirror_call *call,
			const char *site)
{
	char text[120];

	if (!(starts->flags & CHECK_STARTS_MIRROR) ||
	    call->flags & HMM_DMIRROR_CALL_WAS_RETRY)
		return;
	snprintf(text, sizeof(text), "at the %s of %s a reader need not retry",
		 call->call == HMM_DMIRROR_CALL_END ? "end" : "start", site);
	window_note(&starts->window, text);
}

static void take_start(struct check_starts *starts,
		       const struct hmm_dmirror_seen *record, int at,
		       int nr_callers, unsigned int change)
{
	const struct hmm_dmirror_call *call = &record->call;
	enum rule_context context = change & CHANGE_NON_BLOCKABLE ?
		RULE_NON_BLOCKABLE : RULE_BLOCKABLE;
	const char *caller = "";
	int i, site;

	if (!in_spans(call))
		return;
	i = find_start(starts, call, change & CHANGE_REPEATS);
	site = i < 0 ? -1 : starts->expected[i].site;
	if (at >= 0)
		caller = caller_of(site, at, nr_callers, change);
	if (i < 0 || dmirror_context(call) != context) {
		note_strange(starts, "start", call, caller);
		return;
	}
	check_retry(starts, call, site_of(starts, i));
	/* With ->release no entry is logged. */
	if (call->call == HMM_DMIRROR_CALL_START)
		window_start(&starts->window, record, &starts->expected[i],
			     starts->flags & CHECK_STARTS_ENDS);
	starts->starts[i]++;
	starts->hits[i] += !!(call->flags & HMM_DMIRROR_CALL_WAS_HIT);
	if (*caller && site >= 0 && !start_site_is(&start_sites[site], caller))
		note_wrong(starts, start_sites[site].function, caller);
}

static void take_end(struct check_starts *starts,
		     const struct hmm_dmirror_seen *record)
{
	const struct hmm_dmirror_call *call = &record->call;
	int i;

	if (!in_spans(call))
		return;
	i = find_end(starts, call);
	if (i < 0) {
		note_strange(starts, "end", call, "nobody known");
		return;
	}
	starts->ends[i]++;
	check_retry(starts, call, site_of(starts, i));
	starts->left[i] = window_end(&starts->window, record, &starts->expected[i],
				     starts->first_not_left,
				     sizeof(starts->first_not_left));
}

/*
 * What was repeated, or is ended twice (BUG_RANGE_END_TWICE), is as it has to be at the
 * last end. A non-blockable start that failed has changed nothing at its end.
 */
static void check_left(struct check_starts *starts, unsigned int change)
{
	unsigned int i;

	for (i = 0; i < starts->nr; i++) {
		if (starts->ends[i] && !starts->left[i] &&
		    !(change & CHANGE_NON_BLOCKABLE && starts->hits[i]))
			starts->not_left++;
		if (is_open(starts, i))
			window_forget(&starts->window, starts->expected[i].start,
				      starts->expected[i].end);
	}
}

/* ->release and its interval counterpart come without a start. */
static bool has_caller(const struct hmm_dmirror_call *call)
{
	return call->call == HMM_DMIRROR_CALL_START &&
	       call->event != HMM_DMIRROR_EVENT_RELEASE;
}

static int starts_of(unsigned int id, int nr)
{
	int i, starts = 0;

	for (i = 0; i < nr; i++)
		starts += seen[i].call.id == id && has_caller(&seen[i].call);
	return starts;
}

static int ends_of(unsigned int id, int nr)
{
	int i, ends = 0;

	for (i = 0; i < nr; i++)
		ends += seen[i].call.id == id &&
			seen[i].call.call == HMM_DMIRROR_CALL_END;
	return ends;
}

/*
 * Reads calls and callers until each start has its caller and its end: an invalidation
 * may begin between the two readings, as NUMA balancing's or compaction's. A dead mm
 * has no end, and its notifier misses starts. Returns how many calls there
 * are, or -errno. What does not match after half a second is left to callers_match().
 */
static int take_all(int device, unsigned int id, unsigned int change,
		    int *nr_callers)
{
	int nr = 0, got, ends, tries;

	*nr_callers = 0;
	for (tries = 0;; tries++) {
		got = dmirror_seen(device, seen + nr, HMM_DMIRROR_NR_CALLS - nr);
		if (got < 0)
			return got;
		nr += got;
		got = start_trace_take(callers + *nr_callers,
				       HMM_DMIRROR_NR_CALLS - *nr_callers);
		if (got < 0) {
			*nr_callers = got;
			return got == -ENOENT ? nr : got;
		}
		*nr_callers += got;
		ends = change & CHANGE_REPEATS ? ends_of(id, nr) : 0;
		if (change & CHANGE_ENDS_MM || tries == 50 ||
		    (starts_of(id, nr) == *nr_callers &&
		     (!ends || ends >= *nr_callers)))
			return nr;
		usleep(10000);
	}
}

/*
 * Each start has one caller. Only a notifier that was released is not called for later
 * ones. If there is one too many, it is the last, most of the time.
 */
static bool callers_match(struct check_starts *starts, const struct change *change,
			  unsigned int id, int nr, int nr_callers)
{
	int wanted = starts_of(id, nr);

	if (wanted == nr_callers ||
	    (change->flags & CHANGE_ENDS_MM && wanted < nr_callers))
		return true;
	starts->wrong_callers++;
	snprintf(starts->first_wrong, sizeof(starts->first_wrong),
		 "%d starts were seen, %d traced, the last one by %s", wanted,
		 nr_callers, nr_callers ? callers[nr_callers - 1].name : "nobody");
	return false;
}

int check_starts_take(struct check_starts *starts, int device, unsigned int id,
		      const struct change *change)
{
	int i, nr, nr_callers, next = 0;

	nr = take_all(device, id, change->flags, &nr_callers);
	if (nr < 0)
		return nr;
	starts->has_callers = nr_callers >= 0 &&
			       callers_match(starts, change, id, nr, nr_callers);

	if (starts->has_callers)
		check_callers(starts, nr_callers);
	memset(claimed, 0, sizeof(claimed));

	for (i = 0; i < nr; i++) {
		int at = -1;

		if (seen[i].call.id != id) {
			int told = find_start(starts, &seen[i].call, true);

			if (seen[i].call.call == HMM_DMIRROR_CALL_START)
				window_start(&starts->window, &seen[i], told < 0 ? NULL :
					     &starts->expected[told], true);
			continue;
		}
		if (starts->has_callers && has_caller(&seen[i].call))
			at = next++;
		if (seen[i].call.call == HMM_DMIRROR_CALL_END)
			take_end(starts, &seen[i]);
		else if (seen[i].call.call != HMM_DMIRROR_CALL_FINISH)
			take_start(starts, &seen[i], at, nr_callers,
				   change->flags);
	}
	check_left(starts, change->flags);
	return window_close(&starts->window, device);
}

/* Forgets what has been seen so far. */
static int reset(int device)
{
	int err = dmirror_seen(device, seen, HMM_DMIRROR_NR_CALLS);

	if (err < 0 && err != -EOVERFLOW)
		return err;
	err = start_trace_take(callers, HMM_DMIRROR_NR_CALLS);
	return err == -ENOENT || err == -E2BIG || err >= 0 ? 0 : err;
}

int check_starts_begin(struct check_starts *starts, int device,
		       const struct change *change, unsigned int spans,
		       unsigned int watched, unsigned int flags)
{
	int nr, err;

	memset(starts, 0, sizeof(*starts));
	starts->flags = flags;
	nr = change_expect(change, spans, starts->expected, CHECK_STARTS_MAX);
	if (nr < 0)
		return nr;
	starts->nr = nr;
	err = window_open(&starts->window, device, starts->expected, nr, watched);
	return err ?: reset(device);
}
