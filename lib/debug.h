/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of its checks this kernel was built with, found without its config.
 */
#ifndef HMM_NOTIFIER_DEBUG_H
#define HMM_NOTIFIER_DEBUG_H

#include <stdbool.h>

/* Of sleeping where that is not allowed: CONFIG_DEBUG_ATOMIC_SLEEP */
bool debug_sees_sleep(void);

/* Of locks and of allocations beside them: lockdep, and it is not off yet */
bool debug_sees_locks(void);

#endif
