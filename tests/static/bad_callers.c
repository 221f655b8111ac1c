// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

int change(struct mm_struct *mm, unsigned long start);
void lost_on_error(struct mm_struct *mm, unsigned long start);
int failure_ignored(struct mm_struct *mm, unsigned long start);
void never_started(struct mm_struct *mm, unsigned long start, bool dirty);
void flag_is_an_address(struct mm_struct *mm, unsigned long start, int nr);
void ended_twice(struct mm_struct *mm, unsigned long start, bool dirty);

/* wrong: start */
void lost_on_error(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (change(mm, start))
		return;
	mmu_notifier_invalidate_range_end(&range);
}

/* wrong: end */
int failure_ignored(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;
	int ret;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	change(mm, start);
	mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* wrong: end */
void never_started(struct mm_struct *mm, unsigned long start, bool dirty)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	if (dirty)
		mmu_notifier_invalidate_range_start(&range);
	change(mm, start);
	mmu_notifier_invalidate_range_end(&range);
}

/* wrong: end */
void ended_twice(struct mm_struct *mm, unsigned long start, bool dirty)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (change(mm, start) || dirty)
		goto out;
	mmu_notifier_invalidate_range_end(&range);
out:
	mmu_notifier_invalidate_range_end(&range);
}

/* wrong: start */
void flag_is_an_address(struct mm_struct *mm, unsigned long start, int nr)
{
	struct mmu_notifier_range range;

	range.start = 0;
	for (; nr > 0; nr--, start += PAGE_SIZE) {
		if (!range.start) {
			mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start,
						start + PAGE_SIZE);
			mmu_notifier_invalidate_range_start(&range);
		}
		change(mm, start);
	}
	if (range.start)
		mmu_notifier_invalidate_range_end(&range);
}
