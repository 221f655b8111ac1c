# SPDX-License-Identifier: GPL-2.0
"""The tests in a kernel tree, a directory of their own; and the series of each base as
one would send it, step by step."""
import difflib
import email.header
import functools
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from support import BASES, TOP, TempDir, machine, sh, take_long
from test_source import EVERYWHERE, USER_SPACE
from test_trees import contents, intree, pristine, selftests, small_tree

# Of which each step is built. CHECK_STEPS="6.1 6.12 7.2" is for all of them.
STEPS = os.environ.get("CHECK_STEPS", BASES[-1]).split()
# How many lines of upstream's files are ours
LINES = {"MAINTAINERS": 1, "Makefile": 4, ".gitignore": 1, "run_vmtests.sh": 3, "config": 8,
         "settings": 1}


@functools.cache
def series(base):
    """OUT/BASE of make series; goes away with the process"""
    tmp = tempfile.TemporaryDirectory()
    r = intree("series", tmp.name, base)
    assert r.returncode == 0, r.stdout
    series.kept.append(tmp)
    return pathlib.Path(tmp.name) / base


series.kept = []


def letters(base, what):
    """The cover letter and the patches"""
    return [p.read_text() for p in sorted((series(base) / what).glob("*.patch"))]


def header(letter, name):
    """One field of it, on one line"""
    found = re.search(rf"^{name}: (.*(?:\n[ \t].*)*)", letter.split("\n\n")[0], re.M)
    text = re.sub(r"\n\s*", " ", found[1]) if found else ""
    return str(email.header.make_header(email.header.decode_header(text)))


def hmm_people(tree):
    """The names that MAINTAINERS has for HMM"""
    entry = re.search(r"^HMM - .*\n(?:.+\n)*", (tree / "MAINTAINERS").read_text(), re.M)
    return re.findall(r"^M:\t(.*) <", entry[0], re.M)


class Directory(unittest.TestCase):
    def test_it_is_laid_out_as_here(self):
        for base in BASES:
            with self.subTest(base):
                tree = small_tree(self, base)
                before = {p.name for p in selftests(tree).iterdir()}
                self.assertEqual(intree("install", tree).returncode, 0)
                ours = selftests(tree) / "hmm_notifier"
                for here, there in ((TOP / "lib", ours / "lib"), (TOP / "selftests", ours)):
                    # new-test begins from the template, which is no program
                    for p in set(here.rglob("*.[ch]")) - {TOP / "selftests/template.c"}:
                        self.assertEqual((there / p.relative_to(here)).read_text(),
                                         p.read_text())
                more = {p.name for p in selftests(tree).iterdir()} - before
                self.assertEqual(more - {"ksft_hmm_notifier.sh"},
                                 {"hmm_notifier", "test_hmm_notifier.sh"})
                self.few_lines(tree, base)
                self.found_by_get_maintainer(tree, base)

    def few_lines(self, tree, base):
        for name, most in LINES.items():
            where = tree if name == "MAINTAINERS" else selftests(tree)
            old = (pristine(base) / where.relative_to(tree) / name).read_text()
            lines = [line for line in difflib.ndiff(old.splitlines(),
                                                    (where / name).read_text().splitlines())
                     if line[0] in "+-"]
            self.assertLessEqual(len([li for li in lines if li[0] == "+"]), most, lines)
            gone = [li for li in lines if li[0] == "-"]
            self.assertEqual([li for li in gone if not li.startswith("- timeout=")], [])

    def found_by_get_maintainer(self, tree, base):
        for name in ("hmm_notifier/lib/core/rule.c", "hmm_notifier/hmm_notifier_contract.c",
                     "test_hmm_notifier.sh"):
            self.assertTrue((selftests(tree) / name).exists())
            r = sh(pristine(base) / "scripts/get_maintainer.pl", "--no-tree", "--nogit",
                   "--nogit-fallback", "-f", selftests(tree).relative_to(tree) / name, cwd=tree)
            self.assertIn(":HMM - Heterogeneous Memory Management)", r.stdout)
            for who in hmm_people(tree):
                self.assertIn(who, r.stdout)

    def test_without_its_programs_the_script_fails(self):
        """It would be skipped, which CIs take for a success."""
        where = TempDir(self).path
        shutil.copy(TOP / "intree/test_hmm_notifier.sh", where)
        r = sh(where / "test_hmm_notifier.sh")
        self.assertEqual((r.returncode, r.stdout.splitlines()[1:]),
                         (1, [f"not ok 1 there are no programs in {where}"]))

    def test_uninstall_leaves_no_directory(self):
        tree = small_tree(self, BASES[0])
        before = {p for p in tree.rglob("*")}
        self.assertEqual(intree("install", tree).returncode, 0)
        # nor what make left there
        for name in ("hmm_notifier_contract", "hmm_notifier/lib.a", "hmm_notifier/warn_sites.h",
                     *(f"hmm_notifier/{p.relative_to(TOP).with_suffix('.o')}"
                       for p in (TOP / "lib").rglob("*.c"))):
            (selftests(tree) / name).touch()
        self.assertEqual(intree("uninstall", tree).returncode, 0)
        self.assertEqual(set(tree.rglob("*")), before)

    def test_uninstall_leaves_what_is_not_ours(self):
        tree = small_tree(self, BASES[0])
        self.assertEqual(intree("install", tree).returncode, 0)
        mine = selftests(tree) / "hmm_notifier/lib/notes"
        mine.write_text("somebody's\n")
        self.assertEqual(intree("uninstall", tree).returncode, 0)
        self.assertEqual([*(selftests(tree) / "hmm_notifier").rglob("*")],
                         [mine.parent, mine])

    def test_what_was_put_back_by_hand_is_no_change(self):
        """Nor is a file that an interrupted install did not reach."""
        for command in ("install", "uninstall"):
            tree = small_tree(self, BASES[0])
            before = contents(tree)
            self.assertEqual(intree("install", tree).returncode, 0)
            after = contents(tree)
            (tree / "lib/test_hmm.c").write_bytes(before["lib/test_hmm.c"][1])
            (selftests(tree) / "hmm_notifier/hmm_notifier.mk").unlink()
            r = intree(command, tree)
            self.assertEqual(r.returncode, 0, r.stdout)
            self.assertEqual(contents(tree), after if command == "install" else before)

    def test_files_of_an_older_version_go(self):
        tree = small_tree(self, BASES[0])
        self.assertEqual(intree("install", tree).returncode, 0)
        after = contents(tree)
        old = selftests(tree) / "old/hmm_lib_rule.c"
        old.parent.mkdir()
        old.write_text("/* rule */\n")
        manifest = tree / ".hmm-notifier-tests/manifest"
        line = sh("sha256sum", old.relative_to(tree), cwd=tree).stdout
        manifest.write_text(manifest.read_text() + line)
        r = intree("install", tree)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertEqual(contents(tree), after)
        self.assertFalse(old.parent.exists())


