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
void coverage_start(void);

/* @change is about to be made, its callers noted; or it can't be. */
void coverage_begin(const struct change *change);
void coverage_lacks(const struct change *change, const char *why);

/* It has been, and nothing of it was wrong, or something. */
void coverage_end(const struct change *change, const struct account *account,
		  bool failed, bool good);

/* Whether the table of changes has one that goes to a call site of this kernel */
bool coverage_has_change(unsigned int site);

#endif
