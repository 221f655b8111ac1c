/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of the kernel that start an invalidation: all of those outside
 * drivers. "make start_sites KDIR=" compares the table with a kernel's source.
 */
#ifndef HMM_NOTIFIER_CHANGE_START_SITE_H
#define HMM_NOTIFIER_CHANGE_START_SITE_H

#include <stdbool.h>

struct start_site {
	const char *file;
	const char *function;
	const char *was[2];		/* its name in older kernels */
	const char *inlined[6];		/* what compilers make it a part of */
	unsigned int since;		/* sysfile.h LINUX_VERSION(), 0: before 6.1 */
	const char *hardware;		/* what it takes that a VM has not */
};

extern const struct start_site start_sites[];
extern const unsigned int start_sites_nr;

/* Its index, or -1 */
int start_site_find(const char *function);

/*
 * Whether @caller, a symbol of the running kernel, is the function, or what it
 * was inlined into. The latter may be said of more than one.
 */
bool start_site_is(const struct start_site *site, const char *caller);

/* Whether @caller is one that the table knows */
bool start_site_known(const char *caller);

#endif
