# SPDX-License-Identifier: GPL-2.0
"""make callsites: a place that starts invalidations must not go unnoticed."""
import unittest

from support import TOP, TempDir, sh

KNOWN = """\
void unmap_vmas(struct mmu_gather *tlb, struct unmap_desc *unmap)
{
	mmu_notifier_invalidate_range_start(&range);
}

static int zap_vma_for_reaping(struct vm_area_struct *vma)
{
	if (mmu_notifier_invalidate_range_start_nonblock(&range))
		return -EAGAIN;
	return 0;
}

/* An older name of copy_page_range's sibling */
void zap_page_range_single(struct vm_area_struct *vma, unsigned long address,
		unsigned long size)
{
	/*
	 * mmu_notifier_invalidate_range_start() is only spoken of here.
	 */
	mmu_notifier_invalidate_range_start(&range);
}
"""
ADDED = """
static vm_fault_t
do_something_new(struct vm_fault *vmf)
{
retry:
	mmu_notifier_invalidate_range_start(&range);
}
"""


class Callsites(unittest.TestCase):
    def setUp(self):
        self.tree = TempDir(self).path
        for name in ("mm", "drivers"):
            (self.tree / name).mkdir()
        (self.tree / "mm/mmu_notifier.c").write_text(
            "void __mmu_notifier_invalidate_range_start(struct x *range)\n{\n}\n")
        (self.tree / "mm/memory.c").write_text(KNOWN)

    def callsites(self):
        return sh("make", "-s", "-C", TOP, "callsites", f"KDIR={self.tree}")

    def test_known_ones_pass(self):
        out = self.callsites()
        self.assertEqual(out.returncode, 0, out.stdout)
        self.assertIn("3 calls known", out.stdout)

    def test_an_added_one_fails_and_is_named(self):
        with open(self.tree / "mm/memory.c", "a", encoding="ascii") as f:
            f.write(ADDED)
        out = self.callsites()
        self.assertNotEqual(out.returncode, 0)
        line = (KNOWN + ADDED).split("\n").index("retry:") + 2
        self.assertIn(f"mm/memory.c:{line}: do_something_new()", out.stdout)
        self.assertIn('SITE("mm/memory.c", "do_something_new"),', out.stdout)

    def test_drivers_are_their_own_business(self):
        (self.tree / "drivers/gpu.c").write_text(ADDED)
        self.assertEqual(self.callsites().returncode, 0)

    def test_a_tree_without_any_is_no_kernel(self):
        (self.tree / "mm/memory.c").write_text("")
        self.assertNotEqual(self.callsites().returncode, 0)
        (self.tree / "mm/mmu_notifier.c").unlink()
        self.assertNotEqual(self.callsites().returncode, 0)
