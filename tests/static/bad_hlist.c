// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

/* wrong: returns -EAGAIN */
static int eagain_when_blockable(struct mmu_notifier *mn,
				 const struct mmu_notifier_range *range)
{
	struct dev *dev = mn_to_dev(mn);

	if (!mutex_trylock(&dev->lock))
		return -EAGAIN;
	mutex_unlock(&dev->lock);
	return 0;
}

/* wrong: returns -EBUSY */
static int other_value(struct mmu_notifier *mn,
		       const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EBUSY;
	mutex_lock(&mn_to_dev(mn)->lock);
	mutex_unlock(&mn_to_dev(mn)->lock);
	return 0;
}

/* wrong: returns 1 */
static int positive(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return !mmu_notifier_range_blockable(range);
}

static int through(struct dev *dev, bool wait)
{
	int ret = dev->dead ? -ENOMEM : 0;

	return wait ? 0 : ret;
}

/* wrong: returns -ENOMEM */
static int value_of_a_helper(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *range)
{
	int ret = through(mn_to_dev(mn), mmu_notifier_range_blockable(range));

	if (ret)
		goto out;
	ret = 0;
out:
	return ret;
}

/* wrong: returns a value that depends on what it calls */
static int value_of_hardware(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *range)
{
	struct dev *dev = mn_to_dev(mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	return dev->hw->unmap(dev, true);
}

/* wrong: sleeps mutex_lock */
static int asks_too_late(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = 0;

	guard(mutex)(&mn_to_dev(mn)->lock);
	if (mn_to_dev(mn)->dead && !mmu_notifier_range_blockable(range))
		ret = -EAGAIN;
	return ret;
}

/* wrong: has-end -EAGAIN */
static int end_added(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&mn_to_dev(mn)->lock);
	mn_to_dev(mn)->count++;
	mutex_unlock(&mn_to_dev(mn)->lock);
	return 0;
}

/* wrong: sleeps mutex_lock */
static void the_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&mn_to_dev(mn)->lock);
	mn_to_dev(mn)->count--;
	mutex_unlock(&mn_to_dev(mn)->lock);
}

static const struct mmu_notifier_ops eagain_ops = {
	.invalidate_range_start = eagain_when_blockable,
};

static const struct mmu_notifier_ops other_ops = {
	.invalidate_range_start = other_value,
};

static const struct mmu_notifier_ops positive_ops = {
	.invalidate_range_start = positive,
};

static const struct mmu_notifier_ops helper_ops = {
	.invalidate_range_start = value_of_a_helper,
};

static const struct mmu_notifier_ops hardware_ops = {
	.invalidate_range_start = value_of_hardware,
};

static const struct mmu_notifier_ops late_ops = {
	.invalidate_range_start = asks_too_late,
};

static const struct mmu_notifier_ops end_ops = {
	.invalidate_range_start = end_added,
	.invalidate_range_end = the_end,
};

const struct mmu_notifier_ops *bad_hlist[] = {
	&eagain_ops, &other_ops, &positive_ops, &helper_ops, &hardware_ops, &late_ops,
	&end_ops,
};
