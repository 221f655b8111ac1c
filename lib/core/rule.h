/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rule under test, as data: what a notifier's return value has to lead to.
 *
 * It follows mn_itree_invalidate(), mn_hlist_invalidate_range_start() and
 * __mmu_notifier_invalidate_range_start() of mm/mmu_notifier.c as they are meant,
 * without their known bugs. No libc here: the kernel can compile it, too.
 */
#ifndef HMM_NOTIFIER_CORE_RULE_H
#define HMM_NOTIFIER_CORE_RULE_H

/* The order of HMM_DMIRROR_INTERVAL... in test_hmm_uapi.h */
enum rule_kind {
	RULE_INTERVAL = 1,
	RULE_HLIST,
	RULE_HLIST_END,
	RULE_INTERVAL_TWO_PASS,
	RULE_IDLE,		/* an hlist notifier that has no callback */
};

/* Where mm/mmu_notifier.c WARNs; the last one is for all other places. */
enum rule_site {
	RULE_SITE_INTERVAL_RELEASE,
	RULE_SITE_INTERVAL,
	RULE_SITE_HLIST,
	RULE_SITE_HLIST_END,
	RULE_NR_SITES,
};

/* In which context a callback is called */
enum rule_context {
	RULE_NON_BLOCKABLE,
	RULE_BLOCKABLE,
	RULE_RELEASE,		/* MMU_NOTIFY_RELEASE, for interval notifiers */
	RULE_NR_CONTEXTS,
};

/* What one call of one callback leads to */
struct rule_outcome {
	unsigned char warns[RULE_NR_SITES];
	unsigned char message;	/* 1: a line "callback failed with" */
	unsigned char fails;	/* 1: the start fails; user space sees -EAGAIN */
	unsigned char finishes;	/* 1: a second pass, if the first one asks for it */
};

/* One notifier of an mm, and what its callback returns */
struct rule_notifier {
	enum rule_kind kind;
	int ret;		/* hlist: an errno; interval: 0 false, 1 true */
	int no_finish;		/* two-pass: asks for no second pass */
};

#define RULE_MAX_NOTIFIERS 16

/* What one invalidation of an mm leads to, start and end; arrays by notifier */
struct rule_result {
	unsigned int warns[RULE_NR_SITES];
	unsigned int messages;
	unsigned char fails;
	unsigned char calls[RULE_MAX_NOTIFIERS];
	unsigned char ends[RULE_MAX_NOTIFIERS];
	unsigned char finishes[RULE_MAX_NOTIFIERS];
};

int rule_is_interval(enum rule_kind kind);

/* What a callback that returns @ret leads to. @context is an enum rule_context. */
const struct rule_outcome *rule_expect(enum rule_kind kind, int context,
				       int ret);

/*
 * What one invalidation leads to, if its range is in that of all @nr notifiers. They are
 * in the order in which the kernel calls them: interval notifiers first.
 */
void rule_predict(const struct rule_notifier *notifiers, unsigned int nr,
		  int context, struct rule_result *result);

#endif
