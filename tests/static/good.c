// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

/* It never fails and never sleeps, so it need not ask. */
static bool asks_nothing(struct mmu_interval_notifier *mni,
			 const struct mmu_notifier_range *range, unsigned long seq)
{
	spin_lock(&to_dev(mni)->spin);
	mmu_interval_set_seq(mni, seq);
	spin_unlock(&to_dev(mni)->spin);
	return true;
}

static bool trylock(struct mmu_interval_notifier *mni,
		    const struct mmu_notifier_range *range, unsigned long seq)
{
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&to_dev(mni)->lock);
	else if (!mutex_trylock(&to_dev(mni)->lock))
		return false;
	mmu_interval_set_seq(mni, seq);
	mutex_unlock(&to_dev(mni)->lock);
	return true;
}

static bool flag_by_hand(struct mmu_interval_notifier *mni,
			 const struct mmu_notifier_range *range, unsigned long seq)
{
	if (!(range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE))
		return false;
	down_write(&to_dev(mni)->sem);
	up_write(&to_dev(mni)->sem);
	return true;
}

static bool other_variable(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	const bool may_sleep = mmu_notifier_range_blockable(range);

	other_quick(to_dev(mni), may_sleep);
	return true;
}

static bool locked(struct dev *dev, bool wait)
{
	if (!wait)
		return mutex_trylock(&dev->lock);
	mutex_lock(&dev->lock);
	return true;
}

static bool failure_of_a_helper(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range,
				unsigned long seq)
{
	bool ret = locked(to_dev(mni), mmu_notifier_range_blockable(range));

	if (!ret)
		goto out;
	mutex_unlock(&to_dev(mni)->lock);
out:
	return ret;
}

static bool allocates_atomic(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	gfp_t gfp = mmu_notifier_range_blockable(range) ? GFP_KERNEL : GFP_NOWAIT;

	kfree(kmalloc(range->end - range->start, gfp | __GFP_NOWARN));
	return true;
}

/* The non-blockable caller unmaps nothing by migration. */
static bool sleeps_on_migrate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range,
			      unsigned long seq)
{
	if (range->event != MMU_NOTIFY_MIGRATE)
		return true;
	guard(mutex)(&to_dev(mni)->lock);
	return true;
}

static bool guarded(struct mmu_interval_notifier *mni,
		    const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *dev = to_dev(mni);

	if (mmu_notifier_range_blockable(range)) {
		guard(rwsem_write)(&dev->sem);
		dev->count++;
		return true;
	}
	scoped_guard(spinlock, &dev->spin)
		dev->dead = true;
	return true;
}

static bool first_pass(struct mmu_interval_notifier *mni,
		       const struct mmu_notifier_range *range, unsigned long seq,
		       struct mmu_interval_notifier_finish **finish)
{
	if (!mmu_notifier_range_blockable(range))
		return false;
	*finish = &to_dev(mni)->finish;
	return true;
}

static void second_pass(struct mmu_interval_notifier_finish *finish)
{
	wait_for_completion(&container_of(finish, struct dev, finish)->idle);
}

static int may_fail(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = 0;

	if (!mmu_notifier_range_blockable(range))
		ret = mutex_trylock(&mn_to_dev(mn)->lock) ? 0 : -EAGAIN;
	else
		mutex_lock(&mn_to_dev(mn)->lock);
	if (!ret)
		mutex_unlock(&mn_to_dev(mn)->lock);
	return ret;
}

static int counts(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	WRITE_ONCE(mn_to_dev(mn)->count, mn_to_dev(mn)->count + 1);
	return 0;
}

static void counts_down(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		might_sleep();
	WRITE_ONCE(mn_to_dev(mn)->count, mn_to_dev(mn)->count - 1);
}

/* Not a notifier's ops, and not a callback. */
struct cache_ops {
	bool (*invalidate)(struct dev *dev);
};

static bool drop_cache(struct dev *dev)
{
	mutex_lock(&dev->lock);
	mutex_unlock(&dev->lock);
	return false;
}

const struct cache_ops cache_ops = {
	.invalidate = drop_cache,
};

/* not static, and an array */
const struct mmu_interval_notifier_ops good_interval[] = {
	{ .invalidate = asks_nothing },
	{ .invalidate = trylock },
	{ .invalidate = flag_by_hand },
	{ .invalidate = other_variable },
	{ .invalidate = failure_of_a_helper },
	{ .invalidate = allocates_atomic },
	{ .invalidate = sleeps_on_migrate },
	{ .invalidate = guarded },
	{ .invalidate_start = first_pass, .invalidate_finish = second_pass },
};

const struct mmu_notifier_ops may_fail_ops = {
	.invalidate_range_start = may_fail,
};

const struct mmu_notifier_ops counts_ops = {
	.invalidate_range_start = counts,
	.invalidate_range_end = counts_down,
};
