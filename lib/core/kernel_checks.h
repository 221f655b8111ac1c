/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The debugging checks that this kernel was built with, found without its config.
 */
#ifndef HMM_NOTIFIER_CORE_KERNEL_CHECKS_H
#define HMM_NOTIFIER_CORE_KERNEL_CHECKS_H

#include <stdbool.h>

/* Does it report a sleep in atomic context? CONFIG_DEBUG_ATOMIC_SLEEP */
bool kernel_checks_sleep(void);

/* Does it check locks, and what is allocated under them? CONFIG_PROVE_LOCKING */
bool kernel_has_lockdep(void);

/* Does it still? lockdep turns itself off after its first report. */
bool kernel_checks_locks(void);

/* Of lockdep's report of one lock that closes a circle; "" is what it does not have. */
struct lockdep_report {
	char title[128];	/* if the log still has it; else a text that says so */
	char wanted[256];	/* that lock, "ADDRESS (NAME){...}, at: FUNCTION+..." */
	char held[256];		/* the lock that is held meanwhile */
};

void kernel_lockdep_report(struct lockdep_report *report);

#endif
