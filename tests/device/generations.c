// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attack.h"
#include "core/dmirror.h"

/* How long a killed process may be held; the rest is for a slow host. */
#define GONE_MS		(1000L * (HMM_DMIRROR_HOLD_SECONDS + 20))
#define ALIVE_MS	5000

static void open_and_close(void)
{
	for (;;) {
		int fd = dmirror_open(DMIRROR_BARE);

		if (fd >= 0) {
			dmirror_add(fd, 1, HMM_DMIRROR_HLIST, 0, 0);
			close(fd);
		}
		usleep(500);
	}
}

/* Unloads the module while others open its nodes; an open file keeps it loaded. */
static const char *load_anew(void)
{
	const char *why = NULL;
	pid_t pid = fork();

	if (pid < 0)
		return "no process to open the nodes";
	if (!pid)
		open_and_close();
	usleep(10000);
	if (module_unload())
		why = "the module can't be unloaded";
	else if (module_load())
		why = "the module can't be loaded again";
	kill(pid, SIGKILL);
	if (wait_gone(pid, GONE_MS))
		why = "a process that opens the nodes can't be killed";
	return why;
}

/* Half of them are killed amid it. */
static const char *one_generation(unsigned int seed, long until,
				  struct fuzz_report *report)
{
	long ms = 500 + seed * 137 % 2500;
	pid_t pid;

	if (ms > until - now_ms())
		ms = until - now_ms();
	pid = fork();
	if (pid < 0)
		return "no process to attack from";
	if (!pid)
		fuzz_process(seed % 2 ? 1 : 100, seed, report);
	if (!(seed % 2) && ms > 0) {
		usleep(ms * 1000);
		kill(pid, SIGKILL);
	} else if (!(seed % 2)) {
		kill(pid, SIGKILL);
	}
	return wait_gone(pid, GONE_MS) ? "a process does not go away" : NULL;
}

void fuzz_run(unsigned int seconds, unsigned int seed, void (*alive)(void),
	      struct fuzz_report *report)
{
	long until = now_ms() + seconds * 1000L, next = now_ms() + ALIVE_MS;
	struct fuzz_report *shared = mmap(NULL, sizeof(*shared),
					  PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*report = (struct fuzz_report) {};
	if (shared == MAP_FAILED) {
		report->why = "no memory to share";
		return;
	}
	do {
		report->why = one_generation(seed++, until, shared);
		report->generations++;
		if (!report->why)
			report->why = load_anew();
		if (now_ms() > next) {
			alive();
			next = now_ms() + ALIVE_MS;
		}
	} while (!report->why && now_ms() < until);
	report->calls = shared->calls;
	report->done = shared->done;
	munmap(shared, sizeof(*shared));
}
