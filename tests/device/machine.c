// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

#define MODULE "/modules/test_hmm.ko"

long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int change_one_page(void)
{
	void *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return page == MAP_FAILED ? -errno : munmap(page, getpagesize());
}

int wait_gone(pid_t pid, long ms)
{
	long end = now_ms() + ms;

	while (!waitpid(pid, NULL, WNOHANG)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(20000);
	}
	return 0;
}

/* Files are closed after their process is reaped, so for a while it may be busy. */
int module_unload(void)
{
	long end = now_ms() + 30000;

	while (syscall(SYS_delete_module, "test_hmm", O_NONBLOCK)) {
		if (errno != EWOULDBLOCK || now_ms() > end)
			return -errno;
		usleep(10000);
	}
	return 0;
}

int module_load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return err;
}
