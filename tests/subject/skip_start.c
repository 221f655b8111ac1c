// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that has lost a start, and its end: when the function "caller" calls
 * __mmu_notifier_invalidate_range_start(), nothing happens. Not for a process that exits,
 * where nobody would notice. x86 only.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *caller = "unmap_vmas";
module_param(caller, charp, 0);
MODULE_PARM_DESC(caller, "the function that forgets to call it");

static unsigned int skipped;
module_param(skipped, uint, 0444);
MODULE_PARM_DESC(skipped, "how many calls it has forgotten");

static noinline notrace int return_0(void)
{
	return 0;
}

/* At the function's first instruction: has it be return_0() instead. */
static int skip(struct kprobe *kp, struct pt_regs *regs)
{
	unsigned long back = *(unsigned long *)regs->sp;
	char name[KSYM_SYMBOL_LEN];

	if (current->flags & PF_EXITING)
		return 0;
	sprint_symbol_no_offset(name, back);
	if (!str_has_prefix(name, caller))
		return 0;
	skipped++;
	regs->ip = (unsigned long)return_0;
	return 1;
}

static struct kprobe probes[] = {
	{ .symbol_name = "__mmu_notifier_invalidate_range_start", .pre_handler = skip },
	{ .symbol_name = "__mmu_notifier_invalidate_range_end", .pre_handler = skip },
};

static struct kprobe *both[] = { &probes[0], &probes[1] };

static int __init skip_init(void)
{
	return register_kprobes(both, ARRAY_SIZE(both));
}

static void __exit skip_exit(void)
{
	unregister_kprobes(both, ARRAY_SIZE(both));
}

module_init(skip_init);
module_exit(skip_exit);
MODULE_DESCRIPTION("A kernel that forgets to start an invalidation");
MODULE_LICENSE("GPL");
