// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/device_view.h"
#include "core/bounded.h"

struct look {
	struct device_view view;
	int device;
	unsigned int spans;
	uintptr_t page[CHANGE_MAX_PAGE / sizeof(uintptr_t)];
};

static uintptr_t address(unsigned int span, unsigned int page)
{
	return change_span(span) + page * CHANGE_PAGE;
}

static int look(void *arg)
{
	struct look *look = arg;
	unsigned int span, page;

	for (span = 0; span < look->spans; span++)
		for (page = 0; page < DEVICE_VIEW_PAGES; page++) {
			struct device_view_page *p = &look->view.page[span][page];

			p->how = dmirror_read_page(look->device,
						   address(span, page), look->page);
			p->word = look->page[0];
		}
	return 0;
}

int device_view_look(struct device_view *view, int device, unsigned int spans)
{
	struct look *shared;
	int err;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	shared->device = device;
	shared->spans = spans;
	err = bounded_call(look, shared);
	*view = shared->view;
	munmap(shared, sizeof(*shared));
	return err;
}

int device_view_compare(struct device_view *view, pid_t pid, unsigned int spans)
{
	unsigned int span, page;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (span = 0; span < spans; span++)
		for (page = 0; page < DEVICE_VIEW_PAGES; page++) {
			struct device_view_page *p = &view->page[span][page];

			p->how = pread(fd, &p->word, sizeof(p->word),
				       address(span, page)) ==
				 sizeof(p->word) ? 0 : -EFAULT;
		}
	close(fd);
	return 0;
}