class Sent(unittest.TestCase):
    def test_fixes_are_a_series_of_their_own(self):
        for base in BASES:
            with self.subTest(base):
                fixes, tests = letters(base, "fixes"), letters(base, "tests")
                for patch in fixes[1:]:
                    self.assertRegex(patch, r"\nFixes: [0-9a-f]{12} \(\"")
                    self.assertRegex(patch, r"\nCc: <stable@vger\.kernel\.org>")
                    self.assertEqual(re.findall(r"^\+\+\+ b/(?!mm/|kernel/)", patch, re.M), [])
                for patch in tests[1:]:
                    self.assertEqual(re.findall(
                        r"^\+\+\+ b/mm/(?!tests/|Kconfig$|Makefile$)", patch, re.M), [])
                there = [p.read_text() for p in (TOP / "kernel-patches" / base).glob("*.patch")]
                for trailer in ("Fixes: ", "Cc: <stable"):
                    self.assertEqual(
                        sum(p.count(f"\n{trailer}") for p in there),
                        sum(p.count(f"\n{trailer}") for p in fixes + tests), trailer)

    def test_letters_are_numbered_and_addressed(self):
        for base in BASES:
            for what in ("fixes", "tests"):
                with self.subTest(f"{base} {what}"):
                    found = letters(base, what)
                    last = len(found) - 1
                    for n, letter in enumerate(found):
                        self.assertRegex(header(letter, "Subject"),
                                         rf"^\[PATCH 0*{n}/{last}\] \S+: \S")
                        for name in ("To", "Cc"):
                            self.assertEqual(header(letter, name), header(found[0], name))
                    self.addressed(found[0], base, what)
                    self.assertIn(f"\nBased on Linux {base}.", found[0])
                    self.assertRegex(found[0], r"\n \d+ files? changed, \d+ insert")

    def test_of_a_tree_with_its_head_as_base(self):
        tree, out = small_tree(self, BASES[-1]), TempDir(self, "").path
        shutil.copytree(pristine(BASES[-1]) / "scripts", tree / "scripts")
        for args in (["init", "-q"], ["add", "-Af"], ["commit", "-qm", "base"]):
            self.assertEqual(sh("git", "-c", "user.name=me", "-c", "user.email=me@localhost",
                                *args, cwd=tree).returncode, 0)
        head = sh("git", "rev-parse", "HEAD", cwd=tree).stdout
        r = intree("series", "--kdir", tree, out)
        self.assertEqual(r.returncode, 0, r.stdout)
        for what in ("fixes", "tests"):
            letter = (out / BASES[-1] / what / "0000-cover-letter.patch").read_text()
            self.assertTrue(letter.endswith(f"\nbase-commit: {head}"), letter)
        with open(tree / "lib/test_hmm.c", "a", encoding="ascii") as f:
            f.write("/* not committed */\n")
        self.assertEqual(intree("series", "--kdir", tree, out).returncode, 2)

    def test_semantic_patch_is_a_series_of_its_own(self):
        for base in BASES:
            with self.subTest(base):
                letter, patch = letters(base, "cocci")
                self.assertIn("cocci@inria.fr", header(letter, "Cc"))
                self.assertEqual(re.findall(r"^\+\+\+ (.*)", patch, re.M),
                                 ["b/scripts/coccinelle/api/mmu_notifier.cocci"])

    def addressed(self, letter, base, what):
        self.assertIn("Andrew Morton <", header(letter, "To"))
        self.assertIn("linux-mm@kvack.org", header(letter, "Cc"))
        if what == "tests":
            self.assertIn("linux-kselftest@vger.kernel.org", header(letter, "Cc"))
            for who in hmm_people(pristine(base)):
                self.assertIn(who, header(letter, "To"))

    def test_patches_are_short(self):
        """Longer than 430 lines is only what one file and its header make by themselves."""
        long = []
        for patch in (p for base in BASES for p in letters(base, "tests")[1:]):
            subject = header(patch, "Subject")
            nouns = {os.path.splitext(f)[0] for f in re.findall(r"^\+\+\+ b/(.*)", patch, re.M)}
            added = len(re.findall(r"^\+(?!\+\+ b/)", patch, re.M))
            if added > 430 and len(nouns) > 1:
                long.append((added, subject))
        self.assertEqual(long, [])

    def test_headers_come_first(self):
        """EachStep would say so, too, but after minutes"""
        there = {"kselftest_harness.h", "test_hmm_uapi.h", "warn_sites.h"}
        for patch in letters(BASES[-1], "tests")[1:]:
            there |= set(re.findall(r"^\+\+\+ b/.*/hmm_notifier/.*?([^/\n]+\.[ch])$", patch, re.M))
            used = re.findall(r'^\+#include "(?:.*/)?(.+)"', patch, re.M)
            self.assertEqual([h for h in used if "hmm_notifier" in patch and h not in there],
                             [], header(patch, "Subject"))

    def test_checkpatch(self):
        for base in BASES:
            with self.subTest(base):
                r = sh(pristine(base) / "scripts/checkpatch.pl", "--no-tree", "--strict",
                       "--terse", "--no-summary", "--ignore",
                       ",".join(EVERYWHERE + USER_SPACE),
                       *sorted(p for p in series(base).glob("*/*.patch")
                               if not p.name.startswith("0000-")),
                       cwd=TempDir(self, "").path)
                # FIXTURE_VARIANT(x) *v is a declaration, not a product
                said = [li for li in r.stdout.splitlines() if ".patch:" in li
                        and "spaces preferred around that '*'" not in li]
                self.assertEqual(said, [])

    def test_gives_what_install_gives(self):
        for base in BASES:
            with self.subTest(base):
                tree, installed = small_tree(self, base), small_tree(self, base)
                for name in (series(base) / "series").read_text().split():
                    if name.startswith("cocci/"):
                        continue
                    r = sh("git", "apply", "--whitespace=nowarn", series(base) / name,
                           cwd=tree, env={"GIT_CEILING_DIRECTORIES": str(tree.parent)})
                    self.assertEqual(r.returncode, 0, r.stdout)
                r = intree("install", installed)
                self.assertEqual(r.returncode, 0, r.stdout)
                shutil.rmtree(installed / ".hmm-notifier-tests")
                self.assertEqual(contents(tree), contents(installed))


