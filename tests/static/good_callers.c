// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

struct walk;
int change(struct mm_struct *mm, unsigned long start);
int own_flag(struct mm_struct *mm, unsigned long start, bool cow);
int flag_and_goto(struct mm_struct *mm, unsigned long start);
int failure_heeded(struct mm_struct *mm, unsigned long start);
void started_again(struct mm_struct *mm, unsigned long start, int nr);
void after_a_loop(struct mm_struct *mm, unsigned long start);
void kept_open(struct walk *walk, unsigned long start);
void kept_close(struct walk *walk);

struct walk {
	struct mm_struct *mm;
	struct mmu_notifier_range range;
};

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

int flag_and_goto(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;
	bool started = false;
	int ret;

	ret = change(mm, start);
	if (ret)
		goto unlock;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	started = true;
	ret = change(mm, start);
	if (ret)
		goto unlock;
	mmu_notifier_invalidate_range_end(&range);
	return 0;
unlock:
	if (started)
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

/* More rounds than the analyzer follows */
void after_a_loop(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;
	int i;

	for (i = 0; i < 512; i++)
		if (change(mm, start))
			return;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	change(mm, start);
	mmu_notifier_invalidate_range_end(&range);
}

/* What one function starts, another one ends. */
void kept_open(struct walk *walk, unsigned long start)
{
	mmu_notifier_range_init(&walk->range, MMU_NOTIFY_CLEAR, 0, walk->mm, start,
				start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&walk->range);
}

void kept_close(struct walk *walk)
{
	mmu_notifier_invalidate_range_end(&walk->range);
}
