// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a race long enough to be met each time: a mmu_notifier_put() of a notifier
 * that somebody else has, too, takes long, and tells if another one comes meanwhile.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>

#define DELAY_MS 100

static unsigned int delayed;
module_param(delayed, uint, 0444);
MODULE_PARM_DESC(delayed, "how many were made to take long");

static unsigned int raced;
module_param(raced, uint, 0444);
MODULE_PARM_DESC(raced, "how many came meanwhile");

static atomic_t busy;

static int put_begins(struct kprobe *probe, struct pt_regs *regs)
{
	struct mmu_notifier *mn = (void *)regs_get_kernel_argument(regs, 0);

	if (READ_ONCE(mn->users) < 2)
		return 0;
	if (atomic_cmpxchg(&busy, 0, 1)) {
		raced++;
		return 0;
	}
	delayed++;
	mdelay(DELAY_MS);
	atomic_set(&busy, 0);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "mmu_notifier_put",
	.pre_handler = put_begins,
};

static int __init slow_put_init(void)
{
	return register_kprobe(&probe);
}

static void __exit slow_put_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(slow_put_init);
module_exit(slow_put_exit);
MODULE_DESCRIPTION("Makes mmu_notifier_put() of a shared notifier slow");
MODULE_LICENSE("GPL");
