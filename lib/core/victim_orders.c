// SPDX-License-Identifier: GPL-2.0
/*
 * How a victim is told what to do, and how it answers.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "core/victim.h"

/* They have numbers, since the answer to one that timed out may come later. */
struct order {
	uint64_t number;
	long (*fn)(const struct victim_args *args);
	struct victim_args args;
};

struct answer {
	uint64_t number;	/* of the order */
	long result;
};

/* Messages of up to PIPE_BUF are read and written as a whole. */
static bool receive(int fd, void *message, size_t size)
{
	ssize_t len;

	do {
		len = read(fd, message, size);
	} while (len < 0 && errno == EINTR);
	return len == (ssize_t)size;
}

/* Returns 0 or -errno. */
static int send_message(int fd, const void *message, size_t size)
{
	ssize_t len;

	do {
		len = write(fd, message, size);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return len == (ssize_t)size ? 0 : -EIO;
}

void victim_obey(int orders, int answers)
{
	struct answer answer;
	struct order order;

	while (receive(orders, &order, sizeof(order))) {
		answer = (struct answer) { order.number, order.fn(&order.args) };
		if (send_message(answers, &answer, sizeof(answer)))
			break;
	}
}

int victim_order(struct victim *victim, long (*fn)(const struct victim_args *),
		 const struct victim_args *args)
{
	struct order order = {
		.number = ++victim->ordered, .fn = fn, .args = *args,
	};

	return send_message(victim->orders, &order, sizeof(order));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits until @end for an answer. Returns 0, -ETIMEDOUT, or -EPIPE. */
static int wait_for_answer(const struct victim *victim, int gone, int64_t end)
{
	struct pollfd wait[] = {
		{ .fd = victim->answers, .events = POLLIN },
		{ .fd = gone, .events = POLLIN },
	};
	int64_t left;
	int ret;

	do {
		left = end - now_ms();
		ret = poll(wait, 2, left > 0 ? left : 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 1)
		return -ETIMEDOUT;
	return wait[0].revents ? 0 : -EPIPE;
}

int victim_answer_unless(const struct victim *victim, int gone, long *result)
{
	int64_t end = now_ms() + victim->bound_ms;
	struct answer answer;
	int err;

	do {
		err = wait_for_answer(victim, gone, end);
		if (err)
			return err;
		if (!receive(victim->answers, &answer, sizeof(answer)))
			return -EPIPE;
	} while (answer.number != victim->ordered);
	*result = answer.result;
	return 0;
}

int victim_answer(struct victim *victim, long *result)
{
	return victim_answer_unless(victim, -1, result);
}

int victim_call(struct victim *victim, long (*fn)(const struct victim_args *),
		const struct victim_args *args, long *result)
{
	int err = victim_order(victim, fn, args);

	return err ? err : victim_answer(victim, result);
}
