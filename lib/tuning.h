/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings of the whole machine that changes need, and others that have to be
 * out of the way: daemons that change memory whenever they like. Only in our own
 * VM, once for all tests of a program.
 */
#ifndef HMM_NOTIFIER_TUNING_H
#define HMM_NOTIFIER_TUNING_H

void tuning_start(void);
/* Puts everything back. */
void tuning_stop(void);

#endif
