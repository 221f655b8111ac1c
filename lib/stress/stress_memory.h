/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random changes of three mappings at fixed addresses: small private pages, memory
 * that all processes share, and a mapping for huge pages.
 *
 * A change does not return whether it worked: on a random range it may fail for many
 * good reasons. hmm_notifier_mmap tests each change by itself. It also tests those that
 * are not here, because other changes would destroy the state that they need: KSM,
 * hugetlb, uprobes, compaction and the write-back of a file system.
 */
#ifndef HMM_NOTIFIER_STRESS_STRESS_MEMORY_H
#define HMM_NOTIFIER_STRESS_STRESS_MEMORY_H

#include <stdint.h>

enum stress_memory_change {
	STRESS_MEMORY_WRITE,
	STRESS_MEMORY_READ,
	STRESS_MEMORY_DONTNEED,
	STRESS_MEMORY_FREE,
	STRESS_MEMORY_COLLAPSE,
	STRESS_MEMORY_UNMAP,
	STRESS_MEMORY_MAP,
	STRESS_MEMORY_PROTECT,
	STRESS_MEMORY_MOVE,
	STRESS_MEMORY_FORK,
	STRESS_MEMORY_PUNCH,
	STRESS_MEMORY_MIGRATE,
	STRESS_MEMORY_SOFT_DIRTY,
	STRESS_MEMORY_PAGEOUT,
	STRESS_MEMORY_GUARD,
	STRESS_MEMORY_UFFD_PROTECT,
	STRESS_MEMORY_UFFD_MOVE,
	STRESS_MEMORY_SCAN,
	STRESS_MEMORY_NR_CHANGES,
};

/* What the device of a mirror does with memory of its process */
enum stress_memory_transfer {
	STRESS_MEMORY_DEVICE_READ,
	STRESS_MEMORY_DEVICE_WRITE,
	STRESS_MEMORY_EXCLUSIVE,
	STRESS_MEMORY_TO_DEVICE,
	STRESS_MEMORY_TO_SYSTEM,
	STRESS_MEMORY_NR_TRANSFERS,
};

enum stress_memory_area {
	STRESS_MEMORY_PRIVATE,
	STRESS_MEMORY_SHARED,
	STRESS_MEMORY_HUGE,
	STRESS_MEMORY_NR_AREAS,
};

/* One change of pages @page to @page + @pages - 1 of an area */
struct stress_memory_range {
	uint16_t change;
	uint16_t area;
	uint16_t page;
	uint16_t pages;
	uint32_t arg;		/* random, for what else the change needs */
};

extern const char * const stress_memory_change_names[STRESS_MEMORY_NR_CHANGES];
extern const char * const stress_memory_transfer_names[STRESS_MEMORY_NR_TRANSFERS];
extern const char * const stress_memory_area_names[STRESS_MEMORY_NR_AREAS];

unsigned int stress_memory_pages(enum stress_memory_area area);
uintptr_t stress_memory_address(enum stress_memory_area area, unsigned int page);

/* The file behind STRESS_MEMORY_SHARED: a descriptor, or -errno */
int stress_memory_file(void);

/* Maps all areas in the calling process. Returns 0 or -errno. */
int stress_memory_map(int file);

/* Changes the memory of the calling process. */
void stress_memory_run(const struct stress_memory_range *range, int file);

/* Has @device transfer the first pages of @range; @range->change does not matter. */
void stress_memory_transfer(int device, const struct stress_memory_range *range,
			    enum stress_memory_transfer transfer);

#endif
