// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel whose mm/mmu_notifier.c WARNs wrongly, once in each test: one more
 * than is due, one less, or one at another line. It says so in the log where it
 * does. For tests/test_warns.py.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/workqueue.h>

#define FILE_NAME	"mm/mmu_notifier.c"

static char *how = "more";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "more, less or elsewhere");

static int line;
module_param(line, int, 0);
MODULE_PARM_DESC(line, "of one more WARN, or of one elsewhere");

static char *at;
module_param(at, charp, 0);
MODULE_PARM_DESC(at, "one more in each call of this function, not in each test");

typedef void (*warn_fn)(const char *file, int line, void *caller,
			unsigned int taint, struct pt_regs *regs, void *args);
static warn_fn warn;

static unsigned int tests;
static bool begins;		/* a mark was written that begins one */
static unsigned long armed;	/* bit 0: not yet in this test */

static void warn_once_more(void)
{
	pr_info("warner: one more\n");
	warn(FILE_NAME, line, (void *)_THIS_IP_, TAINT_WARN, NULL, NULL);
}

static void warn_soon(struct work_struct *work)
{
	if (test_and_clear_bit(0, &armed))
		warn_once_more();
}

static DECLARE_DELAYED_WORK(soon, warn_soon);

/* vprintk_emit(facility, level, dev_info, format, args); the kernel's own is 0. */
static int on_mark(struct kprobe *kp, struct pt_regs *regs)
{
	char text[64];
	va_list args;

	if (!(int)regs_get_kernel_argument(regs, 0))
		return 0;
	va_copy(args, *(va_list *)regs_get_kernel_argument(regs, 4));
	vscnprintf(text, sizeof(text),
		   (const char *)regs_get_kernel_argument(regs, 3), args);
	va_end(args);
	if (!strncmp(text, "hmm_notifier: begin ", 20))
		begins = true;
	/* The last moment that is the test's for sure */
	if (!strncmp(text, "hmm_notifier: accounted ", 24) && !strcmp(how, "more"))
		warn_soon(NULL);
	return 0;
}

/* Which it then closes. */
static int after_mark(struct kprobe *kp, struct pt_regs *regs)
{
	if (!begins)
		return 0;
	begins = false;
	armed = 1;
	if (strcmp(how, "more"))
		return 0;
	/* The first moment, the last one, or anywhere between, by turns */
	switch (tests++ % 3) {
	case 0:
		warn_soon(NULL);
		break;
	case 2:
		schedule_delayed_work(&soon, get_random_u32() % (HZ / 20));
	}
	return 0;
}

static noinline void nothing(void)
{
}

static int on_warn(struct kprobe *kp, struct pt_regs *regs)
{
	const char *file = (const char *)regs_get_kernel_argument(regs, 0);

	if (!strcmp(how, "more") || !file || !strstr(file, FILE_NAME) ||
	    regs_get_kernel_argument(regs, 1) == line ||
	    !test_and_clear_bit(0, &armed))
		return 0;
	pr_info("warner: one %s\n", how);
	if (!strcmp(how, "elsewhere")) {
		regs->si = line;
		return 0;
	}
	regs->ip = (unsigned long)nothing;
	return 1;
}

static int on_call(struct kprobe *kp, struct pt_regs *regs)
{
	warn_once_more();
	return 0;
}

static struct kprobe warns = {
	.symbol_name = "__warn",
	.pre_handler = on_warn,
};

static struct kprobe calls = { .pre_handler = on_call };

static struct kprobe marks = {
	.symbol_name = "vprintk_emit",
	.pre_handler = on_mark,
};

static struct kprobe closes = {
	.symbol_name = "devkmsg_release",
	.pre_handler = after_mark,
};

static int __init warner_init(void)
{
	struct kprobe *in_each_call[] = { &warns, &calls };
	struct kprobe *in_each_test[] = { &warns, &marks, &closes };
	int err;

	calls.symbol_name = at;
	err = at ? register_kprobes(in_each_call, ARRAY_SIZE(in_each_call)) :
		   register_kprobes(in_each_test, ARRAY_SIZE(in_each_test));
	if (!err)
		warn = (warn_fn)warns.addr;
	return err;
}

module_init(warner_init);
MODULE_DESCRIPTION("Wrong WARNs, for the suite's own tests");
MODULE_LICENSE("GPL");
