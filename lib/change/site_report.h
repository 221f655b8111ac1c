/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which call sites have been entered, over all tests of a program. At its end it
 * prints one line for each:
 *   # callsite: <function> triggered=<n> failed=<n> verdict=<ok|fail|not reached: ...>
 */
#ifndef HMM_NOTIFIER_CHANGE_SITE_REPORT_H
#define HMM_NOTIFIER_CHANGE_SITE_REPORT_H

#include <stdbool.h>

#include "change/check_starts.h"

/* To be called first: has the table printed at exit, if a test has added to it. */
void site_report_start(void);

/* @change is about to be made, with its starts traced; or it can't be, and why. */
void site_report_begin(const struct change *change);
void site_report_why_not(const struct change *change, const char *why);

/* It was made. @failed: with failures; @good: nothing about it was wrong. */
void site_report_end(const struct change *change, const struct check_starts *starts,
		     bool failed, bool good);

/* Whether some change reaches this index of start_sites, or none can on this kernel */
bool site_report_has_change(unsigned int site);

#endif
