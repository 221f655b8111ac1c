/* SPDX-License-Identifier: GPL-2.0 */
/*
 * May a test do that to this machine? Each function returns why not, a constant
 * string for a SKIP, or NULL if it may. On a machine that is not our VM, environment
 * variables give the consent. Our runner sets HMM_NOTIFIER_VM=1 in its guest, which
 * allows everything but a panic.
 */
#ifndef HMM_NOTIFIER_CORE_CONSENT_H
#define HMM_NOTIFIER_CORE_CONSENT_H

/*
 * To provoke a WARN, which CI takes for a bug. Where a WARN panics or stops all
 * tracing, only with HMM_NOTIFIER_MAY_PANIC=1.
 */
const char *consent_why_not_splat(void);

/* To leave a task in state D for ever, as kernels with known bugs do */
const char *consent_why_not_hang(void);

/*
 * To change what all processes see, until the program ends: sysctls, /sys, swap,
 * cgroup controllers (lib/core/machine_state.h)
 */
const char *consent_why_not_machine(void);

/* To run a cgroup of ours out of memory */
const char *consent_why_not_oom(void);

/* To run the whole machine out of memory */
const char *consent_why_not_global_oom(void);

#endif
