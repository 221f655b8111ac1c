// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "stress/stress_process.h"

struct conductor {
	struct stress *stress;
	int questions, orders;
	struct slot slots[STRESS_SLOTS];
	pthread_barrier_t barrier;
	bool finish;
};

static int step(struct conductor *conductor, unsigned int thread,
		const struct op *op)
{
	struct stress *stress = conductor->stress;
	uint64_t began = stress_now(), took;
	int ret;

	stress->busy[thread].op = *op;
	stress->busy[thread].since = began;
	ret = slot_step(&conductor->slots[op->slot], op);
	stress->busy[thread].since = 0;
	took = stress_now() - began;
	if (took > stress->busy[thread].slowest)
		stress->busy[thread].slowest = took;
	if (!ret)
		atomic_fetch_add(&stress->ran[op->kind], 1);
	return ret;
}

static int count_all(struct conductor *conductor)
{
	struct stress *stress = conductor->stress;
	unsigned int i;

	stress->epoch = (struct model) { .forgets = stress->options.forgets };
	for (i = 0; i < STRESS_SLOTS; i++)
		if (slot_count(&conductor->slots[i], &stress->epoch))
			return -1;
	return 0;
}

static void commit_all(struct conductor *conductor)
{
	struct stress *stress = conductor->stress;
	uint64_t noise = stress->noise_heard;
	unsigned int i;

	for (i = 0; i < STRESS_SLOTS; i++) {
		slot_commit(&conductor->slots[i]);
		noise += slot_noise(&conductor->slots[i]);
	}
	stress->noise_ordered = noise;
}

/*
 * Returns the master's order, or -1. No step is being made. @touched: the slot
 * that may have changed since the last checkpoint, -1: all
 */
static int checkpoint(struct conductor *conductor, int touched)
{
	struct stress *stress = conductor->stress;
	char order = STRESS_COUNT_AGAIN;
	unsigned int i;

	while (order == STRESS_COUNT_AGAIN) {
		if (count_all(conductor))
			return -1;
		if (write(conductor->questions, "", 1) != 1 ||
		    read(conductor->orders, &order, 1) != 1)
			return stress_fail(stress, STRESS_FAULT_SETUP,
					   "no order: %s", strerror(errno));
	}
	commit_all(conductor);
	for (i = 0; i < STRESS_SLOTS; i++)
		if ((touched < 0 || i == (unsigned int)touched) &&
		    slot_sound(&conductor->slots[i]))
			return -1;
	return order;
}

static int finish_own(struct conductor *conductor, unsigned int thread)
{
	struct op op = { .kind = OP_FINISH, .thread = thread };

	for (op.slot = thread; op.slot < STRESS_SLOTS;
	     op.slot += STRESS_THREADS)
		if (step(conductor, thread, &op) < 0)
			return -1;
	return 0;
}

struct player {
	struct conductor *conductor;
	unsigned int thread;
	pthread_t id;
};

/* Steps up to the next checkpoint, or to a fault of anybody */
static void play(struct player *player, struct op_stream *stream)
{
	struct stress *stress = player->conductor->stress;
	unsigned int i;
	struct op op;

	for (i = 0; i < stress->options.steps && !stress->fault; i++) {
		op_next(stream, &op);
		if (step(player->conductor, player->thread, &op) < 0)
			break;
	}
}

static void *player_main(void *arg)
{
	struct player *player = arg;
	struct conductor *conductor = player->conductor;
	struct op_stream stream;

	op_begin(&stream, &stress_world, conductor->stress->options.seed,
		 player->thread);
	while (!conductor->finish) {
		play(player, &stream);
		pthread_barrier_wait(&conductor->barrier);
		/* The main thread makes a checkpoint. */
		pthread_barrier_wait(&conductor->barrier);
	}
	/* Each its own, since it traces them. */
	finish_own(conductor, player->thread);
	pthread_barrier_wait(&conductor->barrier);
	return NULL;
}

static int start_players(struct conductor *conductor,
			 struct player players[STRESS_THREADS])
{
	unsigned int i;
	int err;

	pthread_barrier_init(&conductor->barrier, NULL, STRESS_THREADS + 1);
	for (i = 0; i < STRESS_THREADS; i++) {
		players[i].conductor = conductor;
		players[i].thread = i;
		err = pthread_create(&players[i].id, NULL, player_main,
				     &players[i]);
		if (err)
			return stress_fail(conductor->stress,
					   STRESS_FAULT_SETUP, "thread: %s",
					   strerror(err));
	}
	return 0;
}

static int run_threads(struct conductor *conductor)
{
	struct stress *stress = conductor->stress;
	struct player players[STRESS_THREADS];
	int order = STRESS_GO_ON;

	if (start_players(conductor, players))
		return -1;
	while (order == STRESS_GO_ON) {
		pthread_barrier_wait(&conductor->barrier);
		order = stress->fault ? -1 : checkpoint(conductor, -1);
		if (order < 0)
			return -1;
		conductor->finish = order == STRESS_FINISH;
		pthread_barrier_wait(&conductor->barrier);
	}
	pthread_barrier_wait(&conductor->barrier);
	return stress->fault ? -1 : checkpoint(conductor, -1);
}

static int run_ops(struct conductor *conductor)
{
	const struct stress_options *options = &conductor->stress->options;
	const struct op *op;
	int ret, order = STRESS_GO_ON;
	unsigned int i;

	for (i = 0; i < options->nr_ops && order == STRESS_GO_ON; i++) {
		conductor->stress->position = i;
		op = &options->ops[i];
		ret = step(conductor, 0, op);
		if (!ret)
			order = checkpoint(conductor, op->slot);
		if (ret < 0 || order < 0)
			return -1;
	}
	for (i = 0; i < STRESS_THREADS; i++)
		if (finish_own(conductor, i))
			return -1;
	return checkpoint(conductor, -1);
}

void conductor_main(struct stress *stress, int questions, int orders)
{
	static struct conductor conductor;
	unsigned int i;
	int file, ret;

	conductor.stress = stress;
	conductor.questions = questions;
	conductor.orders = orders;
	file = arena_file();
	for (i = 0; i < STRESS_SLOTS; i++)
		slot_init(&conductor.slots[i], stress, i, file);
	if (file < 0)
		ret = stress_fail(stress, STRESS_FAULT_SETUP, "memfd: %s",
				  strerror(-file));
	else
		ret = stress->threads ? run_threads(&conductor) :
					run_ops(&conductor);
	_exit(ret < 0);
}
