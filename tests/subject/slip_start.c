// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel in which the function "caller" makes a mistake when it starts an invalidation.
 * The calls of __mmu_notifier_invalidate_range_start() and _end() by it are ours instead,
 * and there the start is
 *
 *     missing   and so is the end
 *     late      it comes where the end was, when the page tables have changed
 *     early     and its end follows at once, before they change
 *
 * But not in a process that exits, where nobody would notice. It says once that it has been
 * there. x86 only.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *caller = "unmap_vmas";
module_param(caller, charp, 0);
MODULE_PARM_DESC(caller, "the function that makes the mistake, or how its name begins");

static char *slip = "missing";
module_param(slip, charp, 0);
MODULE_PARM_DESC(slip, "missing, late or early");

static int our_start(struct mmu_notifier_range *range);
static void our_end(struct mmu_notifier_range *range);

static bool is_caller(unsigned long back)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, back);
	if (!str_has_prefix(name, caller))
		return false;
	pr_info_once("slip_start: the start of %s() is %s\n", name, slip);
	return true;
}

/* At the first instruction of either: has it be ours. */
static int at_start(struct kprobe *kp, struct pt_regs *regs)
{
	if (current->flags & PF_EXITING || !is_caller(*(unsigned long *)regs->sp))
		return 0;
	regs->ip = (unsigned long)our_start;
	return 1;
}

static int at_end(struct kprobe *kp, struct pt_regs *regs)
{
	if (current->flags & PF_EXITING || !is_caller(*(unsigned long *)regs->sp))
		return 0;
	regs->ip = (unsigned long)our_end;
	return 1;
}

static struct kprobe start = {
	.symbol_name = "__mmu_notifier_invalidate_range_start", .pre_handler = at_start,
};

static struct kprobe end = {
	.symbol_name = "__mmu_notifier_invalidate_range_end", .pre_handler = at_end,
};

static int start_and_end(struct mmu_notifier_range *range)
{
	int (*kernel_start)(struct mmu_notifier_range *range) = (void *)start.addr;
	void (*kernel_end)(struct mmu_notifier_range *range) = (void *)end.addr;
	int err = kernel_start(range);

	if (!err)
		kernel_end(range);
	barrier();	/* A tail call would be one of the caller's. */
	return err;
}

static noinline notrace int our_start(struct mmu_notifier_range *range)
{
	return strcmp(slip, "early") ? 0 : start_and_end(range);
}

static noinline notrace void our_end(struct mmu_notifier_range *range)
{
	if (!strcmp(slip, "late"))
		start_and_end(range);
}

static struct kprobe *both[] = { &start, &end };

static int __init slip_init(void)
{
	if (strcmp(slip, "missing") && strcmp(slip, "late") && strcmp(slip, "early"))
		return -EINVAL;
	return register_kprobes(both, ARRAY_SIZE(both));
}

static void __exit slip_exit(void)
{
	unregister_kprobes(both, ARRAY_SIZE(both));
}

module_init(slip_init);
module_exit(slip_exit);
MODULE_DESCRIPTION("A kernel that starts an invalidation late, early or never");
MODULE_LICENSE("GPL");
