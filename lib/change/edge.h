/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Edges of what the kernel counts addresses in.
 */
#ifndef HMM_NOTIFIER_CHANGE_EDGE_H
#define HMM_NOTIFIER_CHANGE_EDGE_H

#include <stdint.h>
#include <unistd.h>

enum edge {
	EDGE_NONE,
	EDGE_LOWEST,	/* address 0, for who has CAP_SYS_RAWIO */
	EDGE_HIGHEST,
	EDGE_PMD,	/* where what an entry of that level maps ends, as for all below */
	EDGE_PUD,
	EDGE_P4D,
};

/*
 * Where this process can map @size bytes, as many as begin at a multiple of @align, at
 * that edge; if it is one of a table, with @before of them below. Or -1UL
 */
uintptr_t edge_room(enum edge edge, size_t size, size_t align, size_t before);

#endif
