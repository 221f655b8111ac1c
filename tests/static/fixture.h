/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drivers that were never written, for tests/test_static.py. What is said above a
 * callback after "wrong:" has to be reported of it, and nothing else:
 *	wrong: RULE WHAT[; RULE WHAT]
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct dev {
	struct mmu_interval_notifier mni;
	struct mmu_notifier mn;
	struct mmu_interval_notifier_finish finish;
	struct mutex lock;
	struct rw_semaphore sem;
	struct completion idle;
	wait_queue_head_t wait;
	spinlock_t spin;
	unsigned long count;
	bool dead;
	const struct dev_ops *hw;
};

struct dev_ops {
	int (*unmap)(struct dev *dev, bool may_sleep);
};

#define to_dev(mni) container_of(mni, struct dev, mni)
#define mn_to_dev(mn) container_of(mn, struct dev, mn)

/* in bad_other.c */
int other_drop(struct dev *dev, bool may_sleep);
int other_result(struct dev *dev);
/* in good_other.c */
int other_quick(struct dev *dev, bool may_sleep);

#endif
