// SPDX-License-Identifier: GPL-2.0
/// An MMU notifier may fail only when it was told not to block, and then only
/// with -EAGAIN; it must not sleep then.  Whoever starts an invalidation ends it.
/// Only the direct cases are seen: no values through variables, no helpers.
///
// Confidence: Moderate
// Options: --no-includes --include-headers

virtual context
virtual org
virtual report

// -- The callbacks

// invalidate, and invalidate_start with one parameter more
@interval@
typedef bool;
identifier fn, mni, r, seq;
@@

bool fn(struct mmu_interval_notifier *mni,
	const struct mmu_notifier_range *r, unsigned long seq, ...)
{
	...
}

@hlist@
identifier ops, fn;
@@

struct mmu_notifier_ops ops = {
	.invalidate_range_start = fn,
};

@ended@
identifier ops, fn, end;
@@

struct mmu_notifier_ops ops = {
	.invalidate_range_start = fn,
	.invalidate_range_end = end,
};

// -- A failure with another value than -EAGAIN

@value exists@
identifier hlist.fn;
constant c != EAGAIN;
position p;
@@

fn(...)
{
	<+...
*	return -c@p;
	...+>
}

@script:python depends on report@
p << value.p;
fn << hlist.fn;
c << value.c;
@@

msg = "%s() returns -%s; an MMU notifier may fail with -EAGAIN only" % (fn, c)
coccilib.report.print_report(p[0], msg)

@script:python depends on org@
p << value.p;
@@

coccilib.org.print_todo(p[0], "MMU notifier fails with another value than -EAGAIN")

// -- A failure without asking

@asked exists@
symbol false;
identifier interval.fn, r;
position p;
@@

fn(..., const struct mmu_notifier_range *r, ...)
{
	... when any
(
	mmu_notifier_range_blockable(r)
|
	r->flags
)
	... when any
	return@p false;
}

@fails exists@
symbol false;
identifier interval.fn;
position p != asked.p;
@@

fn(...)
{
	... when any
*	return@p false;
}

@script:python depends on report@
p << fails.p;
fn << interval.fn;
@@

msg = "%s() fails without asking mmu_notifier_range_blockable()" % fn
coccilib.report.print_report(p[0], msg)

@script:python depends on org@
p << fails.p;
@@

coccilib.org.print_todo(p[0], "MMU notifier fails without asking")

// -- It can fail and has an invalidate_range_end

@both exists@
identifier ended.fn;
position p;
@@

fn(...)
{
	<+...
*	return -EAGAIN@p;
	...+>
}

@script:python depends on report@
p << both.p;
fn << ended.fn;
@@

msg = "%s() can fail, so its ops must not have an invalidate_range_end" % fn
coccilib.report.print_report(p[0], msg)

@script:python depends on org@
p << both.p;
@@

coccilib.org.print_todo(p[0], "MMU notifier that can fail has an invalidate_range_end")

// -- It sleeps without asking

@sleeps exists@
identifier interval.fn, r;
position p;
@@

fn(..., const struct mmu_notifier_range *r, ...)
{
	... when != mmu_notifier_range_blockable(r)
	    when != r->flags
(
*	mutex_lock@p(...);
|
*	down_read@p(...);
|
*	down_write@p(...);
|
*	wait_for_completion@p(...);
)
	... when any
}

@script:python depends on report@
p << sleeps.p;
fn << interval.fn;
@@

msg = "%s() may sleep without asking mmu_notifier_range_blockable()" % fn
coccilib.report.print_report(p[0], msg)

@script:python depends on org@
p << sleeps.p;
@@

coccilib.org.print_todo(p[0], "MMU notifier may sleep without asking")

@hlist_sleeps exists@
identifier hlist.fn, r;
position p;
@@

fn(..., const struct mmu_notifier_range *r)
{
	... when != mmu_notifier_range_blockable(r)
	    when != r->flags
(
*	mutex_lock@p(...);
|
*	down_read@p(...);
|
*	down_write@p(...);
|
*	wait_for_completion@p(...);
)
	... when any
}

@script:python depends on report@
p << hlist_sleeps.p;
fn << hlist.fn;
@@

msg = "%s() may sleep without asking mmu_notifier_range_blockable()" % fn
coccilib.report.print_report(p[0], msg)

@script:python depends on org@
p << hlist_sleeps.p;
@@

coccilib.org.print_todo(p[0], "MMU notifier may sleep without asking")

// -- Callers

@ignored@
position p;
@@

* mmu_notifier_invalidate_range_start_nonblock@p(...);

@script:python depends on report@
p << ignored.p;
@@

coccilib.report.print_report(p[0], "the start may fail, and nobody looks")

@script:python depends on org@
p << ignored.p;
@@

coccilib.org.print_todo(p[0], "the start may fail, and nobody looks")

// whoever ends it if a flag of his own says so
@flagged exists@
identifier r;
position q;
@@

if (...)
	mmu_notifier_invalidate_range_end(&r);
... when any
return@q ...;

@lost exists@
identifier r;
position p, q != flagged.q;
@@

* mmu_notifier_invalidate_range_start@p(&r);
... when != mmu_notifier_invalidate_range_end(&r)
    when != mmu_notifier_invalidate_range_only_end(&r)
if (...) {
	... when != mmu_notifier_invalidate_range_end(&r)
	    when != mmu_notifier_invalidate_range_only_end(&r)
*	return@q ...;
}

@script:python depends on report@
p << lost.p;
q << lost.q;
@@

msg = "returns without an end of the invalidation started in line %s" % p[0].line
coccilib.report.print_report(q[0], msg)

@script:python depends on org@
q << lost.q;
@@

coccilib.org.print_todo(q[0], "returns without an end of the invalidation")
