// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/btf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sysfile.h"
#include "subject/offsets.h"

#define BTF_FILE "/sys/kernel/btf/vmlinux"

struct btf {
	char *text;
	size_t size;
	const char *types, *types_end, *names;
};

/* Documentation/bpf/btf.rst: what follows a type, and how often there is such a thing */
static size_t size_of(const struct btf_type *type)
{
	unsigned int nr = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(*type) + 4;
	case BTF_KIND_ARRAY:
		return sizeof(*type) + sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return sizeof(*type) + nr * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return sizeof(*type) + nr * 8;
	default:
		return sizeof(*type);
	}
}

static bool parse(struct btf *btf)
{
	const struct btf_header *head = (void *)btf->text;
	const char *after = btf->text + btf->size;

	if (btf->size < sizeof(*head) || head->magic != BTF_MAGIC ||
	    btf->text[btf->size - 1])
		return false;
	btf->types = btf->text + head->hdr_len + head->type_off;
	btf->types_end = btf->types + head->type_len;
	btf->names = btf->text + head->hdr_len + head->str_off;
	return btf->types_end <= after && btf->names < after;
}

static bool read_btf(struct btf *btf)
{
	int fd = open(BTF_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st = {};
	ssize_t n = 1;

	*btf = (struct btf) {};
	if (fd < 0)
		return false;
	if (!fstat(fd, &st))
		btf->text = malloc(st.st_size);
	while (btf->text && n > 0 && btf->size < (size_t)st.st_size) {
		n = read(fd, btf->text + btf->size, st.st_size - btf->size);
		btf->size += n > 0 ? n : 0;
	}
	close(fd);
	return btf->text && parse(btf);
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	const char *at = btf->types;

	while (at + sizeof(struct btf_type) <= btf->types_end) {
		const struct btf_type *type = (void *)at;

		if (BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT &&
		    !strcmp(btf->names + type->name_off, name))
			return type;
		at += size_of(type);
	}
	return NULL;
}

/* In bytes, or -1 */
static int offset_in(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_member *member = type ? (void *)(type + 1) : NULL;
	unsigned int i;

	for (i = 0; member && i < BTF_INFO_VLEN(type->info); i++)
		if (!strcmp(btf->names + member[i].name_off, name))
			return BTF_MEMBER_BIT_OFFSET(member[i].offset) / 8;
	return -1;
}

static bool by_btf(const struct btf *btf, struct offsets *to)
{
	const struct btf_type *notifier = find_struct(btf, "mmu_notifier"),
		*hlist = find_struct(btf, "mmu_notifier_ops"),
		*interval = find_struct(btf, "mmu_interval_notifier_ops"),
		*range = find_struct(btf, "mmu_notifier_range");

	*to = (struct offsets) {
		.by_btf = true,
		.ops = offset_in(btf, notifier, "ops"),
		.range_start = offset_in(btf, hlist, "invalidate_range_start"),
		.range_end = offset_in(btf, hlist, "invalidate_range_end"),
		.one = offset_in(btf, interval, "invalidate"),
		.two = offset_in(btf, interval, "invalidate_start"),
		.mm = offset_in(btf, range, "mm"),
		.start = offset_in(btf, range, "start"),
		.end = offset_in(btf, range, "end"),
		.flags = offset_in(btf, range, "flags"),
		.event = offset_in(btf, range, "event"),
	};
	return to->ops >= 0 && to->range_start >= 0 && to->range_end >= 0 && to->one >= 0 &&
	       to->mm >= 0 && to->start >= 0 && to->end >= 0 && to->flags >= 0 &&
	       to->event >= 0;
}

/*
 * include/linux/mmu_notifier.h: ->change_pte was before ->invalidate_range_start up to 6.9,
 * ->vma first in the range up to 6.3, ->invalidate_start came with 7.1.
 */
static struct offsets by_version(unsigned int version)
{
	int start = version < LINUX_VERSION(6, 10) ? 40 : 32;
	int range = version < LINUX_VERSION(6, 4) ? 8 : 0;

	return (struct offsets) {
		.ops = 16, .range_start = start, .range_end = start + 8,
		.one = 0, .two = version < LINUX_VERSION(7, 1) ? -1 : 8,
		.mm = range, .start = range + 8, .end = range + 16, .flags = range + 24,
		.event = range + 28,
	};
}

const struct offsets *offsets_get(void)
{
	static struct offsets offsets;
	static bool is_known;
	struct btf btf;

	if (!is_known) {
		if (!read_btf(&btf) || !by_btf(&btf, &offsets))
			offsets = by_version(kernel_version());
		free(btf.text);
		is_known = true;
	}
	return &offsets;
}
