// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "stress/victim_thread.h"

#define STACK_SIZE	(64 * 1024)

static void *hand_main(void *arg)
{
	struct hand hand = *(struct hand *)arg;

	free(arg);
	victim_obey(hand.orders, hand.answers);
	return NULL;
}

static int start_thread(struct hand *hand)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	return -pthread_create(&thread, &attr, hand_main, hand);
}

/* In the victim: the caller's ends of two new pipes as two halves, or -errno */
static long do_start(const struct victim_args *args)
{
	struct hand *hand = malloc(sizeof(*hand));
	int orders[2], answers[2], err;

	(void)args;
	if (!hand)
		return -ENOMEM;
	if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		return -errno;
	*hand = (struct hand) { .orders = orders[0], .answers = answers[1] };
	err = start_thread(hand);
	return err ? err : (long)orders[1] << 32 | answers[0];
}

static long do_close(const struct victim_args *args)
{
	return close(args->arg[0]) || close(args->arg[1]) ? -errno : 0;
}

int hand_start(struct hand *hand, struct victim *victim)
{
	struct victim_args args = {};
	long result;
	int err;

	err = victim_call(victim, do_start, &args, &result);
	if (err || result < 0)
		return err ? err : (int)result;
	args.arg[0] = result >> 32;
	args.arg[1] = (unsigned int)result;
	*hand = (struct hand) {
		.orders = victim_getfd(victim, args.arg[0]),
		.answers = victim_getfd(victim, args.arg[1]),
		.bound_ms = VICTIM_BOUND_MS,
	};
	err = victim_call(victim, do_close, &args, &result);
	if (err || result < 0)
		return err ? err : (int)result;
	return hand->orders < 0 || hand->answers < 0 ? -EBADF : 0;
}

void hand_close(struct hand *hand)
{
	close(hand->orders);
	close(hand->answers);
	*hand = (struct hand) { .orders = -1, .answers = -1 };
}

int hand_call(struct hand *hand, int gone,
	      long (*fn)(const struct victim_args *),
	      const struct victim_args *args, long *result)
{
	struct victim victim = {
		.orders = hand->orders,
		.answers = hand->answers,
		.ordered = hand->ordered++,
		.bound_ms = hand->bound_ms,
	};
	int err = victim_order(&victim, fn, args);

	return err ?: victim_answer_unless(&victim, gone, result);
}
