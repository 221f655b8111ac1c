// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/posix_types.h> /* else sys/sysinfo.h would take a smaller one of tools/include */
#include <numa.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oom/memory_hog.h"

#define STACK_BYTES	16384

int memory_hog_node(void)
{
	int node;

	if (numa_available() < 0)
		return -1;
	for (node = numa_max_node(); node > 0; node--)
		if (numa_bitmask_isbitset(numa_get_mems_allowed(), node) &&
		    numa_node_size64(node, NULL) > 0)
			return node;
	return -1;
}

static long do_bind(const struct victim_args *args)
{
	struct bitmask *nodes = numa_allocate_nodemask();

	numa_bitmask_setbit(nodes, args->arg[0]);
	numa_bind(nodes);
	/* numa_bind() has no result, so ask. */
	return numa_bitmask_equal(nodes, numa_get_membind()) ? 0 : -EINVAL;
}

int memory_hog_bind(struct victim *victim)
{
	struct victim_args args = { .arg = { memory_hog_node() } };
	long result;
	int err = victim_call(victim, do_bind, &args, &result);

	return err ? err : (int)result;
}

static long do_take(const struct victim_args *args)
{
	enum memory_hog_kind kind = args->arg[1];
	size_t bytes = args->arg[0];
	volatile char *memory, *at;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	/* Fails without THP, and does not matter then. */
	madvise((void *)memory, bytes, kind == MEMORY_HOG_SMALL ?
				       MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	if (kind == MEMORY_HOG_HUGE_MBIND) {
		numa_set_bind_policy(1);
		numa_tonode_memory((void *)memory, bytes, memory_hog_node());
	}
	for (at = memory; at < memory + bytes; at += getpagesize())
		*at = 1;
	return 0;
}

int memory_hog_take(struct victim *victim, size_t bytes)
{
	struct victim_args args = { .arg = { bytes, MEMORY_HOG_SMALL } };
	long result;
	int err = victim_call(victim, do_take, &args, &result);

	return err ? err : (int)result;
}

int memory_hog_take_all(struct victim *victim, enum memory_hog_kind kind)
{
	struct victim_args args = { .arg = { 0, kind } };
	struct sysinfo info;

	sysinfo(&info);
	args.arg[0] = 2 * info.mem_unit * (info.totalram + info.totalswap);
	return victim_order(victim, do_take, &args);
}

/*
 * This thread has no thread-local data, so it calls nothing of libc that uses such. Newer
 * architectures have no system call pause().
 */
static int wait_for_death(void *unused)
{
	(void)unused;
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return 0;
}

static int wait_for_death_of_parent(void *parent)
{
	end_with_parent((intptr_t)parent);
	return wait_for_death(NULL);
}

static long do_clone(const struct victim_args *args)
{
	int (*fn)(void *) = args->arg[1] ? wait_for_death_of_parent :
					   wait_for_death;
	char *stack;
	int pid;

	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	pid = clone(fn, stack + STACK_BYTES, args->arg[0],
		    (void *)(intptr_t)getpid());
	return pid < 0 ? -errno : pid;
}

static pid_t start(struct victim *victim, int flags, bool process)
{
	struct victim_args args = { .arg = { flags, process } };
	long result;
	int err = victim_call(victim, do_clone, &args, &result);

	return err ? err : (pid_t)result;
}

pid_t memory_hog_start_thread(struct victim *victim)
{
	return start(victim, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		     CLONE_THREAD | CLONE_SYSVSEM, false);
}

pid_t memory_hog_start_sharer(struct victim *victim)
{
	return start(victim, CLONE_VM | SIGCHLD, true);
}
