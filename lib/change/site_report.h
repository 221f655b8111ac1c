/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which call sites have been entered, over all tests of a program. At its end it
 * prints one line for each:
 *   # callsite: <function> triggered=<n> failed=<n> verdict=<ok|fail|lacks ...>
 */
#ifndef HMM_NOTIFIER_CHANGE_SITE_REPORT_H
#define HMM_NOTIFIER_CHANGE_SITE_REPORT_H

#include <stdbool.h>

#include "change/check_starts.h"

/* Has the table printed at the end of the program, if some test adds to it. */
void site_report_start(void);

/* @change is about to be made, its callers noted; or it can't be. */
void site_report_begin(const struct change *change);
void site_report_lacks(const struct change *change, const char *why);

/* It has been, and nothing of it was wrong, or something. */
void site_report_end(const struct change *change, const struct check_starts *starts,
		     bool failed, bool good);

/* Whether the table of changes has one that goes to a call site of this kernel */
bool site_report_has_change(unsigned int site);

#endif
