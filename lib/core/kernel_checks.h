/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of its checks this kernel was built with, found without its config.
 */
#ifndef HMM_NOTIFIER_CORE_KERNEL_CHECKS_H
#define HMM_NOTIFIER_CORE_KERNEL_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

/* Of sleeping where that is not allowed: CONFIG_DEBUG_ATOMIC_SLEEP */
bool kernel_checks_sleep(void);

/* Of locks and of allocations beside them: CONFIG_PROVE_LOCKING */
bool kernel_has_lockdep(void);

/* The same, and it is not off yet: it reports once. */
bool kernel_checks_locks(void);

/* What lockdep has reported, as far as the log goes back, or why that is not known */
void kernel_lockdep_report(char *text, size_t size);

#endif
