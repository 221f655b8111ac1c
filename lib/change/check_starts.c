// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "change/check_starts.h"
#include "change/start_site.h"
#include "change/start_trace.h"

static struct hmm_dmirror_call calls[HMM_DMIRROR_NR_CALLS];
static struct caller callers[HMM_DMIRROR_NR_CALLS];
static bool claimed[HMM_DMIRROR_NR_CALLS];

static bool is_same(const struct change_expected *e,
		    const struct hmm_dmirror_call *call)
{
	return e->event == call->event && e->start == call->start &&
	       e->end == call->end;
}

static bool in_regions(const struct hmm_dmirror_call *call)
{
	return call->start < CHANGE_END && call->end > CHANGE_BASE;
}

static void note_strange(struct account *account, const char *what,
			 const struct hmm_dmirror_call *call, const char *caller)
{
	if (!account->strange++)
		snprintf(account->first_strange, sizeof(account->first_strange),
			 "%s: event %u of %#llx to %#llx, %sblockable, by %.60s",
			 what, call->event, (unsigned long long)call->start,
			 (unsigned long long)call->end,
			 call->flags & HMM_DMIRROR_CALL_WAS_BLOCKABLE ?
			 "" : "non-", caller);
}

/* The first of these that was not seen yet, or the last one seen */
static int find_start(const struct account *account,
		      const struct hmm_dmirror_call *call, bool repeats)
{
	int last = -1;
	unsigned int i;

	for (i = 0; i < account->nr; i++) {
		if (!is_same(&account->expected[i], call))
			continue;
		if (!account->starts[i])
			return i;
		last = i;
	}
	return repeats ? last : -1;
}

/*
 * The last of these that was started and not ended, as the one inside the other
 * ends first. What is ended twice (BUG_RANGE_END_TWICE) is the last one, too.
 */
static int find_end(const struct account *account,
		    const struct hmm_dmirror_call *call)
{
	unsigned int times;
	int i;

	for (times = 1; times <= 2; times++)
		for (i = account->nr - 1; i >= 0; i--)
			if (is_same(&account->expected[i], call) &&
			    account->ends[i] < times * account->starts[i])
				return i;
	return -1;
}

static const char *caller_of(int site, int at, int nr, unsigned int change)
{
	int i;

	for (i = 0; change & CHANGE_REPEATS && site >= 0 && i < nr; i++)
		if (!claimed[i] && callsite_is(&callsites[site], callers[i].name)) {
			claimed[i] = true;
			return callers[i].name;
		}
	return callers[at].name;
}

static void note_wrong(struct account *account, const char *function,
		       const char *caller)
{
	if (!account->wrong_callers++)
		snprintf(account->first_wrong, sizeof(account->first_wrong),
			 "%.60s was to start it, %.60s did", function,
			 caller);
}

static void check_callers(struct account *account, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!callsite_known(callers[i].name))
			note_wrong(account, "a callsite in the table",
				   callers[i].name);
}

static void take_start(struct account *account,
		       const struct hmm_dmirror_call *call, int at,
		       int nr_callers, unsigned int change)
{
	bool blockable = call->flags & HMM_DMIRROR_CALL_WAS_BLOCKABLE;
	const char *caller = "";
	int i, site;

	if (!in_regions(call))
		return;
	i = find_start(account, call, change & CHANGE_REPEATS);
	site = i < 0 ? -1 : account->expected[i].site;
	if (at >= 0)
		caller = caller_of(site, at, nr_callers, change);
	if (i < 0 || blockable != !(change & CHANGE_NON_BLOCKABLE)) {
		note_strange(account, "start", call, caller);
		return;
	}
	account->starts[i]++;
	account->hits[i] += !!(call->flags & HMM_DMIRROR_CALL_WAS_HIT);
	if (*caller && site >= 0 && !callsite_is(&callsites[site], caller))
		note_wrong(account, callsites[site].function, caller);
}

