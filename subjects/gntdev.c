// SPDX-License-Identifier: GPL-2.0
/*
 * Xen's gntdev as a subject, in domain 0: the memory is a private mapping of pages that it
 * grants to itself by gntalloc; the reaper leaves out a shared one. The mapping is of the
 * pages themselves, so there is no device to read them.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "serve.h"

/* what gntdev.h lacks */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#define PAGES 12
#define PAGE 0x1000UL

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static struct ioctl_gntalloc_alloc_gref *grant_pages(void)
{
	struct ioctl_gntalloc_alloc_gref *grants =
		calloc(1, sizeof(*grants) + PAGES * sizeof(uint32_t));
	int i, fd = open_device("/dev/xen/gntalloc");
	uint8_t *pages;

	grants->flags = GNTALLOC_FLAG_WRITABLE;
	grants->count = PAGES;
	if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, grants))
		die("grants");
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     grants->index);
	if (pages == MAP_FAILED)
		die("the granted pages");
	for (i = 0; i < PAGES; i++)
		pages[i * PAGE] = i + 1;
	return grants;
}

static void *map_pages(const struct ioctl_gntalloc_alloc_gref *grants)
{
	struct ioctl_gntdev_map_grant_ref *map =
		calloc(1, sizeof(*map) + PAGES * sizeof(map->refs[0]));
	int i, fd = open_device("/dev/xen/gntdev");
	void *pages;

	map->count = PAGES;
	for (i = 0; i < PAGES; i++)
		map->refs[i].ref = grants->gref_ids[i];
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		die("the grants to be mapped");
	pages = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, map->index);
	if (pages == MAP_FAILED)
		die("the mapping of the grants");
	return pages;
}

static void no_device(void)
{
	printf("no device\n");
	fflush(stdout);
}

int main(void)
{
	printf("mirror %p %#lx\nlent\nready\n", map_pages(grant_pages()), PAGES * PAGE);
	serve(no_device, NULL);
	return 0;
}
