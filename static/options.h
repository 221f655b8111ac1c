/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options of the kernel that have to be so, whatever it is configured for:
 * might_sleep() is a call, and locks are functions and not macros.
 */
#undef CONFIG_DEBUG_ATOMIC_SLEEP
#define CONFIG_DEBUG_ATOMIC_SLEEP 1
#undef CONFIG_PREEMPT_RT
#undef CONFIG_DEBUG_LOCK_ALLOC
#undef CONFIG_JUMP_LABEL
#undef CONFIG_TRACEPOINTS
/* page tables are memory, and not what some assembler reads */
#undef CONFIG_PARAVIRT_XXL

/* Who has no tracepoints can't choose uprobes, and they start invalidations. */
#undef CONFIG_UPROBES
#define CONFIG_UPROBES 1