class EachStep(unittest.TestCase):
    """No patch changes a file of an earlier one, so nothing is built twice."""

    def build(self, base):
        take_long(self)
        cache = machine().cache()
        tmp = pathlib.Path(tempfile.mkdtemp(prefix=".steps-", dir=cache))
        self.addCleanup(shutil.rmtree, tmp)
        tree, out = tmp / "tree", tmp / "out"
        self.assertEqual(sh("cp", "-al", pristine(base), tree).returncode, 0)
        env = {"GIT_CEILING_DIRECTORIES": str(tmp),
               "CCACHE_DIR": os.environ.get("CCACHE_DIR", f"{cache}/ccache")}
        for name in (series(base) / "series").read_text().split():
            patch = series(base) / name
            r = sh("git", "apply", "--whitespace=nowarn", patch, cwd=tree, env=env)
            self.assertEqual(r.returncode, 0, f"{name}: {r.stdout}")
            new = re.findall(r"^--- /dev/null\n\+\+\+ b/.*/(hmm_notifier_\w+)\.c$",
                             patch.read_text(), re.M)
            if not (selftests(tree) / "hmm_notifier").exists():
                continue
            r = sh("nice", "make", "-j2", "-C", selftests(tree), f"OUTPUT={out}",
                   "CC=ccache gcc", f"HMM_NOTIFIER_HDRS={out}/hmm_notifier/warn_sites.h",
                   out / "hmm_notifier/lib.a", *(out / p for p in new),
                   env=env, timeout=1800)
            self.assertEqual(r.returncode, 0, f"{name}: {r.stdout}")
            self.assertNotIn("warning:", r.stdout, name)
        programs = {p.stem for p in (TOP / "selftests").glob("hmm_notifier_*.c")}
        self.assertEqual({p.name for p in out.glob("hmm_notifier_*")}, programs)


for step_base in STEPS:
    setattr(EachStep, f"test_{step_base.replace('.', '_')}",
            functools.partialmethod(EachStep.build, step_base))


if __name__ == "__main__":
    unittest.main()
