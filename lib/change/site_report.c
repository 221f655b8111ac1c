// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/changes.h"
#include "change/site_report.h"
#include "change/start_site.h"
#include "change/start_trace.h"

#define MAX_SITES 64

/* Shared by all processes, each of which adds to it. */
struct row {
	unsigned int begun, ended;	/* tests */
	unsigned int bad;
	unsigned int triggered, failed;	/* invalidations */
	const char *why_not;
};

static struct table {
	bool wanted;		/* by some test */
	bool callers_known;
	struct row rows[MAX_SITES];
} *table;

static pid_t owner;

#define ADDRESS_OF(name) &change_##name,
static const struct change * const changes[] = {
	CHANGES(ADDRESS_OF) CHANGES_ENDING(ADDRESS_OF) CHANGES_FROZEN(ADDRESS_OF)
};

static const char *verdict(const struct start_site *site, const struct row *row)
{
	if (row->bad || row->begun != row->ended)
		return "fail";
	if (row->triggered)
		return table->callers_known ? "ok" : "ok, but nothing tells who did it";
	if (site->hardware)
		return "lacks hardware";
	if (kernel_version() < site->since)
		return "lacks it";
	return row->why_not ? "not reached" : "not tested";
}

static void print(void)
{
	const struct row *rows = table->rows;
	unsigned int i;

	if (getpid() != owner || !table->wanted)
		return;
	for (i = 0; i < start_sites_nr; i++) {
		const struct start_site *site = &start_sites[i];
		const char *what = site->hardware ?: rows[i].why_not ?: "";

		printf("# callsite: %s triggered=%u failed=%u verdict=%s%s%s\n",
		       site->function, rows[i].triggered, rows[i].failed,
		       verdict(site, &rows[i]),
		       rows[i].triggered || !*what ? "" : ": ",
		       rows[i].triggered ? "" : what);
	}
}

void site_report_start(void)
{
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED || start_sites_nr > MAX_SITES)
		abort();
	owner = getpid();
	atexit(print);
}

typedef void row_fn(struct row *row, const char *why);

/* Calls @fn for the row of each site that @change goes to in this kernel. */
static void on_each_row(const struct change *change, row_fn *fn,
			const char *why)
{
	unsigned int i;

	table->wanted = true;
	for (i = 0; i < CHANGE_MAX_CALLS; i++)
		if (change->calls[i].site &&
		    start_site_find(change->calls[i].site) >= 0)
			fn(&table->rows[start_site_find(change->calls[i].site)], why);
}

static void begin_row(struct row *row, const char *why)
{
	(void)why;
	row->begun++;
}

static void why_not_row(struct row *row, const char *why)
{
	row->why_not = why;
}

void site_report_begin(const struct change *change)
{
	table->callers_known = !start_trace_start();
	on_each_row(change, begin_row, NULL);
}

void site_report_why_not(const struct change *change, const char *why)
{
	on_each_row(change, why_not_row, why);
}

static void end_row(struct row *row, const char *why)
{
	row->ended++;
	row->bad += !!why;
}

void site_report_end(const struct change *change, const struct check_starts *starts,
		     bool failed, bool good)
{
	unsigned int i;

	on_each_row(change, end_row, good ? NULL : "bad");
	for (i = 0; i < starts->nr; i++) {
		int site = starts->expected[i].site;

		if (site < 0)
			continue;
		table->rows[site].triggered += starts->starts[i];
		table->rows[site].failed += failed ? starts->hits[i] : 0;
	}
}

bool site_report_has_change(unsigned int site)
{
	unsigned int i, k;

	if (start_sites[site].hardware || kernel_version() < start_sites[site].since)
		return true;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		for (k = 0; k < CHANGE_MAX_CALLS; k++)
			if (changes[i]->calls[k].site &&
			    start_site_find(changes[i]->calls[k].site) == (int)site)
				return true;
	return false;
}
