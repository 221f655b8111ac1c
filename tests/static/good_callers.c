// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

int change(struct mm_struct *mm, unsigned long start);
int own_flag(struct mm_struct *mm, unsigned long start, bool cow);
int failure_heeded(struct mm_struct *mm, unsigned long start);
void started_again(struct mm_struct *mm, unsigned long start, int nr);

int own_flag(struct mm_struct *mm, unsigned long start, bool cow)
{
	struct mmu_notifier_range range;
	int ret;

	if (cow) {
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start,
					start + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
	}
	ret = change(mm, start);
	if (cow)
		mmu_notifier_invalidate_range_end(&range);
	return ret;
}

int failure_heeded(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	if (mmu_notifier_invalidate_range_start_nonblock(&range))
		return -EBUSY;
	change(mm, start);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

void started_again(struct mm_struct *mm, unsigned long start, int nr)
{
	struct mmu_notifier_range range;

	for (; nr > 0; nr--, start += PAGE_SIZE) {
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start,
					start + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
		if (change(mm, start))
			goto out;
		mmu_notifier_invalidate_range_end(&range);
	}
	return;
out:
	mmu_notifier_invalidate_range_end(&range);
}
