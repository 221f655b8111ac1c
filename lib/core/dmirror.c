// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/bounded.h"
#include "core/dmirror.h"

#define HIT_MS	10000

/* The sizes of the ABI: the patched module has the same. */
_Static_assert(sizeof(struct hmm_dmirror_notifier) == 48, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_fail_point) == 72, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_counts) == 1064, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_call) == 24, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_calls) == 32, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_watch) == 112, "ABI");
_Static_assert(sizeof(struct hmm_dmirror_seen) == 168, "ABI");

/* One number serves as the device's kind and as the rule's. */
#define SAME_AS_RULE(name, value) \
	_Static_assert((int)HMM_DMIRROR_##name == (int)(value), "rule.h")
SAME_AS_RULE(INTERVAL, RULE_INTERVAL);
SAME_AS_RULE(HLIST, RULE_HLIST);
SAME_AS_RULE(HLIST_END, RULE_HLIST_END);
SAME_AS_RULE(INTERVAL_TWO_PASS, RULE_INTERVAL_TWO_PASS);
SAME_AS_RULE(IDLE, RULE_IDLE);
SAME_AS_RULE(NON_BLOCKABLE, 1 << RULE_NON_BLOCKABLE);
SAME_AS_RULE(BLOCKABLE, 1 << RULE_BLOCKABLE);

static int device_ioctl(int fd, unsigned long command, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, command, arg);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

int dmirror_open(const char *node)
{
	struct hmm_dmirror_counts counts;
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* The mirror's own notifier counts from the first such ioctl on. */
	dmirror_counts(fd, 0, &counts);
	return fd;
}

static int try_node(void *node)
{
	struct hmm_dmirror_calls calls = {};
	int fd = dmirror_open(node);

	if (fd < 0)
		return fd == -ENXIO || fd == -ENODEV ? -ENOENT :
		       fd == -ENOENT ? fd : -EACCES;
	return device_ioctl(fd, HMM_DMIRROR_CALLS, &calls);
}

/*
 * Each test is a process, and this holds for all of a program: that a node is there. Why
 * it is not is looked at each time. Without the memory, so is either.
 */
static bool *is_there;

static void __attribute__((constructor)) share_with_all_tests(void)
{
	void *page = mmap(NULL, 2 * sizeof(*is_there), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	is_there = page == MAP_FAILED ? NULL : page;
}

/*
 * NUMA balancing leaves memory alone that has a policy without MPOL_F_MOF
 * (vma_policy_mof() in mm/mempolicy.c). This one is such, and allocates as the default
 * does. The children inherit it.
 */
static void __attribute__((constructor)) keep_numa_balancing_off(void)
{
	syscall(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0);
}

static bool *known(const char *node)
{
	return is_there ? &is_there[!strcmp(node, DMIRROR_BARE)] : NULL;
}

const char *dmirror_why_not(const char *node)
{
	bool *there = known(node);

	if (geteuid())
		return "must be root to fail notifiers";
	if (there && *there)
		return NULL;
	/* In a child: an mm that once had a notifier keeps its notifier_subscriptions. */
	switch (bounded_call(try_node, (void *)node)) {
	case 0:
		if (there)
			*there = true;
		return NULL;
	case -ENOENT:
		return "no test_hmm module with fail points (CONFIG_TEST_HMM, modprobe test_hmm)";
	case -EACCES:
		return "can't open the node of test_hmm";
	case -EPERM:
		return "CAP_SYS_ADMIN is missing";
	default:
		return "test_hmm has no fail points";
	}
}

static int try_two_pass(void *node)
{
	int fd = dmirror_open(node);

	return fd < 0 ? fd : dmirror_add(fd, 1, HMM_DMIRROR_INTERVAL_TWO_PASS,
					 0, getpagesize());
}

const char *dmirror_why_not_two_pass(const char *node)
{
	if (bounded_call(try_two_pass, (void *)node) != -EOPNOTSUPP)
		return NULL;
	return "no two-pass interval notifiers (Linux 7.1 and later)";
}

int dmirror_add_flags(int fd, unsigned int id, unsigned int kind,
		      uintptr_t start, uintptr_t end, uint64_t flags)
{
	struct hmm_dmirror_notifier arg = {
		.id = id,
		.kind = kind,
		.start = start,
		.end = end,
		.flags = flags,
	};

	return device_ioctl(fd, HMM_DMIRROR_NOTIFIER_ADD, &arg);
}

int dmirror_add(int fd, unsigned int id, unsigned int kind, uintptr_t start,
		uintptr_t end)
{
	return dmirror_add_flags(fd, id, kind, start, end, 0);
}

int dmirror_del(int fd, unsigned int id)
{
	struct hmm_dmirror_notifier arg = { .id = id };

	return device_ioctl(fd, HMM_DMIRROR_NOTIFIER_DEL, &arg);
}

int dmirror_read_begin(int fd, unsigned int id)
{
	struct hmm_dmirror_notifier arg = { .id = id };

	return device_ioctl(fd, HMM_DMIRROR_NOTIFIER_READ, &arg);
}

int dmirror_arm(int fd, struct hmm_dmirror_fail_point *fail)
{
	return device_ioctl(fd, HMM_DMIRROR_FAIL_POINT, fail);
}

int dmirror_disarm_hits(int fd, unsigned int id, __u64 *hits)
{
	struct hmm_dmirror_fail_point arg = { .id = id };
	int err = dmirror_arm(fd, &arg);

	*hits = arg.hits;
	return err;
}

int dmirror_disarm(int fd, unsigned int id)
{
	__u64 hits;

	return dmirror_disarm_hits(fd, id, &hits);
}

int dmirror_counts(int fd, unsigned int id, struct hmm_dmirror_counts *counts)
{
	*counts = (struct hmm_dmirror_counts) { .id = id };
	return device_ioctl(fd, HMM_DMIRROR_COUNTS, counts);
}

int dmirror_await_hit(int fd, unsigned int id)
{
	struct hmm_dmirror_counts counts;
	unsigned int waited;
	int err = 0;

	for (waited = 0; !err && waited < HIT_MS; waited++) {
		err = dmirror_counts(fd, id, &counts);
		if (!err && counts.hits)
			return 0;
		usleep(1000);
	}
	return err ?: -ETIMEDOUT;
}

uint64_t dmirror_sum(const __u64 counts[HMM_DMIRROR_NR_EVENTS])
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < HMM_DMIRROR_NR_EVENTS; i++)
		sum += counts[i];
	return sum;
}

