/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the marks mean that rewrite.py puts into a file, and the entries from which
 * the analyzer walks into a callback. clang_analyzer_dump() is a message of the
 * analyzer (debug.ExprInspection) on the first path that leads there.
 */
#ifndef STATIC_MARKS_H
#define STATIC_MARKS_H

void clang_analyzer_dump();	/* of a value of any type */
int static_any(void);

#define STATIC_RECLAIM 0x400u	/* __GFP_DIRECT_RECLAIM, and the unit checks it */

#ifdef STATIC_NONBLOCK
#define STATIC_FLAGS 0
#define STATIC_SLEEPS(f) (clang_analyzer_dump("sleeps " #f), f)
#define STATIC_GFP(f, flags)						\
	(((flags) & STATIC_RECLAIM) ?					\
	 clang_analyzer_dump("sleeps " #f) : (void)0, f)
#else
#define STATIC_FLAGS 1	/* MMU_NOTIFIER_RANGE_BLOCKABLE */
#define STATIC_SLEEPS(f) f
#define STATIC_GFP(f, flags) ((void)(flags), f)
#endif

/* The one non-blockable caller knows its event; a blockable one may have any. */
#ifdef STATIC_NONBLOCK
#define STATIC_RANGE(from)						\
	struct mmu_notifier_range range = *(from);			\
	range.flags = STATIC_FLAGS;					\
	range.event = STATIC_EVENT
#else
#define STATIC_RANGE(from)						\
	struct mmu_notifier_range range = *(from);			\
	range.flags = STATIC_FLAGS
#endif

/*
 * A range that was started holds memory that its end frees, for the checker of
 * leaks to see what is started and not ended, and what is ended and not started.
 * static_never is what it holds before.
 */
void *malloc(unsigned long size);
void free(void *p);
extern char static_never[1];

#define STATIC_INIT(r, ...) ({						\
	mmu_notifier_range_init(r, __VA_ARGS__);			\
	(r)->owner = static_never;					\
})
#define STATIC_INIT_OWNER(r, ...) ({					\
	mmu_notifier_range_init_owner(r, __VA_ARGS__);			\
	(r)->owner = static_never;					\
})
#define STATIC_START(r) ({						\
	struct mmu_notifier_range *static_r = (r);			\
									\
	static_r->owner = malloc(1);					\
	if (!static_r->owner)						\
		__builtin_unreachable();				\
	clang_analyzer_dump("started");					\
})
#define STATIC_START_NONBLOCK(r) ({					\
	int static_ret = 0;						\
									\
	if (static_any())						\
		static_ret = -11;					\
	else								\
		STATIC_START(r);					\
	static_ret;							\
})
#define STATIC_END(r) ({						\
	clang_analyzer_dump("ended");					\
	free((r)->owner);						\
})

#define STATIC_INVALIDATE_RANGE_START(fn, has_end)			\
void static_entry(struct mmu_notifier *mn, struct mmu_notifier_range *from) \
{									\
	int ret;							\
									\
	STATIC_RANGE(from);						\
	ret = fn(mn, &range);						\
	if (!ret)							\
		clang_analyzer_dump("legal");				\
	else if (STATIC_FLAGS || ret != -11)				\
		clang_analyzer_dump(ret);				\
	else if (has_end)						\
		clang_analyzer_dump("fails, has end");			\
	else								\
		clang_analyzer_dump("legal");				\
}

#define STATIC_INVALIDATE_RANGE_END(fn)					\
void static_entry(struct mmu_notifier *mn, struct mmu_notifier_range *from) \
{									\
	STATIC_RANGE(from);						\
	fn(mn, &range);							\
	clang_analyzer_dump("legal");					\
}

#define STATIC_INVALIDATE(fn)						\
void static_entry(struct mmu_interval_notifier *mn,			\
		  struct mmu_notifier_range *from, unsigned long seq)	\
{									\
	STATIC_RANGE(from);						\
	if (fn(mn, &range, seq) || !STATIC_FLAGS)			\
		clang_analyzer_dump("legal");				\
	else								\
		clang_analyzer_dump("false");				\
}

/* The second pass is run in the context of the first. */
#define STATIC_INVALIDATE_START(fn, finish_fn)				\
void static_entry(struct mmu_interval_notifier *mn,			\
		  struct mmu_notifier_range *from, unsigned long seq)	\
{									\
	struct mmu_interval_notifier_finish *finish = (void *)0;	\
	_Bool ret;							\
									\
	STATIC_RANGE(from);						\
	ret = fn(mn, &range, seq, &finish);				\
	if (ret && finish) {						\
		finish_fn(finish);					\
		clang_analyzer_dump("finished");			\
	}								\
	if (ret || !STATIC_FLAGS)					\
		clang_analyzer_dump("legal");				\
	else								\
		clang_analyzer_dump("false");				\
}

#endif /* STATIC_MARKS_H */
