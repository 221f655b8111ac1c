// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ledger.h"
#include "core/machine_state.h"
#include "core/sysfile.h"
#include "core/trace_pipe.h"
#include "subject/callbacks.h"
#include "subject/offsets.h"

#define INSTANCE	"subject"
#define SLEEP_INSTANCE	"sleep"
#define PROFILE		"/sys/kernel/tracing/kprobe_profile"

const char *callbacks_trace(bool sleep)
{
	return machine_trace(sleep ? SLEEP_INSTANCE : INSTANCE, "trace_pipe");
}

static int set(const char *instance, const char *file, const char *value)
{
	return ledger_write(machine_trace(instance, file), value, strlen(value));
}

/* With a clock that a reader has as well */
static int make(pid_t program, const char *instance)
{
	int err = ledger_mkdir(program, machine_trace(instance, ""));

	return err ?: set(instance, "trace_clock", "mono");
}

static int make_instance(pid_t program)
{
	return make(program, INSTANCE);
}

static int watch_hlist(void)
{
	const struct offsets *at = offsets_get();
	char what[256];

	snprintf(what, sizeof(what),
		 "p __mmu_notifier_register mm=$arg2:x64 start=+%d(+%d($arg1)):symbol end=+%d(+%d($arg1)):symbol",
		 at->range_start, at->ops, at->range_end, at->ops);
	return machine_probe(INSTANCE, "register_hlist", what);
}

static int watch_interval(const char *name, const char *function)
{
	const struct offsets *at = offsets_get();
	char what[256], two[64] = "";

	if (at->two >= 0)
		snprintf(two, sizeof(two), " two=+%d($arg5):symbol", at->two);
	snprintf(what, sizeof(what), "p %s mm=$arg2:x64 one=+%d($arg5):symbol%s", function,
		 at->one, two);
	return machine_probe(INSTANCE, name, what);
}

static void drop_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

int callbacks_watch(void)
{
	int err = machine_once(make_instance);

	err = err ?: watch_hlist();
	err = err ?: watch_interval("register_interval", "mmu_interval_notifier_insert");
	err = err ?: watch_interval("register_locked", "mmu_interval_notifier_insert_locked");
	err = err ?: trace_pipe_take(callbacks_trace(false), drop_line, NULL);
	return err == -EPIPE ? 0 : err;
}

struct search {
	struct callbacks *callbacks;
	pid_t pid;
	bool too_many;
};

/* "comm-12      [000] ...": the thread that was traced, or 0 */
static pid_t thread_of(const char *line)
{
	const char *at = strstr(line, " [");
	pid_t pid = 0;

	while (at && at > line && *at == ' ')
		at--;
	while (at && at > line && *at >= '0' && *at <= '9')
		at--;
	if (at)
		sscanf(at, "-%d", &pid);
	return pid;
}

static bool is_of(pid_t pid, pid_t thread)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, thread);
	return thread && !access(path, F_OK);
}

/* @key=name+0x0/0x10 [module]. False if the driver left it NULL. */
static bool read_symbol(const char *line, const char *key, struct callback *callback)
{
	const char *at = strstr(line, key);

	*callback = (struct callback) {};
	if (!at)
		return false;
	at += strlen(key);
	if (sscanf(at, "%55[^+ ]+0x%*x/0x%*x [%55[^]]]", callback->name,
		   callback->module) < 1)
		return false;
	return strncmp(callback->name, "0x", 2) && *callback->name != '(';
}

static void add(struct search *search, const struct callback *callback)
{
	struct callbacks *all = search->callbacks;
	unsigned int i;

	for (i = 0; i < all->nr; i++)
		if (!strcmp(all->list[i].name, callback->name))
			return;
	if (all->nr == CALLBACKS_MAX)
		search->too_many = true;
	else
		all->list[all->nr++] = *callback;
}

static void take_registration(const char *line, void *arg)
{
	struct search *search = arg;
	const char *mm = strstr(line, " mm=0x");
	struct callback found, other;
	uint64_t value;

	if (!strstr(line, ": register_") || !is_of(search->pid, thread_of(line)) || !mm ||
	    sscanf(mm, " mm=0x%lx", &value) != 1)
		return;
	search->callbacks->mm = value;
	if (read_symbol(line, " start=", &found)) {
		found.kind = read_symbol(line, " end=", &other) ? RULE_HLIST_END : RULE_HLIST;
		add(search, &found);
	}
	if (read_symbol(line, " two=", &found))
		found.kind = RULE_INTERVAL_TWO_PASS;
	else if (read_symbol(line, " one=", &found))
		found.kind = RULE_INTERVAL;
	if (found.kind)
		add(search, &found);
}