enum rule_context dmirror_context(const struct hmm_dmirror_call *call)
{
	return call->flags & HMM_DMIRROR_CALL_WAS_BLOCKABLE ? RULE_BLOCKABLE :
							      RULE_NON_BLOCKABLE;
}

static int take_log(int fd, unsigned long command, void *records, unsigned int nr)
{
	struct hmm_dmirror_calls arg = {
		.ptr = (uintptr_t)records,
		.nr = nr,
		.flags = HMM_DMIRROR_RESET,
	};
	int err = device_ioctl(fd, command, &arg);

	if (err)
		return err;
	return arg.total > arg.nr ? -EOVERFLOW : (int)arg.nr;
}

int dmirror_calls(int fd, struct hmm_dmirror_call *calls, unsigned int nr)
{
	return take_log(fd, HMM_DMIRROR_CALLS, calls, nr);
}

int dmirror_seen(int fd, struct hmm_dmirror_seen *seen, unsigned int nr)
{
	return take_log(fd, HMM_DMIRROR_SEEN, seen, nr);
}

const struct hmm_dmirror_entry *dmirror_seen_of(const struct hmm_dmirror_seen *seen,
						uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < HMM_DMIRROR_NR_ENTRIES; i++)
		if (seen->entry[i].addr == addr && seen->entry[i].level)
			return &seen->entry[i];
	return NULL;
}

int dmirror_watch(int fd, struct hmm_dmirror_watch *watch)
{
	return device_ioctl(fd, HMM_DMIRROR_WATCH, watch);
}

static int transfer(int fd, unsigned long command, uintptr_t addr,
		    void *buffer, size_t pages)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = addr,
		.ptr = (uintptr_t)buffer,
		.npages = pages,
	};
	int err = device_ioctl(fd, command, &cmd);

	if (!err && cmd.cpages != pages)
		err = -EIO;
	return err;
}

int dmirror_read(int fd, uintptr_t addr, void *buffer, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_READ, addr, buffer, pages);
}

int dmirror_write(int fd, uintptr_t addr, void *buffer, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_WRITE, addr, buffer, pages);
}

int dmirror_read_page(int fd, uintptr_t addr, void *page)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = addr,
		.ptr = (uintptr_t)page,
		.npages = 1,
	};
	int err = device_ioctl(fd, HMM_DMIRROR_READ, &cmd);

	return err ? err : cmd.faults > 0;
}

int dmirror_migrate_to_device(int fd, uintptr_t addr, void *buffer, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_MIGRATE_TO_DEV, addr, buffer, pages);
}

int dmirror_migrate_to_system(int fd, uintptr_t addr, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_MIGRATE_TO_SYS, addr, NULL, pages);
}

int dmirror_exclusive(int fd, uintptr_t addr, void *buffer, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_EXCLUSIVE, addr, buffer, pages);
}

int dmirror_snapshot(int fd, uintptr_t addr, unsigned char *prot, size_t pages)
{
	return transfer(fd, HMM_DMIRROR_SNAPSHOT, addr, prot, pages);
}
