/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings of the machine that changes of memory need, or that keep daemons of the
 * kernel from making changes of their own. They are set once, until the program ends,
 * and with consent only (consent_why_not_machine()).
 */
#ifndef HMM_NOTIFIER_CORE_VM_SETTINGS_H
#define HMM_NOTIFIER_CORE_VM_SETTINGS_H

/* For the setup of each test that changes memory */
void vm_settings_start(void);

#endif
