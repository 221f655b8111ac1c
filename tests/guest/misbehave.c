// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that misbehaves when asked: echo WORD to
 * /sys/module/misbehave/parameters/please.  For the runner's own tests only.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/delay.h>
#include <linux/slab.h>

static noinline void misbehave_warn(void)
{
	WARN_ON(1);
}

static noinline void misbehave_hang(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

static noinline void misbehave_flood(void)
{
	unsigned long i;

	for (i = 0; !fatal_signal_pending(current); i++) {
		pr_info("misbehave: flood %lu ....................................\n", i);
		cond_resched();
	}
}

/* The last one is still in use, and so is any whose address is left in some memory. */
static noinline void misbehave_leak(void)
{
	static void *kept;
	int i;

	for (i = 0; i < 16; i++)
		WRITE_ONCE(kept, kmalloc(64, GFP_KERNEL));
}

static int please(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "warn"))
		misbehave_warn();
	else if (sysfs_streq(val, "hang"))
		misbehave_hang();
	else if (sysfs_streq(val, "flood"))
		misbehave_flood();
	else if (sysfs_streq(val, "leak"))
		misbehave_leak();
	else if (sysfs_streq(val, "oops"))
		*(volatile int *)8 = 1;
	else if (sysfs_streq(val, "panic"))
		panic("asked for");
	else
		return -EINVAL;
	return 0;
}

static const struct kernel_param_ops please_ops = { .set = please };
module_param_cb(please, &please_ops, NULL, 0200);
MODULE_DESCRIPTION("Misbehaves when asked, for the runner's own tests");
MODULE_LICENSE("GPL");
