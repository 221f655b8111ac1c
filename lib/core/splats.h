/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The beginnings of the lines that report a broken kernel, each with a source file that
 * prints it. "*" is any text; the first pattern that fits counts. lib/core/warn.c includes
 * this as a table, and runner/klog.py reads it, so one pattern a line.
 *
 *   REPORT	something is broken
 *   DETAIL	a line at KERN_ERR or worse that belongs to the report above it
 *   NO_REPORT	looks like a report, and is none
 */

/* a note that no locks are shown, in reports and beside "unable to reap" */
SPLAT(NO_REPORT, "INFO: lockdep is turned off")		/* kernel/locking/lockdep.c */
/* of the machine, not of the kernel */
SPLAT(NO_REPORT, "INFO: NMI handler ")			/* arch/x86/kernel/nmi.c */

SPLAT(REPORT, "WARNING: ")				/* kernel/panic.c */
SPLAT(REPORT, "BUG: ")					/* mm/page_alloc.c */
SPLAT(REPORT, "BUG ")					/* mm/slub.c */
SPLAT(REPORT, "[ BUG: ")				/* kernel/locking/lockdep.c */
SPLAT(REPORT, "INFO: ")					/* kernel/hung_task.c */
SPLAT(REPORT, "kernel BUG at ")				/* lib/bug.c */
SPLAT(REPORT, "Kernel panic - ")			/* kernel/panic.c */
SPLAT(REPORT, "rcu: INFO: ")				/* kernel/rcu/tree_stall.h */
SPLAT(REPORT, "rcu: *starved for ")			/* kernel/rcu/tree_stall.h */
SPLAT(REPORT, "watchdog: BUG: ")			/* kernel/watchdog.c */
SPLAT(REPORT, "watchdog: *Watchdog detected ")		/* kernel/watchdog.c */
SPLAT(REPORT, "NMI watchdog: Watchdog detected ")	/* kernel/watchdog_hld.c */
SPLAT(REPORT, "Oops")					/* arch/x86/kernel/dumpstack.c */
SPLAT(REPORT, "general protection fault")		/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "divide error: ")				/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "invalid opcode: ")			/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "stack segment: ")			/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "double fault: ")				/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "PANIC: double fault")			/* arch/x86/kernel/traps.c */
SPLAT(REPORT, "Internal error: ")			/* arch/arm64/kernel/traps.c */
SPLAT(REPORT, "SError Interrupt on ")			/* arch/arm64/kernel/traps.c */
SPLAT(REPORT, "Unable to handle kernel ")		/* arch/arm64/mm/fault.c */
SPLAT(REPORT, "Thread overran stack")			/* kernel/sched/core.c */
SPLAT(REPORT, "bad: scheduling from the idle thread")	/* kernel/sched/idle.c */
SPLAT(REPORT, "KASAN: ")				/* mm/kasan/report.c */
SPLAT(REPORT, "KCSAN: ")				/* kernel/kcsan/report.c */
SPLAT(REPORT, "KMSAN: ")				/* mm/kmsan/report.c */
SPLAT(REPORT, "UBSAN: ")				/* lib/ubsan.c */
SPLAT(REPORT, "CFI failure at ")			/* kernel/cfi.c */
SPLAT(REPORT, "kmemleak: unreferenced object ")		/* mm/kmemleak.c */
SPLAT(REPORT, "kmemleak: * new suspected memory leak")	/* mm/kmemleak.c */
SPLAT(REPORT, "list_add corruption")			/* lib/list_debug.c */
SPLAT(REPORT, "list_del corruption")			/* lib/list_debug.c */
SPLAT(REPORT, "refcount_t: ")				/* lib/refcount.c */
SPLAT(REPORT, "page dumped because: ")			/* mm/debug.c */
SPLAT(REPORT, "Memory state around the buggy address")	/* mm/kasan/report.c */
SPLAT(REPORT, "irq *: nobody cared")			/* kernel/irq/spurious.c */
SPLAT(REPORT, "unregister_netdevice: waiting for ")	/* net/core/dev.c */

SPLAT(DETAIL, "in_atomic(): ")				/* kernel/sched/core.c */
SPLAT(DETAIL, "preempt_count: ")			/* kernel/sched/core.c */
SPLAT(DETAIL, "RCU nest depth: ")			/* kernel/sched/core.c */
SPLAT(DETAIL, "Preemption disabled at:")		/* kernel/sched/core.c */
SPLAT(DETAIL, "[<")					/* include/linux/kallsyms.h */
