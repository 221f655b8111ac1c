# SPDX-License-Identifier: GPL-2.0
"""The suite against mistakes of its own: tests/proof/mutants has slips of the device, of
the parsers and of the detectors. Each must turn the tests red that its patch names, with
what it names: a run that proves nothing must not look like a pass, nor like a kernel bug.
And the kernel's mutants in kernel-patches/mutants must be in order."""
import contextlib
import fnmatch
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from support import KERNEL, TOP, TempDir, sh

sys.path.insert(0, str(TOP / "tests/proof"))
import proof  # noqa: E402

OURS = TOP / "tests/proof/mutants"
MUTANTS = TOP / "kernel-patches/mutants"
SERIES = "kernel-patches/6.12"


def copy_of_us(to):
    """What git has and what it would take, so that nothing is built there."""
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"],
                           capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, files):
        if (TOP / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, to / name)


def keep_only(to, globs):
    """Drops the programs that have none of these tests: most of the time is gcc's."""
    for program in (to / "selftests").glob("hmm_notifier_*.c"):
        fixtures = re.findall(r"^FIXTURE\((\w+)\)", program.read_text(), re.M)
        if not any(g.split(".")[0] in fixtures for g in globs):
            program.unlink()


def break_it(to, patch):
    """A patch of the module goes to the end of its series."""
    if patch.name.startswith("device-"):
        shutil.copy(patch, to / SERIES / "9999-broken.patch")
        with open(to / SERIES / "series", "a", encoding="ascii") as f:
            f.write("9999-broken.patch\n")
        return
    subprocess.run(["patch", "-d", to, "-p1", "-F0", "-s", "-i", patch], check=True)


def told_by(patch):
    """[(glob, pattern)]"""
    lines = re.findall(r"^Told-by: (\S+): (.*)", patch.read_text(), re.M)
    return [(glob, ".*".join(re.escape(p.strip()) for p in text.split("...")))
            for glob, text in lines]


class Ours(unittest.TestCase):
    def check(self, name):
        patch = OURS / f"{name}.patch"
        to = TempDir(self, suffix="").path
        copy_of_us(to)
        break_it(to, patch)
        told = told_by(patch)
        self.assertTrue(told, patch)
        keep_only(to, [glob for glob, _ in told])
        done = sh(to / "run_tests.sh", "--kernel", KERNEL, "--no-install",
                  *(a for glob, _ in told for a in ("--test", glob)), timeout=240)
        console = (to / "results/latest/console.log").read_text(errors="replace")
        self.assertEqual(done.returncode, 1, done.stdout + console[-8000:])
        ktap = (to / "results/latest/ktap.log").read_text(errors="replace")
        for glob, pattern in told:
            tests = re.findall(r"^# #  RUN +(\S+) \.\.\.\n(.*?)^# not ok \d+ (\S+)",
                               ktap, re.M | re.S)
            self.assertTrue(any(fnmatch.fnmatchcase(test, glob) and
                                re.search(pattern, said) for _, said, test in tests),
                            f"{glob}: {pattern}\n{ktap}")


def add_test(patch):
    def test(self):
        self.check(patch.stem)
    setattr(Ours, "test_" + patch.stem.replace("-", "_"), test)


for _patch in sorted(OURS.glob("*.patch")):
    add_test(_patch)


class Figures(unittest.TestCase):
    def test_what_make_proof_counts(self):
        """Only what the suite had to notice, and did not, is not killed."""
        results = TempDir(self).path
        (results / "mutants").mkdir()
        (results / "mutants/table.json").write_text(json.dumps([
            {"name": name, "what": what, "killers": killers, "spec": "source:6.12"}
            for name, what, killers in (
                ("(unmutated)", "passes", []), ("a", "killed", ["t"]),
                ("b", "killed", ["t", "u"]), ("c", "can't be observed", []),
                ("d", "NOT for what it is: no x", ["t"]), ("e", "SURVIVES", []))]))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(proof.main(results), 0)
        self.assertEqual(said.getvalue().splitlines()[1].split(),
                         ["source:6.12", "5", "2", "1", "2"])
        self.assertIn("none since the last make clean: make coverage", said.getvalue())


class Kernels(unittest.TestCase):
    """kernel-patches/mutants, without building or booting one: see make mutants."""

    def test_each_mutant_applies_where_it_says(self):
        cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
        sources = sorted(pathlib.Path(cache, "hmm-notifier-tests/src").glob("[0-9]*"))
        tried = 0
        for source in sources:
            base = re.match(r"\d+\.\d+", source.name)[0]
            if not (MUTANTS / base).is_dir():
                continue
            patches = sorted([*MUTANTS.glob("*.patch"), *(MUTANTS / base).glob("*.patch")])
            r = sh(TOP / "tests/proof/merge.py", source, TempDir(self).path, *patches)
            self.assertEqual((r.returncode, r.stdout), (0, ""), source)
            tried += 1
        if not tried:
            self.skipTest("no kernel source is in the cache; make mutants gets one")

    def test_they_name_what_the_suite_says(self):
        """A check is told by its text, in which a rename changes names."""
        files = [*(TOP / "selftests").glob("*.[ch]"), *(TOP / "lib").rglob("*.[ch]")]
        known = set(re.findall(r"\w+(?:(?:->|\.)\w+)?", "".join(f.read_text() for f in files)))
        for patch in sorted(MUTANTS.rglob("*.patch")):
            for text in re.findall(r"^Killed-by: [^:]*: (.*)", patch.read_text(), re.M):
                names = re.findall(r"[A-Za-z_]\w*(?:->|\.)\w+|\b[A-Z]\w*_\w+", text)
                self.assertEqual({n for n in names if "/" + n not in text} - known, set(),
                                 patch.name)

    def test_there_are_enough(self):
        for base in ("6.12", "7.2"):
            names = {p.stem for d in (MUTANTS, MUTANTS / base) for p in d.glob("*.patch")}
            self.assertLessEqual(30, len(names))
            history = {n for n in names if n.startswith("history-")}
            self.assertLessEqual(5, len(history))
