/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings of the whole machine that changes need, and others that have to be
 * out of the way: daemons that change memory whenever they like. Only with consent,
 * once for all tests of a program, until it ends.
 */
#ifndef HMM_NOTIFIER_CORE_VM_SETTINGS_H
#define HMM_NOTIFIER_CORE_VM_SETTINGS_H

/* For the setup of each test that changes memory */
void vm_settings_start(void);

#endif
