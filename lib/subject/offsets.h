/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the members of the kernel's structs are that probes look at: as the kernel's own
 * BTF says, or, where it has none, as it was in the version that it says it is.
 */
#ifndef HMM_NOTIFIER_SUBJECT_OFFSETS_H
#define HMM_NOTIFIER_SUBJECT_OFFSETS_H

#include <stdbool.h>

struct offsets {
	bool by_btf;
	int ops;			/* of struct mmu_notifier */
	int range_start, range_end;	/* of its ops: ->invalidate_range_start ... */
	int one, two;			/* ->invalidate, ->invalidate_start; -1: none such */
	int mm, start, end, flags, event;	/* of struct mmu_notifier_range */
};

/* Read once */
const struct offsets *offsets_get(void);

#endif
