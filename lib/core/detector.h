/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways in which a machine sees a WARN, each by itself.
 */
#ifndef HMM_NOTIFIER_CORE_DETECTOR_H
#define HMM_NOTIFIER_CORE_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>

/* /sys/kernel/warn_count, or -1: there is none (before 6.2) */
long detector_warn_count(void);

/*
 * Traces error_report_end from the first call of a program on. Says whether that can
 * be had.
 */
bool detector_trace_start(void);

/*
 * How many WARNs were traced since the last call, -EPIPE if records were lost,
 * or -errno.
 */
int detector_trace_read(void);

/* 1 if a WARN has tainted the kernel since it booted, 0 if none has, or -1 */
int detector_taint(void);

/*
 * Whether one line of the console is what syzkaller, among others, takes for the
 * head of a report; the title of that is then "WARNING in <function>".
 */
bool detector_title(const char *text, char *title, size_t size);

#endif
