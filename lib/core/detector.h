/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The detectors of a WARN that a machine has, one by one. lib/core/warn.h combines them.
 */
#ifndef HMM_NOTIFIER_CORE_DETECTOR_H
#define HMM_NOTIFIER_CORE_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>

/* /sys/kernel/warn_count, or -1 if there is none (before 6.2) */
long detector_warn_count(void);

/*
 * Traces error_report_end from a program's first call on. False if this kernel can't.
 */
bool detector_trace_start(void);

/*
 * How many WARNs were traced since the last call, -EPIPE if records were lost,
 * or -errno.
 */
int detector_trace_read(void);

/* 1 if a WARN has tainted the kernel since it booted, 0 if none has, -1 if unknown */
int detector_taint(void);

/*
 * Whether syzkaller, among others, takes this line of the console for the head of a
 * report. If so, @title gets the report's: "WARNING in <function>".
 */
bool detector_title(const char *text, char *title, size_t size);

#endif
