// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "change/start_site.h"
#include "core/sysfile.h"

/*
 * One entry for each function: its file, its newest name, and in "was" its names in
 * older kernels. start-sites.sh reads them from here.
 */
#define SITE(f, name, ...) { .file = f, .function = name, ##__VA_ARGS__ }

const struct start_site start_sites[] = {
	SITE("mm/memory.c", "zap_vma_for_reaping",
	     .was = { "__oom_reap_task_mm" },
	     .inlined = { "oom_reap_task_mm", "oom_reaper",
			  "__x64_sys_process_mrelease",
			  "__arm64_sys_process_mrelease", "__do_sys_process_mrelease",
			  "__se_sys_process_mrelease" }),
	SITE("mm/memory.c", "unmap_vmas"),
	SITE("mm/memory.c", "zap_vma_range_batched",
	     .was = { "zap_page_range_single", "zap_page_range" },
	     .inlined = { "zap_page_range_single_batched", "zap_vma_range",
			  "unmap_mapping_range_tree" }),
	SITE("mm/madvise.c", "madvise_free_single_vma",
	     .inlined = { "madvise_vma_behavior", "madvise_dontneed_free",
			  "do_madvise" }),
	SITE("mm/mremap.c", "move_page_tables"),
	SITE("mm/mprotect.c", "change_pud_range",
	     .was = { "change_pmd_range" },
	     .inlined = { "change_protection", "change_protection_range",
			  "change_p4d_range" }),
	SITE("mm/memory.c", "copy_page_range"),
	SITE("mm/memory.c", "wp_page_copy",
	     .inlined = { "do_wp_page" }),
	SITE("fs/proc/task_mmu.c", "clear_refs_write"),
	SITE("fs/proc/task_mmu.c", "do_pagemap_scan",
	     .inlined = { "do_pagemap_cmd" }, .since = LINUX_VERSION(6, 7)),
	SITE("mm/rmap.c", "make_device_exclusive",
	     .was = { "page_make_device_exclusive_one" }),
	SITE("mm/memory.c", "remove_device_exclusive_entry",
	     .inlined = { "do_swap_page" }),
	SITE("mm/migrate_device.c", "migrate_vma_collect",
	     .inlined = { "migrate_vma_setup" }),
	SITE("mm/migrate_device.c", "__migrate_device_pages",
	     .was = { "migrate_vma_pages" }),
	SITE("mm/rmap.c", "try_to_unmap_one"),
	SITE("mm/rmap.c", "try_to_migrate_one"),
	SITE("mm/rmap.c", "page_vma_mkclean_one",
	     .inlined = { "page_mkclean_one", "pfn_mkclean_range",
			  "mapping_wrprotect_range_one" }),
	SITE("mm/ksm.c", "write_protect_page",
	     .inlined = { "try_to_merge_one_page", "try_to_merge_with_ksm_page" }),
	SITE("mm/ksm.c", "replace_page",
	     .inlined = { "try_to_merge_one_page", "try_to_merge_with_ksm_page" }),
	SITE("mm/khugepaged.c", "collapse_huge_page",
	     .inlined = { "hpage_collapse_scan_pmd", "collapse_scan_pmd" }),
	SITE("mm/khugepaged.c", "try_collapse_pte_mapped_thp",
	     .was = { "collapse_pte_mapped_thp" }, .since = LINUX_VERSION(6, 6)),
	SITE("mm/khugepaged.c", "retract_page_tables",
	     .was = { "collapse_and_free_pmd" },
	     .inlined = { "collapse_file", "hpage_collapse_scan_file",
			  "collapse_scan_file" }),
	SITE("mm/huge_memory.c", "__split_huge_pmd"),
	SITE("mm/huge_memory.c", "do_huge_zero_wp_pmd",
	     .inlined = { "do_huge_pmd_wp_page" }, .since = LINUX_VERSION(6, 13)),
	SITE("mm/huge_memory.c", "move_pages_huge_pmd", .since = LINUX_VERSION(6, 8)),
	SITE("mm/userfaultfd.c", "move_pages_ptes",
	     .was = { "move_pages_pte" },
	     .inlined = { "move_pages", "userfaultfd_ioctl" },
	     .since = LINUX_VERSION(6, 8)),
	SITE("kernel/events/uprobes.c", "uprobe_write",
	     .was = { "__replace_page" },
	     .inlined = { "uprobe_write_opcode", "set_swbp", "set_orig_insn" }),
	SITE("mm/hugetlb.c", "copy_hugetlb_page_range"),
	SITE("mm/hugetlb.c", "move_hugetlb_page_tables"),
	SITE("mm/hugetlb.c", "unmap_hugepage_range",
	     .was = { "__unmap_hugepage_range" }),
	SITE("mm/hugetlb.c", "hugetlb_wp",
	     .inlined = { "hugetlb_fault", "hugetlb_no_page" }),
	SITE("mm/hugetlb.c", "hugetlb_change_protection"),
	SITE("mm/hugetlb.c", "hugetlb_unshare_pmds",
	     .inlined = { "hugetlb_split", "hugetlb_vm_op_split",
			  "hugetlb_unshare_all_pmds" }),
	SITE("mm/huge_memory.c", "__split_huge_pud",
	     .hardware = "DAX"),
	SITE("mm/mapping_dirty_helpers.c", "wp_clean_pre_vma",
	     .hardware = "vmwgfx"),
};

const unsigned int start_sites_nr = sizeof(start_sites) / sizeof(start_sites[0]);

static bool any_is(const char * const *names, unsigned int nr, const char *name)
{
	unsigned int i;

	for (i = 0; i < nr && names[i]; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

int start_site_find(const char *function)
{
	unsigned int i;

	for (i = 0; i < start_sites_nr; i++)
		if (!strcmp(start_sites[i].function, function))
			return i;
	return -1;
}

bool start_site_is(const struct start_site *site, const char *caller)
{
	return !strcmp(site->function, caller) ||
	       any_is(site->was, 2, caller) || any_is(site->inlined, 6, caller);
}

bool start_site_known(const char *caller)
{
	unsigned int i;

	for (i = 0; i < start_sites_nr; i++)
		if (start_site_is(&start_sites[i], caller))
			return true;
	return false;
}
