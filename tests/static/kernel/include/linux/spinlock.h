/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H
#include <linux/cleanup.h>

typedef struct spinlock {
	int locked;
} spinlock_t;

extern void _raw_spin_lock(spinlock_t *lock);
extern void _raw_spin_unlock(spinlock_t *lock);

static inline void spin_lock(spinlock_t *lock)
{
	if (static_branch())
		lock->locked++;
	_raw_spin_lock(lock);
}

static inline void spin_unlock(spinlock_t *lock)
{
	_raw_spin_unlock(lock);
}

DEFINE_GUARD(spinlock, spinlock_t *, spin_lock(_T), spin_unlock(_T))

#endif
