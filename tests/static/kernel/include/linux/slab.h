/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H
#include <linux/gfp.h>

void *__kmalloc_cache_noprof(void *cache, gfp_t flags, unsigned long size)
	__attribute__((__alloc_size__(3)));
void kfree(const void *p);

static inline __attribute__((__always_inline__)) void *kmalloc(unsigned long size, gfp_t flags)
{
	return __kmalloc_cache_noprof(NULL, flags, size);
}

#endif
