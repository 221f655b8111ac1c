/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_CLEANUP_H
#define _LINUX_CLEANUP_H
#include <linux/kernel.h>

#define DEFINE_GUARD(_name, _type, _lock, _unlock)			\
typedef _type class_##_name##_t;					\
static inline void class_##_name##_destructor(_type *p)			\
{ _type _T = *p; if (_T) { _unlock; } }					\
static inline _type class_##_name##_constructor(_type _T)		\
{ _type t = ({ _lock; _T; }); return t; }

#define CLASS(_name, var)						\
	class_##_name##_t var						\
	__attribute__((__cleanup__(class_##_name##_destructor))) =	\
	class_##_name##_constructor
#define __CONCAT(a, b) a##b
#define __UNIQUE(a, b) __CONCAT(a, b)
#define guard(_name) CLASS(_name, __UNIQUE(guard_, __COUNTER__))
#define scoped_guard(_name, args...)					\
	for (CLASS(_name, scope)(args), *done = NULL;			\
	     scope && !done; done = (void *)1)

#endif
