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
import callsites  # noqa: E402
import proof  # noqa: E402
import slips  # noqa: E402

OURS = TOP / "tests/proof/mutants"
MUTANTS = TOP / "kernel-patches/mutants"
SERIES = "kernel-patches/6.12"

# How many functions start an invalidation
STARTING = {"6.1": 31, "6.12": 34, "7.2": 35}
# A function that does, and what it calls
CALLS = """
#include <stdio.h>
#include <stdbool.h>
#define PAGE_SIZE 0x1000
enum { MMU_NOTIFY_UNMAP = 2, MMU_NOTIFY_CLEAR = 1 };
struct mmu_notifier_range { unsigned int event; unsigned long start, end; };
static int say(const char *what, const struct mmu_notifier_range *r)
{
    printf("%s-%u-%#lx-%#lx ", what, r->event, r->start, r->end);
    return 0;
}
#define mmu_notifier_invalidate_range_start(r) ((void)say("start", r))
#define mmu_notifier_invalidate_range_start_nonblock(r) say("nonstart", r)
#define mmu_notifier_invalidate_range_end(r) ((void)say("end", r))
"""
BODY = """int main(void)
{
    struct mmu_notifier_range range = { MMU_NOTIFY_CLEAR, 0x1000, 0x3000 };

    mmu_notifier_invalidate_range_start(&range);
    printf("change ");
    if (range.event)
        mmu_notifier_invalidate_range_end(&range);
}
"""
SLIPS_KTAP = """KTAP version 1
# hmm_notifier: program ../job/slip.sh
# # hmm_notifier_mmap.c:7:takes_effect:at the start of unmap_vmas 0x20 is gone
# RESULT 1 change.brk_end_0.takes_effect
# hmm_notifier: exit ../job/slip.sh 1
not ok 1 selftests: mm: ../job/slip.sh # exit=1
# hmm_notifier: program ../job/slip.sh
# ok 1 change.brk_end_0.takes_effect
# hmm_notifier: exit ../job/slip.sh 0
ok 2 selftests: mm: ../job/slip.sh
"""
NON_BLOCKABLE = BODY.replace("mmu_notifier_invalidate_range_start(&range);", """
    if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
        return 1;
    }""")


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
                  *(a for glob, _ in told for a in ("--test", glob)))
        console = to / "results/latest/console.log"
        self.assertTrue(console.exists(), done.stdout)
        self.assertEqual(done.returncode, 1,
                         done.stdout + console.read_text(errors="replace")[-8000:])
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

    def test_each_start_has_each_slip(self):
        """Of each base that is in the cache, or there is a reason; and they apply."""
        cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
        sources = sorted(pathlib.Path(cache, "hmm-notifier-tests/src").glob("[0-9]*"))
        for source in sources:
            made, without = slips.patches(source)
            self.assertEqual(without, {
                "__split_huge_pud": "it needs DAX", "wp_clean_pre_vma": "it needs vmwgfx",
                "whole-clear_refs_write": "this is right: all of the mm changes"}, source)
            functions = STARTING[re.match(r"\d+\.\d+", source.name)[0]] - 2
            self.assertEqual(len(made), len(slips.SLIPS) * functions - 1, source)
            # One that changes all the places, for each function
            patches = slips.write({n: p for n, p in made.items() if n.startswith("twice-")},
                                  TempDir(self).path / "slips")
            self.assertEqual(len(patches), functions)
            r = sh(TOP / "tests/proof/merge.py", source, TempDir(self).path, *patches)
            self.assertEqual((r.returncode, r.stdout), (0, ""), source)
        if not sources:
            self.skipTest("no kernel source is in the cache; make mutants gets one")

    def calls_of(self, slip, body):
        """What a function calls, with this slip: compiled, and run."""
        source = TempDir(self).path / "slip.c"
        source.write_text("\n".join([CALLS, *map(slip, body.splitlines())]))
        subprocess.run(["gcc", "-Wall", "-Werror", source, "-o", source.with_suffix("")],
                       check=True)
        return subprocess.run([source.with_suffix("")], capture_output=True, text=True,
                              check=True).stdout.split()

    def test_a_slip_is_what_its_name_says(self):
        start, end = "start-1-0x1000-0x3000", "end-1-0x1000-0x3000"
        seen = {
            "event": ["start-2-0x1000-0x3000", "change", "end-2-0x1000-0x3000"],
            "nonblock": ["non" + start, "change", end],
            "short": ["start-1-0x1000-0x2000", "change", "end-1-0x1000-0x2000"],
            "whole": ["start-1-0-0xffffffffffffffff", "change", "end-1-0-0xffffffffffffffff"],
            "twice": [start, start, "change", end, end],
            "late": ["change", start, end],
            "early": [start, end, "change"],
        }
        for name, (slip, *_) in slips.SLIPS.items():
            self.assertEqual(self.calls_of(slip, BODY), seen[name], name)
            # The other way round, of the one that starts with the non-blockable call
            wanted = [f"non{c}" if c.startswith("start") else c for c in seen[name]]
            wanted = [start, "change", end] if name == "nonblock" else wanted
            slip = slips.late_nonblock if name == "late" else slip
            self.assertEqual(self.calls_of(slip, NON_BLOCKABLE), wanted, name)

    def test_a_slip_is_noticed_by_what_is_said(self):
        """Not by another failure, by what passes, or in a guest that has ended"""
        said = SLIPS_KTAP.replace("RESULT", "not ok")
        first, second = callsites.sections(said)
        self.assertTrue(callsites.noticed(first, "at the start of ... unmap_vmas"))
        self.assertFalse(callsites.noticed(first, "at the end of unmap_vmas"))
        self.assertFalse(callsites.noticed(second, "at the start of unmap_vmas"))
        first, _ = callsites.sections(SLIPS_KTAP.replace("RESULT", "ok"))
        self.assertFalse(callsites.noticed(first, "at the start of unmap_vmas"))
        self.assertEqual(len(callsites.sections(said.replace("exit ../job/slip.sh 0", ""))), 1)

    def test_there_are_enough(self):
        for base in ("6.12", "7.2"):
            names = {p.stem for d in (MUTANTS, MUTANTS / base) for p in d.glob("*.patch")}
            self.assertLessEqual(30, len(names))
            history = {n for n in names if n.startswith("history-")}
            self.assertLessEqual(5, len(history))