static void take_end(struct account *account,
		     const struct hmm_dmirror_call *call)
{
	int i;

	if (!in_regions(call))
		return;
	i = find_end(account, call);
	if (i < 0)
		note_strange(account, "end", call, "nobody known");
	else
		account->ends[i]++;
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
		starts += calls[i].id == id && has_caller(&calls[i]);
	return starts;
}

static int ends_of(unsigned int id, int nr)
{
	int i, ends = 0;

	for (i = 0; i < nr; i++)
		ends += calls[i].id == id &&
			calls[i].call == HMM_DMIRROR_CALL_END;
	return ends;
}

/*
 * Reads calls and callers until each start has its caller and no end is due. NUMA
 * balancing goes on in its own time, and may begin an invalidation between the two
 * readings. Returns how many calls there are; what does not match within half a
 * second is told by callers_match().
 */
static int take_all(int device, unsigned int id, unsigned int change,
		    int *nr_callers)
{
	int nr = 0, got, ends, tries;

	*nr_callers = 0;
	for (tries = 0;; tries++) {
		got = dmirror_calls(device, calls + nr,
				    HMM_DMIRROR_NR_CALLS - nr);
		if (got < 0)
			return got;
		nr += got;
		got = callers_take(callers + *nr_callers,
				   HMM_DMIRROR_NR_CALLS - *nr_callers);
		if (got < 0) {
			*nr_callers = got;
			return got == -ENOENT ? nr : got;
		}
		*nr_callers += got;
		ends = ends_of(id, nr);
		if (!(change & CHANGE_REPEATS) || tries == 50 ||
		    (starts_of(id, nr) == *nr_callers &&
		     (!ends || ends >= *nr_callers)))
			return nr;
		usleep(10000);
	}
}

/*
 * Each call has one caller, but a notifier that has been released is not called
 * for what comes after. The last caller is the one too many, most of the time.
 */
static bool callers_match(struct account *account, const struct change *change,
			  unsigned int id, int nr, int nr_callers)
{
	int wanted = starts_of(id, nr);

	if (wanted == nr_callers ||
	    (change->flags & CHANGE_ENDS_MM && wanted < nr_callers))
		return true;
	account->wrong_callers++;
	snprintf(account->first_wrong, sizeof(account->first_wrong),
		 "%d starts were seen, %d traced, the last one by %s", wanted,
		 nr_callers, nr_callers ? callers[nr_callers - 1].name : "nobody");
	return false;
}

int account_take(struct account *account, int device, unsigned int id,
		 const struct change *change, unsigned int regions)
{
	int i, nr, nr_callers, next = 0;

	memset(account, 0, sizeof(*account));
	nr = change_expect(change, regions, account->expected, ACCOUNT_MAX);
	if (nr < 0)
		return nr;
	account->nr = nr;

	nr = take_all(device, id, change->flags, &nr_callers);
	if (nr < 0)
		return nr;
	account->has_callers = nr_callers >= 0 &&
			       callers_match(account, change, id, nr, nr_callers);

	if (account->has_callers)
		check_callers(account, nr_callers);
	memset(claimed, 0, sizeof(claimed));

	for (i = 0; i < nr; i++) {
		int at = -1;

		if (calls[i].id != id)
			continue;
		if (account->has_callers && has_caller(&calls[i]))
			at = next++;
		if (calls[i].call == HMM_DMIRROR_CALL_END)
			take_end(account, &calls[i]);
		else if (calls[i].call != HMM_DMIRROR_CALL_FINISH)
			take_start(account, &calls[i], at, nr_callers,
				   change->flags);
	}
	return 0;
}

int account_reset(int device)
{
	int err = dmirror_calls(device, calls, HMM_DMIRROR_NR_CALLS);

	if (err < 0 && err != -EOVERFLOW)
		return err;
	err = callers_take(callers, HMM_DMIRROR_NR_CALLS);
	return err == -ENOENT || err == -E2BIG || err >= 0 ? 0 : err;
}
