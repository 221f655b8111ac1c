// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/victim_thread.h"

#define STACK_SIZE	(64 * 1024)

static void *victim_thread_main(void *arg)
{
	struct victim_thread victim_thread = *(struct victim_thread *)arg;

	free(arg);
	victim_obey(victim_thread.orders, victim_thread.answers);
	return NULL;
}

static int start_thread(struct victim_thread *victim_thread)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	return -pthread_create(&thread, &attr, victim_thread_main, victim_thread);
}

/* In the victim: the caller's ends of two new pipes as two halves, or -errno */
static long do_start(const struct victim_args *args)
{
	struct victim_thread *victim_thread = malloc(sizeof(*victim_thread));
	int orders[2], answers[2], err;

	(void)args;
	if (!victim_thread)
		return -ENOMEM;
	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		return -errno;
	*victim_thread = (struct victim_thread) { .orders = orders[0], .answers = answers[1] };
	err = start_thread(victim_thread);
	return err ? err : (long)orders[1] << 32 | answers[0];
}

static long do_close(const struct victim_args *args)
{
	return close(args->arg[0]) || close(args->arg[1]) ? -errno : 0;
}

int victim_thread_start(struct victim_thread *victim_thread, struct victim *victim)
{
	struct victim_args args = {};
	long result;
	int err;

	err = victim_call(victim, do_start, &args, &result);
	if (err || result < 0)
		return err ? err : (int)result;
	args.arg[0] = result >> 32;
	args.arg[1] = (unsigned int)result;
	*victim_thread = (struct victim_thread) {
		.orders = victim_getfd(victim, args.arg[0]),
		.answers = victim_getfd(victim, args.arg[1]),
		.bound_ms = VICTIM_BOUND_MS,
	};
	err = victim_call(victim, do_close, &args, &result);
	if (err || result < 0)
		return err ? err : (int)result;
	return victim_thread->orders < 0 || victim_thread->answers < 0 ? -EBADF : 0;
}

void victim_thread_close(struct victim_thread *victim_thread)
{
	close(victim_thread->orders);
	close(victim_thread->answers);
	*victim_thread = (struct victim_thread) { .orders = -1, .answers = -1 };
}

static struct victim as_victim(struct victim_thread *victim_thread)
{
	return (struct victim) {
		.orders = victim_thread->orders,
		.answers = victim_thread->answers,
		.ordered = victim_thread->ordered++,
		.bound_ms = victim_thread->bound_ms,
	};
}

int victim_thread_order(struct victim_thread *victim_thread,
			long (*fn)(const struct victim_args *),
			const struct victim_args *args)
{
	struct victim victim = as_victim(victim_thread);

	return victim_order(&victim, fn, args);
}

int victim_thread_call(struct victim_thread *victim_thread, int gone,
		       long (*fn)(const struct victim_args *),
		       const struct victim_args *args, long *result)
{
	struct victim victim = as_victim(victim_thread);
	int err = victim_order(&victim, fn, args);

	return err ?: victim_answer_unless(&victim, gone, result);
}
