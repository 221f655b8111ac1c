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
	const char *inlined[6];		/* functions that it may be inlined into */
	unsigned int since;		/* the first LINUX_VERSION() with it, 0: 6.1 has it */
	const char *hardware;		/* what it needs and no VM has */
};

extern const struct start_site start_sites[];
extern const unsigned int start_sites_nr;

/* The index in start_sites of a function, by its newest name, or -1 */
int start_site_find(const char *function);

/*
 * Whether @caller, a symbol of the running kernel, is the site's function, or one that it
 * may be inlined into, which several sites can be.
 */
bool start_site_is(const struct start_site *site, const char *caller);

/* Whether @caller is any site of the table */
bool start_site_known(const char *caller);

#endif
