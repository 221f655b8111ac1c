# SPDX-License-Identifier: GPL-2.0
"""make static: each driver that breaks the rule is named, and none that keeps it."""
import os
import pathlib
import re
import shutil
import unittest
import unittest.mock

from support import TOP, TempDir, sh
from intree import patches
from runner import place
from static import known, source, tree

FIXTURES = TOP / "tests/static"
KERNEL = FIXTURES / "kernel"
WRONG = re.compile(r"/\* wrong: ([^*]+) \*/\n(?:static )?\w+ (\w+)\(")
REPORT = re.compile(r"^\S+?([\w.]+):(\d+): (\w+)\(\) (.*)$", re.M)
# how a rule reads in a report
SAYS = {"returns": "returns {} in ", "sleeps": "may sleep in non-blockable context",
        "has-end": "has an invalidate_range_end", "start": "returns without an end",
        "end": "ends an invalidation"}


def check(*files, kdir=KERNEL, jobs=2):
    args = [a for f in files for a in ("--file", f)]
    return sh("python3", "-m", "static", kdir, "--headers", kdir, "-j", jobs, *args,
              cwd=TOP)


def debian(base):
    """Debian's source of it, if it was unpacked before"""
    found = sorted((place.cache(os.environ) / "src").glob(f"{base}.*"))
    if not found:
        raise unittest.SkipTest(f"the source of {base} is not in the cache")
    return found[-1]


def expected(path):
    """What a fixture says is wrong with it: function, rule, value or callee"""
    out = []
    for claims, function in WRONG.findall(path.read_text()):
        for claim in claims.split(";"):
            rule, _, what = claim.strip().partition(" ")
            out.append((function, rule, what))
    return out


class Bad(unittest.TestCase):
    """Each mutant is found, by what is wrong with it."""
    files = sorted(FIXTURES.glob("bad_*.c"))

    @classmethod
    def setUpClass(cls):
        done = check(*cls.files)
        cls.code, cls.out = done.returncode, done.stdout
        cls.reports = [(m[3], m[4], m[1], int(m[2])) for m in REPORT.finditer(cls.out)]

    def test_all_are_found(self):
        mutants = [e for f in self.files for e in expected(f)]
        self.assertGreaterEqual(len(mutants), 15)
        for function, rule, what in mutants:
            with self.subTest(function=function, rule=rule):
                said = SAYS[rule].format(what)
                mine = [text for f, text, _, _ in self.reports
                        if f == function and said in text]
                self.assertEqual(len(mine), 1, self.out)
                self.assertIn(what if rule in ("returns", "sleeps") else "", mine[0])

    def test_nothing_else_is_reported(self):
        mutants = [e for f in self.files for e in expected(f)]
        self.assertEqual(sorted(f for f, *_ in self.reports), sorted(f for f, *_ in mutants),
                         self.out)

    def test_a_report_has_its_file_and_a_path(self):
        for function, _, file, line in self.reports:
            with self.subTest(function=function):
                self.assertTrue((FIXTURES / file).exists(), file)
                self.assertGreater(line, 0)
        self.assertRegex(self.out, r"two_helpers_deep\(\) may sleep[^\n]*\n"
                                   r"(    [^\n]*\n)*    [^\n]*Calling 'deeper'")

    def test_a_finding_fails(self):
        self.assertEqual(self.code, 1, self.out)

    def test_every_callback_was_analysed(self):
        self.assertNotIn("NOT ", self.out)


class Good(unittest.TestCase):
    """What looks like a mutant and is none is not reported."""

    def test_nothing_is_reported(self):
        done = check(*sorted(FIXTURES.glob("good*.c")))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("\n0 reports", done.stdout)
        self.assertNotIn("NOT ", done.stdout)
        self.assertIn("13 callbacks by ops, 13 by signature", done.stdout)


class NotAnalysed(unittest.TestCase):
    """A file that was not analysed is a failure that says why."""

    def setUp(self):
        self.tree = TempDir(self, "").path / "kernel"
        shutil.copytree(KERNEL, self.tree)
        self.driver = self.tree / "driver.c"

    def write(self, body, ops="static const struct mmu_interval_notifier_ops o = "
                              "{ .invalidate = inv };\n"):
        self.driver.write_text(
            "#include <linux/mmu_notifier.h>\n#include <linux/mutex.h>\n"
            "static bool inv(struct mmu_interval_notifier *mni,\n"
            "\t\tconst struct mmu_notifier_range *range, unsigned long seq)\n"
            f"{{\n{body}\n}}\n{ops}")

    def fails(self, *texts):
        done = check("driver.c", kdir=self.tree)
        self.assertEqual(done.returncode, 1, done.stdout)
        for text in texts:
            self.assertIn(text, done.stdout)

    def test_that_does_not_compile(self):
        self.write("return nonsense;")
        self.fails("driver.c: NOT ANALYSED: inv()", "undeclared identifier 'nonsense'")

    def test_whose_end_is_not_reached(self):
        self.write("for (;;) ;")
        self.fails("NOT ANALYSED: inv(): no path to its end was seen")

    def test_that_takes_too_long(self):
        with self.assertRaisesRegex(source.Failed, "more than 1 s of CPU time"):
            source.run(["sh", "-c", "while :; do :; done"], seconds=1)

    def test_that_no_ops_have(self):
        self.write("return true;", "")
        (self.tree / "other.c").write_text("")
        self.driver.write_text(self.driver.read_text() + "static const struct "
                               "mmu_interval_notifier_ops o = { 0 };\n")
        self.fails("NOT COUNTED: driver.c: inv() looks like a notifier callback")

    def test_that_is_defined_nowhere(self):
        self.write("return true;", "static const struct mmu_interval_notifier_ops o = "
                                   "{ .invalidate = gone };\n")
        self.fails("gone() of o is defined nowhere")

    def test_a_tree_without_callbacks(self):
        self.driver.write_text("int x;\n")
        done = check("driver.c", kdir=self.tree)
        self.assertEqual(done.returncode, 2, done.stdout)

    def test_what_is_no_kernel(self):
        done = sh("make", "-s", "-C", TOP, "static", f"KDIR={self.tree.parent}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is not the source of a kernel", done.stdout)


