// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change/change.h"
#include "change/glance.h"
#include "core/bounded.h"

#define BOUND_MS	10000
/* So long in a row: a task that the CPU has no time for is not asleep. */
#define ASLEEP_MS	20

static void finish(struct glance *glance, int how, uintptr_t word)
{
	glance->word = word;
	glance->how = how;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	glance->done = true;
}

/* The kernel reads the page, as nobody who looks is to get a signal. */
static int read_word(uintptr_t addr, uintptr_t *word)
{
	int fds[2], err = 0;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	if (write(fds[1], (void *)addr, sizeof(*word)) != sizeof(*word) ||
	    read(fds[0], word, sizeof(*word)) != sizeof(*word))
		err = -errno;
	close(fds[0]);
	close(fds[1]);
	return err;
}

static long do_glance(const struct victim_args *args)
{
	struct glance *glance = (struct glance *)(uintptr_t)args->arg[0];
	uintptr_t word = 0;
	int how;

	glance->tid = gettid();
	how = read_word(args->arg[1], &word);
	finish(glance, how, word);
	return 0;
}

int glance_by_thread(struct glance *glance, struct victim_thread *thread,
		     uintptr_t addr)
{
	struct victim_args args = { .arg = { (uintptr_t)glance, addr } };

	/* Of a thread that has looked before, who it is stays known. */
	*glance = (struct glance) { .tid = glance->tid };
	return victim_thread_order(thread, do_glance, &args);
}

/* Never returns. */
static void look_by_device(struct glance *glance, int device, uintptr_t addr, int order)
{
	static uintptr_t page[CHANGE_MAX_PAGE / sizeof(uintptr_t)];
	char byte;
	int how;

	if (read(order, &byte, 1) == 1) {
		glance->tid = getpid();
		how = dmirror_read_page(device, addr, page);
		finish(glance, how, page[0]);
	}
	_exit(0);
}

int glance_start_device(struct glance *glance, int device, uintptr_t addr)
{
	pid_t parent = getpid();
	int order[2];

	*glance = (struct glance) {};
	if (pipe2(order, O_CLOEXEC))
		return -errno;
	glance->order = order[1];
	glance->child = fork();
	if (!glance->child) {
		end_with_parent(parent);
		close(order[1]);
		look_by_device(glance, device, addr, order[0]);
	}
	close(order[0]);
	return glance->child < 0 ? -errno : 0;
}

int glance_by_device(struct glance *glance)
{
	return write(glance->order, "", 1) == 1 ? 0 : -errno;
}

int glance_watch(const struct glance *glance)
{
	unsigned int waited, asleep = 0;

	for (waited = 0; waited < BOUND_MS; waited++) {
		if (glance->done)
			return GLANCE_DONE;
		asleep = glance->tid && task_state(glance->tid) != 'R' ? asleep + 1 : 0;
		if (asleep == ASLEEP_MS)
			return GLANCE_WAITS;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int glance_end(struct glance *glance)
{
	unsigned int waited;

	for (waited = 0; !glance->done; waited++) {
		if (waited == BOUND_MS)
			return -ETIMEDOUT;
		usleep(1000);
	}
	if (glance->child > 0) {
		close(glance->order);
		waitpid(glance->child, NULL, 0);
	}
	return 0;
}
