/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program of tests/unit may have in place of a function that lib/ calls: it
 * defines __wrap_NAME(), and is linked with --wrap=NAME.
 */
#ifndef HMM_NOTIFIER_WRAPS_H
#define HMM_NOTIFIER_WRAPS_H

#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

struct warn_report;
struct warn_watch;

int __wrap_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __real_vsnprintf(char *text, size_t size, const char *format, va_list args);
int __wrap_vsnprintf(char *text, size_t size, const char *format, va_list args);

int __wrap_getpagesize(void);
int __wrap_dmirror_open(const char *node);
int __wrap_warn_read(struct warn_watch *watch, struct warn_report *report,
		     bool (*until)(const char *text, void *arg), void *arg);
int __wrap_warn_check(struct warn_watch *watch, struct warn_report *report);

#endif
