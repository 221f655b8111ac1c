// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

/* wrong: returns false */
static bool value_changed(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range, unsigned long seq)
{
	if (!mmu_notifier_range_blockable(range))
		return false;
	mutex_lock(&to_dev(mni)->lock);
	mmu_interval_set_seq(mni, seq);
	mutex_unlock(&to_dev(mni)->lock);
	return !to_dev(mni)->dead;
}

/* wrong: sleeps mutex_lock */
static bool check_removed(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range, unsigned long seq)
{
	mutex_lock(&to_dev(mni)->lock);
	mmu_interval_set_seq(mni, seq);
	mutex_unlock(&to_dev(mni)->lock);
	return true;
}

/* wrong: sleeps mutex_lock; returns false */
static bool check_reversed(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	if (mmu_notifier_range_blockable(range))
		return false;
	mutex_lock(&to_dev(mni)->lock);
	mutex_unlock(&to_dev(mni)->lock);
	return true;
}

static void deeper(struct dev *dev)
{
	down_write(&dev->sem);
	dev->count++;
	up_write(&dev->sem);
}

static void deep(struct dev *dev, bool now)
{
	if (now)
		deeper(dev);
}

/* wrong: sleeps down_write */
static bool two_helpers_deep(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range, unsigned long seq)
{
	deep(to_dev(mni), range->event != MMU_NOTIFY_MIGRATE);
	return true;
}

/* wrong: sleeps wait_for_completion */
static bool another_file(struct mmu_interval_notifier *mni,
			 const struct mmu_notifier_range *range, unsigned long seq)
{
	other_drop(to_dev(mni), true);
	return true;
}

/* wrong: returns false */
static bool result_of_another_file(struct mmu_interval_notifier *mni,
				   const struct mmu_notifier_range *range,
				   unsigned long seq)
{
	return other_result(to_dev(mni)) == 0;
}

/* wrong: sleeps down_read */
static bool through_a_variable(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	bool can_wait = mmu_notifier_range_blockable(range);
	bool take = !can_wait || range->end - range->start > PAGE_SIZE;

	if (take) {
		down_read(&to_dev(mni)->sem);
		up_read(&to_dev(mni)->sem);
	}
	return true;
}

/* wrong: returns false */
static bool by_goto(struct mmu_interval_notifier *mni,
		    const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *dev = to_dev(mni);
	bool ret = false;

	if (!mmu_notifier_range_blockable(range))
		goto out;
	mutex_lock(&dev->lock);
	if (dev->dead)
		goto unlock;
	ret = true;
unlock:
	mutex_unlock(&dev->lock);
out:
	return ret;
}

/* wrong: sleeps mutex_lock */
static bool by_guard(struct mmu_interval_notifier *mni,
		     const struct mmu_notifier_range *range, unsigned long seq)
{
	guard(mutex)(&to_dev(mni)->lock);
	mmu_interval_set_seq(mni, seq);
	return true;
}

/* wrong: sleeps down_write */
static bool by_scoped_guard(struct mmu_interval_notifier *mni,
			    const struct mmu_notifier_range *range,
			    unsigned long seq)
{
	scoped_guard(rwsem_write, &to_dev(mni)->sem)
		mmu_interval_set_seq(mni, seq);
	return true;
}

/* wrong: sleeps mutex_lock; returns false */
static bool lock_after_trylock(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	struct dev *dev = to_dev(mni);

	if (!mutex_trylock(&dev->lock)) {
		if (dev->dead)
			return false;
		mutex_lock(&dev->lock);
	}
	mutex_unlock(&dev->lock);
	return true;
}

/* wrong: returns false */
static bool trylock_when_blockable(struct mmu_interval_notifier *mni,
				   const struct mmu_notifier_range *range,
				   unsigned long seq)
{
	if (!mutex_trylock(&to_dev(mni)->lock))
		return false;
	mutex_unlock(&to_dev(mni)->lock);
	return true;
}

/* wrong: sleeps __kmalloc_cache_noprof */
static bool allocates(struct mmu_interval_notifier *mni,
		      const struct mmu_notifier_range *range, unsigned long seq)
{
	gfp_t gfp = GFP_NOWAIT;
	void *p;

	if (!mmu_notifier_range_blockable(range))
		gfp = GFP_KERNEL;
	p = kmalloc(64, gfp);
	kfree(p);
	return true;
}

