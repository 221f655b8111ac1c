/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counts the splats of a period, and the WARNs of the rule by site. The kernel's log says
 * where each came from; warn_count and the error_report tracepoint say how many there
 * were. All that this kernel has must agree.
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
	unsigned int others;		/* splats of none of these sites */
	char first_other[256];
	unsigned int messages;
	struct warn_message message[WARN_MAX_MESSAGES];
	unsigned int messages_by[2][2];	/* [context][with -EAGAIN] */
	char why[256];			/* explains an error of warn_stop() */
};

struct warn_watch {
	struct kmsg kmsg;
	long count;			/* warn_count at the start, -1: no such file */
	bool trace;			/* the error_report tracepoint can be used */
	unsigned int traced;		/* WARNs read from it, not compared yet */
};

/*
 * The lines of mm/mmu_notifier.c are known for one kernel: that whose source the tests
 * were built with. Returns NULL if it is the running one, or else its "6.12.117".
 */
const char *warn_sites_are_for(void);

/* The lines of a site in mm/mmu_notifier.c. False if this kernel does not have it. */
bool warn_site_lines(enum rule_site site, int *first, int *last);

/*
 * Counts splats from now on. Returns 0 or -errno. A detector that this kernel does not
 * have is no error, see warn_missing().
 */
int warn_start(struct warn_watch *watch);

/* Adds the counts and texts of @from to @to. */
void warn_add(struct warn_report *to, const struct warn_report *from);

/* The names of the detectors that this kernel does not have, "" if it has all */
const char *warn_missing(const struct warn_watch *watch);

/*
 * warn_stop() in two halves, for a caller that reads while splats come.
 *
 * warn_read() adds to @report what the log has, up to and including the first record
 * for which @until (may be NULL) returns true. Returns 1, 0 if that record has not come
 * yet, -EPIPE if some were lost, or another -errno.
 *
 * warn_check() compares @report with the other detectors. Returns 0, and the next
 * period begins; or -EBADMSG if they disagree: warn_read() may add what came since, for
 * another try; or another -errno.
 */
int warn_read(struct warn_watch *watch, struct warn_report *report,
	      bool (*until)(const char *text, void *arg), void *arg);
int warn_check(struct warn_watch *watch, struct warn_report *report);

/*
 * Fills @report with what came since warn_start() or the last warn_stop(), and begins
 * the next period. Returns 0, -EPIPE if the log or the trace lost records, -EBADMSG if
 * the detectors disagree (@report->why says more of both), or another -errno.
 */
int warn_stop(struct warn_watch *watch, struct warn_report *report);
void warn_close(struct warn_watch *watch);

#endif
