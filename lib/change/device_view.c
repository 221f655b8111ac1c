// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/device_view.h"
#include "core/bounded.h"

struct look {
	struct mirror_view view;
	int device;
	unsigned int regions;
	uintptr_t page[PAGE / sizeof(uintptr_t)];
};

static uintptr_t address(unsigned int region, unsigned int page)
{
	return change_region(region) + page * PAGE;
}

static int look(void *arg)
{
	struct look *look = arg;
	unsigned int region, page;

	for (region = 0; region < look->regions; region++)
		for (page = 0; page < MIRROR_PAGES; page++) {
			struct mirror_page *p = &look->view.page[region][page];

			p->how = dmirror_look(look->device,
					      address(region, page), look->page);
			p->word = look->page[0];
		}
	return 0;
}

int mirror_look(struct mirror_view *view, int device, unsigned int regions)
{
	struct look *shared;
	int err;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	shared->device = device;
	shared->regions = regions;
	err = bounded_call(look, shared);
	*view = shared->view;
	munmap(shared, sizeof(*shared));
	return err;
}

int mirror_compare(struct mirror_view *view, pid_t pid, unsigned int regions)
{
	unsigned int region, page;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (region = 0; region < regions; region++)
		for (page = 0; page < MIRROR_PAGES; page++) {
			struct mirror_page *p = &view->page[region][page];

			p->how = pread(fd, &p->word, sizeof(p->word),
				       address(region, page)) ==
				 sizeof(p->word) ? 0 : -EFAULT;
		}
	close(fd);
	return 0;
}
