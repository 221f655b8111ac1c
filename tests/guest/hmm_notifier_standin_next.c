// SPDX-License-Identifier: GPL-2.0
/* The program after the one that hangs: it has to run all the same. */
#include "hmm_notifier_standin.c"
