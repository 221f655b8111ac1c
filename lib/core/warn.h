/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which splats came between two moments, by all the detectors that this kernel
 * has: the log says where, warn_count and the error_report tracepoint how many.
 */
#ifndef HMM_NOTIFIER_CORE_WARN_H
#define HMM_NOTIFIER_CORE_WARN_H

#include <stdbool.h>

#include "core/kmsg.h"
#include "core/rule.h"

#define WARN_MAX_MESSAGES 64

/* "<callback> callback failed with <ret> in [non-]blockable context." */
struct warn_message {
	char callback[64];	/* "function+offset/size [module]" */
	int ret;
	enum rule_context context;
};

struct warn_report {
	unsigned int warns[RULE_NR_SITES];
	unsigned int others;		/* splats that the rule knows nothing of */
	char first_other[256];
	unsigned int messages;
	struct warn_message message[WARN_MAX_MESSAGES];
	unsigned int messages_by[2][2];	/* [context][with -EAGAIN] */
	char why[256];			/* explains an error of warn_stop() */
};

struct warn_watch {
	struct kmsg kmsg;
	long count;			/* warn_count at the start, -1: no such file */
	bool trace;			/* there is an error_report tracepoint */
	unsigned int traced;		/* read from it, not yet accounted for */
};

/*
 * The lines of mm/mmu_notifier.c are known for one kernel: the one whose source
 * the tests were built with. Returns its "6.12.117", or NULL if the running
 * kernel is that one.
 */
const char *warn_sites_are_for(void);

/* Where a site is in mm/mmu_notifier.c. Says whether this kernel has it. */
bool warn_site_lines(enum rule_site site, int *first, int *last);

/*
 * Splats from now on belong to @watch. Returns 0 or -errno. A detector that the
 * kernel lacks is no error, see warn_missing().
 */
int warn_start(struct warn_watch *watch);

/* Adds what @from says to @to. */
void warn_add(struct warn_report *to, const struct warn_report *from);

/* Names the cross-checks that this kernel has not, "" if it has all. */
const char *warn_missing(const struct warn_watch *watch);

/*
 * Adds to @report what came since, up to and including the record of which
 * @until (may be NULL) says true. Returns 1, 0 if that record has not come yet,
 * -EPIPE if some were lost, or -errno. For who tells splats apart by what the
 * log says next, or reads while they come; warn_check() then compares all of
 * them with the other detectors. When they agree it goes on watching from
 * there, when not (-EBADMSG) it can be called again with what came meanwhile.
 */
int warn_read(struct warn_watch *watch, struct warn_report *report,
	      bool (*until)(const char *text, void *arg), void *arg);
int warn_check(struct warn_watch *watch, struct warn_report *report);

/*
 * Fills @report with what came since warn_start(), and goes on watching from
 * here. Returns 0, -EPIPE if the log or the trace lost records, -EBADMSG if the
 * detectors disagree (both with the reason in @report->why), or -errno.
 */
int warn_stop(struct warn_watch *watch, struct warn_report *report);
void warn_close(struct warn_watch *watch);

#endif
