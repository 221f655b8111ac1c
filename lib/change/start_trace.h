/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which functions of the kernel start invalidations: the function tracer notes
 * who calls __mmu_notifier_invalidate_range_start(). The kernel calls that for
 * an mm with notifiers only, so what is noted belongs to a victim's mm, whoever
 * it is that changes it, ksmd and khugepaged too.
 */
#ifndef HMM_NOTIFIER_CHANGE_START_TRACE_H
#define HMM_NOTIFIER_CHANGE_START_TRACE_H

struct start_trace_caller {
	char name[64];
};

/*
 * Starts noting, in a trace instance of our own, with the first test of a program that
 * asks: it stops the machine. Returns 0, or -errno if this kernel can't
 * (CONFIG_FUNCTION_TRACER).
 */
int start_trace_start(void);

/*
 * Takes up to @max callers since the last call, in order, without the suffixes
 * that a compiler adds (.isra.0). Returns how many, -EPIPE if some were lost,
 * -E2BIG if there are more, -ENOENT if nothing is noted.
 */
int start_trace_take(struct start_trace_caller *callers, int max);

#endif
