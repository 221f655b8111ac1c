# SPDX-License-Identifier: GPL-2.0
"""What make cost counts in an object file is what a start runs whose callback succeeds."""
import subprocess
import sys
import unittest

from support import TOP, TempDir, kernel_dir

sys.path.insert(0, str(TOP / "tests/cost"))
import codegen  # noqa: E402
import cost  # noqa: E402

WALK = """
int _printk(const char *text, ...);
extern volatile int more, done;
struct node { struct node *next; int (*start)(void *); };

int walk(struct node *node)
{
	int ret = 0;

	for (; node; node = node->next) {
		if (node->start(node)) {
			_printk("failed");
			{FAILED}
			ret = -11;
		}
		{GOOD}
	}
	return ret;
}

int plain(int a)
{
	return a + more;
}
"""


class Hot(unittest.TestCase):
    def read(self, failed="", good=""):
        c = TempDir(self, "").path / "walk.c"
        c.write_text(WALK.replace("{FAILED}", failed).replace("{GOOD}", good))
        subprocess.run(["gcc", "-O2", "-fno-pic", "-c", "-o", c.with_suffix(".o"), c],
                       check=True)
        return codegen.Object(c.with_suffix(".o"), "")

    def test_failures_are_no_part_of_it(self):
        clean = self.read()
        self.assertEqual(self.read(failed="more = 1; done = 2;").hot("walk"),
                         clean.hot("walk"))
        self.assertGreater(self.read(failed="more = 1; done = 2;").size("walk"),
                           clean.size("walk"))

    def test_what_is_run_is(self):
        self.assertEqual(self.read(good="more = 1; done = 2;").hot("walk"),
                         self.read().hot("walk") + 2)

    def test_no_callback(self):
        for name in ("plain", "absent"):
            with self.assertRaisesRegex(codegen.Unclear, name):
                self.read().hot(name)


class Check(unittest.TestCase):
    def test_each_way_is_in_both_places(self):
        text = (kernel_dir() / "src/mm/mmu_notifier.c").read_text()
        for way in codegen.WAYS:
            new = codegen.with_check(text, way)
            self.assertEqual(new.count("CHECK(mmu_notifier_range_blockable(range)"), 2, way)
            self.assertIn(codegen.WAYS[way], new)
        for gone in ("_ret != -EAGAIN", "static int mn_itree_invalidate("):
            with self.assertRaises(codegen.Unclear):
                codegen.with_check(text.replace(gone, ""), "WARN_ON")


class Tables(unittest.TestCase):
    def test_dynamic(self):
        counts = {("ours", kind, n): 1000 + n for kind in ("hlist", "interval")
                  for n in (0, 1, 4, 16)}
        text = cost.dynamic_table({**counts, ("ours", "mirror", 1): 1010,
                                   ("pristine", "mirror", 1): 1000})
        self.assertIn("hlist      1000  1001  1004  1016\n", text)
        self.assertTrue(text.endswith("1000 by the pristine test_hmm, 1010 by ours, "
                                      "disarmed: +1.00%\n"), text)


if __name__ == "__main__":
    unittest.main()
