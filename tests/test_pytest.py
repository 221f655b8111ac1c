# SPDX-License-Identifier: GPL-2.0
"""make check itself: a test that fails is told and counted, whatever way it fails."""
import re
import shutil
import unittest

from support import TOP, TempDir, sh

ONE_OF_EACH = """\
import unittest

class T(unittest.TestCase):
    def test_passes(self):
        for n in range(3):
            with self.subTest(n=n):
                pass

    def test_skips(self):
        self.skipTest("no such thing")

    def test_fails_in_a_subtest(self):
        for word in ("one", "other", "last"):
            with self.subTest(word=word):
                self.assertNotEqual(word, "other")

    def test_raises(self):
        raise OSError

class Never(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError

    def test_does_not_begin(self):
        pass
"""


class Check(unittest.TestCase):
    def check(self, *args):
        where = TempDir(self).path / "tests"
        where.mkdir()
        for name in ("conftest.py", "pytest.ini"):
            shutil.copy(TOP / "tests" / name, where)
        (where / "test_guest.py").write_text(ONE_OF_EACH)
        (where / "test_judge.py").write_text(ONE_OF_EACH.replace("Never", "NeverEither"))
        r = sh("pytest-3", "tests", *args, cwd=where.parent)
        return r.returncode, r.stdout, r.stdout.splitlines()[-1]

    def test_counts(self):
        code, out, last = self.check()
        self.assertEqual((code, last), (1, "2 passed, 6 failed, 2 skipped"), out)
        self.assertRegex(out, r"ok \(\d+\.\d s\) tests/test_judge.py::T::test_passes")
        self.assertRegex(out, r"skip: .*no such thing tests/test_judge.py::T::test_skips")
        # which of the subtests it was
        self.assertRegex(out, r"\bword += 'other'")

    def test_nothing_that_passes(self):
        for name in ("test_skips", "no_such_test"):
            code, out, last = self.check("-k", name)
            self.assertNotEqual(code, 0, out)
            self.assertTrue(last.startswith("0 passed, 0 failed, "), out)

    def test_picks(self):
        for t, n in (("test_pytest.Check.test_picks", 1), ("test_judge.Good test_fuzz", 2),
                     ("nothing_of_the_kind", 0)):
            out = sh("make", "-n", "check", f"T={t}", cwd=TOP).stdout
            run = next(i for i in out.splitlines() if i.startswith("pytest-3 ")).rstrip("; \\")
            r = sh("sh", "-c", f"{run} --collect-only -qq", cwd=TOP)
            found = {i.partition("::")[0] for i in r.stdout.splitlines() if "::" in i}
            self.assertEqual(len(found), n, r.stdout)


class Targets(unittest.TestCase):
    def test_make_help_names_each(self):
        done = sh("make", "help", cwd=TOP)
        self.assertEqual(done.returncode, 0, done.stdout)
        for target in re.search(r"^\.PHONY: all help (.*)", (TOP / "Makefile").read_text(),
                                re.M)[1].split():
            self.assertIn(f"make {target} ", done.stdout)
        lines = [li for li in done.stdout.splitlines() if li]
        self.assertEqual([li for li in lines if lines.count(li) > 1], [])

    def test_wrong_numbers_are_told(self):
        for target in ("stable", "fuzz-judge"):
            done = sh("make", target, "N=0", cwd=TOP)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("-n: a number of runs, 1 or more", done.stdout)


if __name__ == "__main__":
    unittest.main()
