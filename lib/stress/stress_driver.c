// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "stress/stress_driver.h"
#include "stress/stress_process.h"

struct driver {
	struct stress *stress;
	int questions, orders;
	struct stress_process processes[STRESS_PROCESSES];
	pthread_barrier_t barrier;
	bool finish;
};

static int take_step(struct driver *driver, unsigned int thread,
		     const struct stress_step *step)
{
	struct stress *stress = driver->stress;
	uint64_t began = stress_now(), took;
	int ret;

	stress->busy[thread].step = *step;
	stress->busy[thread].since = began;
	ret = stress_process_step(&driver->processes[step->process], step);
	stress->busy[thread].since = 0;
	took = stress_now() - began;
	if (took > stress->busy[thread].slowest)
		stress->busy[thread].slowest = took;
	if (!ret)
		atomic_fetch_add(&stress->ran[step->kind], 1);
	return ret;
}

static int count_all(struct driver *driver)
{
	struct stress *stress = driver->stress;
	unsigned int i;

	stress->epoch = (struct expected_warns) { .forgets = stress->options.forgets };
	for (i = 0; i < STRESS_PROCESSES; i++)
		if (stress_process_count(&driver->processes[i], &stress->epoch))
			return -1;
	return 0;
}

static void commit_all(struct driver *driver)
{
	struct stress *stress = driver->stress;
	uint64_t noise = stress->noise_heard;
	unsigned int i;

	for (i = 0; i < STRESS_PROCESSES; i++) {
		stress_process_commit(&driver->processes[i]);
		noise += stress_process_noise(&driver->processes[i]);
	}
	stress->noise_ordered = noise;
}

/*
 * Called while no step is running. @touched is the process that may have changed since
 * the last checkpoint, -1: all. Returns the supervisor's order, or -1.
 */
static int checkpoint(struct driver *driver, int touched)
{
	struct stress *stress = driver->stress;
	char order = STRESS_COUNT_AGAIN;
	unsigned int i;

	while (order == STRESS_COUNT_AGAIN) {
		if (count_all(driver))
			return -1;
		if (write(driver->questions, "", 1) != 1 ||
		    read(driver->orders, &order, 1) != 1)
			return stress_fail(stress, STRESS_FAULT_SETUP,
					   "no order: %s", strerror(errno));
	}
	commit_all(driver);
	for (i = 0; i < STRESS_PROCESSES; i++)
		if ((touched < 0 || i == (unsigned int)touched) &&
		    stress_process_sound(&driver->processes[i]))
			return -1;
	return order;
}

static int finish_own(struct driver *driver, unsigned int thread)
{
	struct stress_step step = { .kind = STRESS_STEP_FINISH, .thread = thread };

	for (step.process = thread; step.process < STRESS_PROCESSES;
	     step.process += STRESS_THREADS)
		if (take_step(driver, thread, &step) < 0)
			return -1;
	return 0;
}

struct driver_thread {
	struct driver *driver;
	unsigned int thread;
	pthread_t id;
};

/* Takes steps up to the next checkpoint, or until some thread has a fault. */
static void play(struct driver_thread *thread, struct stress_step_stream *stream)
{
	struct stress *stress = thread->driver->stress;
	unsigned int i;
	struct stress_step step;

	for (i = 0; i < stress->options.steps_each && !stress->fault; i++) {
		stress_step_next(stream, &step);
		if (take_step(thread->driver, thread->thread, &step) < 0)
			break;
	}
}

static void *driver_thread_main(void *arg)
{
	struct driver_thread *thread = arg;
	struct driver *driver = thread->driver;
	struct stress_step_stream stream;

	stress_step_begin(&stream, &stress_world, driver->stress->options.seed,
			  thread->thread);
	while (!driver->finish) {
		play(thread, &stream);
		pthread_barrier_wait(&driver->barrier);
		/* The main thread makes a checkpoint. */
		pthread_barrier_wait(&driver->barrier);
	}
	/* Each thread finishes its own processes, since it traces them. */
	finish_own(driver, thread->thread);
	pthread_barrier_wait(&driver->barrier);
	return NULL;
}

static int start_threads(struct driver *driver,
			 struct driver_thread threads[STRESS_THREADS])
{
	unsigned int i;
	int err;

	pthread_barrier_init(&driver->barrier, NULL, STRESS_THREADS + 1);
	for (i = 0; i < STRESS_THREADS; i++) {
		threads[i].driver = driver;
		threads[i].thread = i;
		err = pthread_create(&threads[i].id, NULL, driver_thread_main,
				     &threads[i]);
		if (err)
			return stress_fail(driver->stress,
					   STRESS_FAULT_SETUP, "thread: %s",
					   strerror(err));
	}
	return 0;
}

static int run_threads(struct driver *driver)
{
	struct stress *stress = driver->stress;
	struct driver_thread threads[STRESS_THREADS];
	int order = STRESS_GO_ON;

	if (start_threads(driver, threads))
		return -1;
	while (order == STRESS_GO_ON) {
		pthread_barrier_wait(&driver->barrier);
		order = stress->fault ? -1 : checkpoint(driver, -1);
		if (order < 0)
			return -1;
		driver->finish = order == STRESS_FINISH;
		pthread_barrier_wait(&driver->barrier);
	}
	pthread_barrier_wait(&driver->barrier);
	return stress->fault ? -1 : checkpoint(driver, -1);
}

static int run_steps(struct driver *driver)
{
	const struct stress_options *options = &driver->stress->options;
	const struct stress_step *step;
	int ret, order = STRESS_GO_ON;
	unsigned int i;

	for (i = 0; i < options->nr_steps && order == STRESS_GO_ON; i++) {
		driver->stress->position = i;
		step = &options->steps[i];
		ret = take_step(driver, 0, step);
		if (!ret)
			order = checkpoint(driver, step->process);
		if (ret < 0 || order < 0)
			return -1;
	}
	for (i = 0; i < STRESS_THREADS; i++)
		if (finish_own(driver, i))
			return -1;
	return checkpoint(driver, -1);
}

void stress_driver_main(struct stress *stress, int questions, int orders)
{
	static struct driver driver;
	unsigned int i;
	int file, ret;

	driver.stress = stress;
	driver.questions = questions;
	driver.orders = orders;
	file = stress_memory_file();
	for (i = 0; i < STRESS_PROCESSES; i++)
		stress_process_init(&driver.processes[i], stress, i, file);
	if (file < 0)
		ret = stress_fail(stress, STRESS_FAULT_SETUP, "memfd: %s",
				  strerror(-file));
	else
		ret = stress->threads ? run_threads(&driver) :
					run_steps(&driver);
	_exit(ret < 0);
}
