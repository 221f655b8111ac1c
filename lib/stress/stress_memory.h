/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Three mappings at fixed places that random changes are made to, in whatever
 * process has them: small private pages, memory that all processes share, and
 * what huge pages fit into.
 *
 * A change says nothing of whether it worked: on a random range, most ways to
 * fail are right. hmm_notifier_mmap tests what each of them calls, and those that are
 * not here as they need a state that other changes would not leave alone: KSM, huge
 * pages of hugetlb, uprobes, compaction and the write-back of a file system.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_MEMORY_H
#define HMM_NOTIFIER_STRESS_STRESS_MEMORY_H

#include <stdint.h>

enum arena_change {
	ARENA_WRITE,
	ARENA_READ,
	ARENA_DONTNEED,
	ARENA_FREE,
	ARENA_COLLAPSE,
	ARENA_UNMAP,
	ARENA_MAP,
	ARENA_PROTECT,
	ARENA_MOVE,
	ARENA_FORK,
	ARENA_PUNCH,
	ARENA_MIGRATE,
	ARENA_SOFT_DIRTY,
	ARENA_PAGEOUT,
	ARENA_GUARD,
	ARENA_UFFD_PROTECT,
	ARENA_UFFD_MOVE,
	ARENA_SCAN,
	ARENA_NR_CHANGES,
};

/* What the device of a mirror does with memory of its process */
enum arena_transfer {
	ARENA_DEVICE_READ,
	ARENA_DEVICE_WRITE,
	ARENA_EXCLUSIVE,
	ARENA_TO_DEVICE,
	ARENA_TO_SYSTEM,
	ARENA_NR_TRANSFERS,
};

enum arena_area {
	ARENA_PRIVATE,
	ARENA_SHARED,
	ARENA_HUGE,
	ARENA_NR_AREAS,
};

/* One change of pages @page to @page + @pages - 1 of an area */
struct arena_op {
	uint16_t change;
	uint16_t area;
	uint16_t page;
	uint16_t pages;
	uint32_t arg;		/* whatever else the change needs, at random */
};

extern const char * const arena_change_names[ARENA_NR_CHANGES];
extern const char * const arena_transfer_names[ARENA_NR_TRANSFERS];
extern const char * const arena_area_names[ARENA_NR_AREAS];

unsigned int arena_pages(enum arena_area area);
uintptr_t arena_address(enum arena_area area, unsigned int page);

/* The file behind ARENA_SHARED: a descriptor, or -errno */
int arena_file(void);

/* Maps all areas in the calling process. Returns 0 or -errno. */
int arena_map(int file);

/* Changes the memory of the calling process. */
void arena_run(const struct arena_op *op, int file);

/* Of the first pages of @op, by the file @device; its change does not matter. */
void arena_transfer(int device, const struct arena_op *op,
		    enum arena_transfer transfer);

#endif