class Semantic(unittest.TestCase):
    """The semantic patch: the direct cases, and no silence about what it drops"""

    def cocci(self, *names):
        return sh("python3", "-m", "static.cocci", KERNEL, *(FIXTURES / n for n in names),
                  cwd=TOP)

    def test_direct_cases(self):
        done = self.cocci("bad_hlist.c", "bad_callers.c")
        self.assertEqual(done.returncode, 1, done.stdout)
        for text in ("bad_callers.c:19:2-8: returns without an end of the invalidation "
                     "started in line 17",
                     "other_value() returns -EBUSY", "end_added() can fail, so its ops must"):
            self.assertIn(text, done.stdout)
        self.assertNotIn("NOT PARSED", done.stdout)

    def test_callers_with_flags_of_their_own(self):
        done = self.cocci("good_callers.c")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("coccinelle: 0 reports in 1 files, 0 functions not parsed", done.stdout)

    def test_what_it_drops_is_an_error(self):
        done = self.cocci("good.c")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("good.c: NOT PARSED: guarded()", done.stdout)
        self.assertIn("coccinelle: 0 reports", done.stdout)


class SecondOpinion(unittest.TestCase):
    """gcc's analyzer, over the same units and marks"""

    def test_confirms_the_mutants(self):
        done = sh("make", "-s", "-C", TOP, "static-gcc", f"KDIR={KERNEL}",
                  f"FILE={FIXTURES / 'bad_hlist.c'}", f"ARGS=--headers {KERNEL}")
        self.assertEqual(done.returncode, 0, done.stdout)
        for text in ("other_value(): returns: both", "end_added(): has-end: both",
                     "the_end(): sleeps: both"):
            self.assertIn(text, done.stdout)
        self.assertRegex(done.stdout, r"\ngcc: 8 callbacks, 8 as clang says")


class Generated(unittest.TestCase):
    """A header that a driver makes by a tool of its own is made by kbuild."""

    def setUp(self):
        self.top = TempDir(self, "").path
        self.driver = self.top / "linux/drivers/x/sub"
        self.driver.mkdir(parents=True)
        (self.driver.parent / "Makefile").write_text(
            "$(obj)/generated/table.h: $(src)/table\n\t@mkdir -p $(@D); cp $< $@\n")
        (self.driver.parent / "table").write_text("int table;\n")
        (self.top / "linux/scripts").mkdir()
        (self.top / "linux/scripts/Makefile.build").write_text(
            "src := $(srcroot)/$(obj)\ninclude $(src)/Makefile\n")

    def generate(self, header, build):
        (self.top / build).mkdir(parents=True)
        there = tree.Tree(self.top / "linux", self.top / build)
        with unittest.mock.patch.dict(os.environ, XDG_CACHE_HOME=str(self.top)):
            return tree.generate(there, header, self.driver / "driver.c")

    def test_by_the_rule_of_a_makefile_above(self):
        where = self.generate("generated/table.h", "hmm-notifier-tests/static/headers")
        self.assertEqual(pathlib.Path(where, "generated/table.h").read_text(), "int table;\n")
        self.assertFalse((self.driver.parent / "generated").exists())

    def test_but_not_without_a_rule(self):
        self.assertIsNone(self.generate("table.h", "hmm-notifier-tests/static/headers"))

    def test_nor_in_a_directory_of_others(self):
        self.assertIsNone(self.generate("generated/table.h", "linux/build"))


class Patches(unittest.TestCase):
    """What fixes the drivers that were found"""

    def test_apply_without_fuzz(self):
        found = sorted((TOP / "kernel-patches").glob("*/drivers/*.patch"))
        self.assertTrue(found)
        for patch in found:
            pristine, copy = debian(patch.parts[-3]), TempDir(self, "").path
            for name in patches.touched(patch):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pristine / name, copy / name)
            done = sh("patch", "-p1", "-F0", "-i", patch, cwd=copy)
            with self.subTest(patch=patch.name):
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_are_named_by_what_they_fix(self):
        real = " ".join(e.why for e in known.table() if "7.2" in e.versions)
        for patch in (TOP / "kernel-patches/7.2/drivers").glob("*.patch"):
            self.assertIn(f"kernel-patches/7.2/drivers/{patch.name[:4]}", real)


class Known(unittest.TestCase):
    """The table of reports that somebody has judged"""

    def test_each_line_has_a_reason_and_an_end(self):
        for entry in known.table():
            with self.subTest(entry=entry):
                self.assertTrue(entry.why)
                self.assertLessEqual(entry.versions, {"6.1", "6.12", "7.2"})

    def test_few_are_false(self):
        for version in ("6.1", "6.12", "7.2"):
            self.assertLessEqual(sum(e.verdict == "false" and version in e.versions
                                     for e in known.table()), 3)


if __name__ == "__main__":
    unittest.main()
