/* SPDX-License-Identifier: GPL-2.0 */
/* The shapes of the kernel's own, as far as the fixtures use them */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#define NULL ((void *)0)
#define bool _Bool
#define true 1
#define false 0
#define PAGE_SIZE 4096UL

#define EAGAIN 11
#define ENOMEM 12
#define EBUSY 16

typedef unsigned int gfp_t;

struct mm_struct;

#define offsetof(type, member) __builtin_offsetof(type, member)
#define container_of(ptr, type, member) ({				\
	void *__mptr = (void *)(ptr);					\
	((type *)(__mptr - offsetof(type, member))); })
#define WRITE_ONCE(x, val) (*(volatile __typeof__(x) *)&(x) = (val))

void __might_sleep(const char *file, int line);
int __cond_resched(void);

#define might_sleep() do { __might_sleep(__FILE__, __LINE__); } while (0)
#define cond_resched() __cond_resched()

/* an asm goto as that of a static key */
static inline __attribute__((__always_inline__)) bool static_branch(void)
{
	asm goto("1: jmp %l[l_yes]\n\t" : : "i" (0) : : l_yes);
	return false;
l_yes:
	return true;
}

#endif