/* The range is the second argument of all of them. */
static int trace_calls(const struct callback *callback)
{
	const struct offsets *at = offsets_get();
	char name[64], what[256];
	int err;

	snprintf(name, sizeof(name), "call_%s", callback->name);
	snprintf(what, sizeof(what),
		 "p %s%s%s mm=+%d($arg2):x64 start=+%d($arg2):x64 end=+%d($arg2):x64 flags=+%d($arg2):u32 event=+%d($arg2):u32",
		 callback->module, *callback->module ? ":" : "", callback->name, at->mm,
		 at->start, at->end, at->flags, at->event);
	err = machine_probe(INSTANCE, name, what);
	snprintf(name, sizeof(name), "done_%s", callback->name);
	snprintf(what, sizeof(what), "r %s%s%s ret=$retval:%s", callback->module,
		 *callback->module ? ":" : "", callback->name,
		 rule_is_interval(callback->kind) ? "u8" : "s32");
	return err ?: machine_probe(INSTANCE, name, what);
}

int callbacks_find(struct callbacks *callbacks, pid_t pid)
{
	struct search search = { .callbacks = callbacks, .pid = pid };
	unsigned int i;
	int err;

	*callbacks = (struct callbacks) {};
	err = trace_pipe_take(callbacks_trace(false), take_registration, &search);
	for (i = 0; i < callbacks->nr && !err; i++)
		err = trace_calls(&callbacks->list[i]);
	return err ?: search.too_many ? -E2BIG : 0;
}

bool callbacks_are_mixed(const struct callbacks *callbacks)
{
	unsigned int i, nr_interval = 0;

	for (i = 0; i < callbacks->nr; i++)
		nr_interval += rule_is_interval(callbacks->list[i].kind);
	return nr_interval && nr_interval < callbacks->nr;
}

/* All calls of callbacks are there, too. */
static int make_sleep_instance(pid_t program)
{
	int err = make(program, SLEEP_INSTANCE);
	char enable[64];

	snprintf(enable, sizeof(enable), "events/" MACHINE_PROBES "/enable", program);
	return err ?: set(SLEEP_INSTANCE, enable, "1");
}

/*
 * What may sleep, as a driver calls it; what really sleeps ends in schedule(). An inline
 * function is not seen, nor one that this kernel has not; a lock counts although nobody
 * holds it. By probes: to the function tracer each name is a look at all functions, which
 * takes seconds under TCG.
 */
int callbacks_watch_sleep(pid_t thread)
{
	static const char * const may_sleep[] = {
		"schedule", "schedule_timeout", "io_schedule", "msleep",
		"usleep_range_state", "mutex_lock", "mutex_lock_interruptible",
		"mutex_lock_killable", "mutex_lock_io", "mutex_lock_nested",
		"ww_mutex_lock", "rt_mutex_lock", "down", "down_read", "down_write",
		"wait_for_completion", "wait_for_completion_timeout", "__flush_work",
		"__flush_workqueue", "synchronize_rcu", "synchronize_srcu",
		"dma_resv_wait_timeout", "dma_fence_wait_timeout",
	};
	int err = machine_once(make_sleep_instance);
	char name[64], what[64], pid[16];
	unsigned int i, nr = 0;

	snprintf(pid, sizeof(pid), "%d", thread);
	err = err ?: machine_write(machine_trace(SLEEP_INSTANCE, "set_event_pid"), pid);
	for (i = 0; !err && i < sizeof(may_sleep) / sizeof(may_sleep[0]); i++) {
		snprintf(name, sizeof(name), "sleep_%s", may_sleep[i]);
		snprintf(what, sizeof(what), "p %s", may_sleep[i]);
		nr += !machine_probe(SLEEP_INSTANCE, name, what);
	}
	return err ?: nr ? 0 : -ENOENT;
}

/* Of another's probes with such names as well; then they only void more. */
static bool is_ours(const char *event)
{
	return !strncmp(event, "call_", 5) || !strncmp(event, "done_", 5) ||
	       !strncmp(event, "register_", 9);
}

long callbacks_missed(void)
{
	FILE *file = fopen(PROFILE, "re");
	long missed = 0, misses;
	char line[256], event[128];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%127s %*d %ld", event, &misses) == 2 && is_ours(event))
			missed += misses;
	fclose(file);
	return missed;
}
