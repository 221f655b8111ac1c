# SPDX-License-Identifier: GPL-2.0
"""What the judge is told of a kernel and of the programs: as it is, and as data."""
import json
import re
import unittest

import goodrun
from support import BASES, TOP, TempDir, kernel_dir, machine

from runner import build, describe, given, kernel, testbed
from runner.job import Job

HEADER = (TOP / "selftests/hmm_notifier.h").read_text()
BUGS = dict(re.findall(r'^#define (BUG_\w+) \\\n\t"known bug: (.*)"$', HEADER, re.M))
# Of each program some of the reasons that it gives, long ones and short ones
REASONS = {"contract": ["no two-pass interval notifiers (Linux 7.1 and later)"],
           "device": ["no CONFIG_DEVICE_PRIVATE"], "errno": ["kernel.warn_limit is set"],
           "mmap": ["no CONFIG_DEVICE_PRIVATE",
                    "no MADV_GUARD_INSTALL (Linux 6.13 and later)"],
           "oom": ["no memory controller in cgroup v2 (CONFIG_MEMCG)"],
           "with_lockdep": ["no lockdep (CONFIG_PROVE_LOCKING), or it is off"]}
USED = {"contract": ["BUG_INTERVAL_TREE_NOT_ENDED", "BUG_RANGE_END_TWICE"],
        "device": ["BUG_HMM_WRONG_PAGE"], "mmap": ["BUG_RANGE_END_TWICE"],
        "oom": ["BUG_INTERVAL_TREE_NOT_ENDED"]}


class KnownBugs(unittest.TestCase):
    def test_each_is_that_of_a_fix(self):
        self.assertLess(2, len(BUGS))
        fixes = {bug for base in BASES for bug in describe.known_bugs(base, f"source:{base}")}
        self.assertEqual(set(BUGS.values()) - fixes, set())

    def test_with_the_fixes_there_is_none(self):
        for base in BASES:
            self.assertEqual(describe.known_bugs(base, f"source:{base}+fixes"), [])
            self.assertNotIn("lib/test_hmm: add notifiers", describe.known_bugs(base, ""))


class Described(unittest.TestCase):
    def setUp(self):
        self.kernel = kernel.Kernel(kernel_dir(), kernel_dir() / "vmlinuz")
        self.built = build.build(machine(), self.kernel)

    def describe(self, **told):
        results = TempDir(self, "").path
        bed = testbed.Testbed(machine(), self.kernel, self.built, "x86_64", "tcg", told)
        bed.describe(Job(results, *bed.select([]), (), 1, 1, 1), results)
        return results

    def test_reasons_that_the_programs_can_give(self):
        programs = given.read_programs(self.describe())
        for name, reasons in REASONS.items():
            reasons = reasons + [f"known bug: {BUGS[bug]}" for bug in USED.get(name, [])]
            strings = programs[f"hmm_notifier_{name}"]["strings"]
            for reason in reasons:
                self.assertTrue(any(s.endswith(reason) for s in strings), (name, reason))
            self.assertNotIn("Permission denied", strings) # glibc's
        # what is skipped without it, and not with it
        self.assertEqual([s for p in programs.values() for s in p["strings"]
                          if s.startswith("CONFIG_")], [])

    def test_sites(self):
        sites = given.read_meta(self.describe())["warn_sites"]
        self.assertEqual(set(sites), set(goodrun.SITES))
        source = (kernel_dir() / "src/mm/mmu_notifier.c").read_text().splitlines()
        for first, _ in sites.values():
            self.assertIn("WARN_ON", source[first - 1])

    def test_what_is_told_is_data(self):
        mark = TempDir(self, "").path / "ran"
        spec = f'image:/tmp/q"""+str(__import__("os").system("touch {mark}"))+"""/\\N{{DASH}}\'=,B'
        meta = json.loads((self.describe(spec=spec) / "meta.json").read_text())
        self.assertEqual((meta["spec"], meta["accel"]), (spec, "tcg"))
        self.assertEqual(meta["selected"], False)
        self.assertFalse(mark.exists())


if __name__ == "__main__":
    unittest.main()