/* wrong: sleeps schedule */
static bool waits(struct mmu_interval_notifier *mni,
		  const struct mmu_notifier_range *range, unsigned long seq)
{
	wait_event(to_dev(mni)->wait, !to_dev(mni)->count);
	return true;
}

/* wrong: sleeps __cond_resched */
static bool reschedules(struct mmu_interval_notifier *mni,
			const struct mmu_notifier_range *range, unsigned long seq)
{
	unsigned long page;

	for (page = range->start; page < range->end; page += PAGE_SIZE)
		cond_resched();
	return true;
}

/* wrong: sleeps mutex_lock */
static bool by_pointer(struct mmu_interval_notifier *mni,
		       const struct mmu_notifier_range *range, unsigned long seq)
{
	bool (*then)(struct mmu_interval_notifier *mni,
		     const struct mmu_notifier_range *range, unsigned long seq) =
		check_removed;

	return then(mni, range, seq);
}

/* wrong: returns false; sleeps wait_for_completion */
static bool first_pass(struct mmu_interval_notifier *mni,
		       const struct mmu_notifier_range *range, unsigned long seq,
		       struct mmu_interval_notifier_finish **finish)
{
	struct dev *dev = to_dev(mni);

	if (dev->dead)
		return false;
	if (dev->count)
		*finish = &dev->finish;
	return true;
}

static void second_pass(struct mmu_interval_notifier_finish *finish)
{
	struct dev *dev = container_of(finish, struct dev, finish);

	wait_for_completion(&dev->idle);
}

static const struct mmu_interval_notifier_ops value_changed_ops = {
	.invalidate = value_changed,
};

static const struct mmu_interval_notifier_ops check_removed_ops = {
	.invalidate = check_removed,
};

static const struct mmu_interval_notifier_ops check_reversed_ops = {
	.invalidate = check_reversed,
};

static const struct mmu_interval_notifier_ops two_helpers_deep_ops = {
	.invalidate = two_helpers_deep,
};

static const struct mmu_interval_notifier_ops another_file_ops = {
	.invalidate = another_file,
};

static const struct mmu_interval_notifier_ops result_of_another_file_ops = {
	.invalidate = result_of_another_file,
};

static const struct mmu_interval_notifier_ops through_a_variable_ops = {
	.invalidate = through_a_variable,
};

static const struct mmu_interval_notifier_ops by_goto_ops = {
	.invalidate = by_goto,
};

static const struct mmu_interval_notifier_ops by_guard_ops = {
	.invalidate = by_guard,
};

static const struct mmu_interval_notifier_ops by_scoped_guard_ops = {
	.invalidate = by_scoped_guard,
};

static const struct mmu_interval_notifier_ops lock_after_trylock_ops = {
	.invalidate = lock_after_trylock,
};

static const struct mmu_interval_notifier_ops trylock_when_blockable_ops = {
	.invalidate = trylock_when_blockable,
};

static const struct mmu_interval_notifier_ops allocates_ops = {
	.invalidate = allocates,
};

static const struct mmu_interval_notifier_ops waits_ops = {
	.invalidate = waits,
};

static const struct mmu_interval_notifier_ops reschedules_ops = {
	.invalidate = reschedules,
};

static const struct mmu_interval_notifier_ops by_pointer_ops = {
	.invalidate = by_pointer,
};

static const struct mmu_interval_notifier_ops two_pass_ops = {
	.invalidate_start = first_pass,
	.invalidate_finish = second_pass,
};

const struct mmu_interval_notifier_ops *bad_interval[] = {
	&value_changed_ops,
	&check_removed_ops,
	&check_reversed_ops,
	&two_helpers_deep_ops,
	&another_file_ops,
	&result_of_another_file_ops,
	&through_a_variable_ops,
	&by_goto_ops,
	&by_guard_ops,
	&by_scoped_guard_ops,
	&lock_after_trylock_ops,
	&trylock_when_blockable_ops,
	&allocates_ops,
	&waits_ops,
	&reschedules_ops,
	&by_pointer_ops,
	&two_pass_ops,
};
