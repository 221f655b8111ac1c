/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The debugging checks that this kernel was built with, found without its config.
 */
#ifndef HMM_NOTIFIER_CORE_KERNEL_CHECKS_H
#define HMM_NOTIFIER_CORE_KERNEL_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

/* Does it report a sleep in atomic context? CONFIG_DEBUG_ATOMIC_SLEEP */
bool kernel_checks_sleep(void);

/* Does it check locks, and what is allocated under them? CONFIG_PROVE_LOCKING */
bool kernel_has_lockdep(void);

/* Does it still? lockdep turns itself off after its first report. */
bool kernel_checks_locks(void);

/* The title of lockdep's report, if the log still has it; else a text that says so */
void kernel_lockdep_report(char *text, size_t size);

#endif
