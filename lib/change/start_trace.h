/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which functions of the kernel start invalidations: the function tracer records the
 * callers of __mmu_notifier_invalidate_range_start(). The kernel calls that only for an
 * mm with notifiers, so each record is about a victim's mm, also if ksmd or khugepaged
 * changes it.
 */
#ifndef HMM_NOTIFIER_CHANGE_START_TRACE_H
#define HMM_NOTIFIER_CHANGE_START_TRACE_H

struct start_trace_caller {
	char name[64];
};

/*
 * Starts the tracer, in a trace instance of our own. Only the first call of a program
 * does it, as that stops the machine for a moment. Returns 0, or -errno if this kernel
 * can't (CONFIG_FUNCTION_TRACER).
 */
int start_trace_start(void);

/*
 * Takes up to @max callers since the last call, in order, without the suffixes
 * that a compiler adds (.isra.0). Returns how many, -EPIPE if some were lost,
 * -E2BIG if there are more, -ENOENT if the tracer was not started.
 */
int start_trace_take(struct start_trace_caller *callers, int max);

#endif
