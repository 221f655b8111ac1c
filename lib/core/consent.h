/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine that is not our VM must be asked for. Each returns why not, a
 * constant string for a SKIP, or NULL if it may be done. Our runner sets
 * HMM_NOTIFIER_VM=1 in its guest, which allows everything but a panic.
 */
#ifndef HMM_NOTIFIER_CORE_CONSENT_H
#define HMM_NOTIFIER_CORE_CONSENT_H

/*
 * To provoke a WARN: CI takes each for a bug. Where one is fatal, only with
 * HMM_NOTIFIER_MAY_PANIC=1; nor where it ends somebody's tracing.
 */
const char *consent_why_not_splat(void);

/* To leave a task in state D for ever, as today's kernels do in some tests */
const char *consent_why_not_hang(void);

/*
 * To change what all processes of the machine see until the program ends: sysctls,
 * /sys, swap, controllers of cgroups (lib/core/machine_state.h)
 */
const char *consent_why_not_machine(void);

/* To run a cgroup of ours out of memory */
const char *consent_why_not_oom(void);

/* To run the whole machine out of memory */
const char *consent_why_not_global_oom(void);

#endif
