# SPDX-License-Identifier: GPL-2.0
"""--shard I/N: each test in one part, the same one everywhere, and parts of like size."""
import pathlib
import unittest

from support import KERNEL, STANDINS, TOP, Run, built, machine, sh

from runner import chosen, programs, shards
from runner.errors import BadUsage, NoTest

MANY = (1, 2, 3, 4, 7, 16)


class Split(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.found = programs.read(machine(), built().directory / "tests")
        cls.all = [f"{name}:{test}" for name, p in cls.found.items() for test in p.tests]
        _, cls.default = chosen.select(cls.found, "default", ())
        # 6.1's harness
        cls.whole = {name: programs.Program(p.path, p.tests, False)
                     for name, p in cls.found.items()}

    def test_the_parts_are_the_whole(self):
        for found in (self.found, self.whole):
            for expected in (self.all, self.default):
                for n in MANY:
                    parts = shards.split(found, expected, n)
                    self.assertEqual(len(parts), n)
                    together = [full for part in parts for full in part]
                    self.assertEqual(len(set(together)), len(together))
                    self.assertEqual(set(together), set(expected))
                    for part in parts:  # in the order of the whole
                        self.assertEqual(part, [t for t in expected if t in set(part)])

    def test_all_that_runs_is_selected(self):
        """The lines of the parts run what they say, and nothing else."""
        for n in (2, 5):
            ran = []
            for i in range(1, n + 1):
                lines, expected = shards.select(self.found, self.all, (i, n))
                for line in lines:
                    name, *words = line.split()
                    tests = words[1::2] or self.found[name].tests
                    ran += [f"{name}:{t}" for t in tests]
                self.assertTrue(expected)
            self.assertEqual(sorted(ran), sorted(self.all))

    def test_the_same_everywhere(self):
        back = dict(reversed(self.found.items()))
        for n in MANY:
            first = shards.split(self.found, self.all, n)
            self.assertEqual(shards.split(self.found, self.all, n), first)
            again = shards.split(back, self.all[::-1], n)
            self.assertEqual([set(part) for part in again], [set(part) for part in first])

    def test_like_sizes(self):
        """No part has more than an even share, and the longest unit that is in it."""
        for expected in (self.all, self.default):
            times = [sum(map(shards.seconds, unit))
                     for unit in shards.units(self.found, expected)]
            for n in MANY:
                for part in shards.split(self.found, expected, n):
                    load = sum(map(shards.seconds, part))
                    self.assertLessEqual(load, sum(times) / n + max(times))

    def test_a_program_that_can_not_select_stays_whole(self):
        for part in shards.split(self.whole, self.all, 3):
            for name, p in self.whole.items():
                has = sum(full.partition(":")[0] == name for full in part)
                self.assertIn(has, (0, len(p.tests)))

    def test_who_looks_at_what_happened_beside_is_with_those_that_it_happened_to(self):
        for part in shards.split(self.found, self.all, 5):
            oom = {full for full in part if full.startswith("hmm_notifier_oom:")}
            self.assertTrue(not oom or any(":rest." in full for full in oom), oom)

    def test_what_lockdep_reports_is_in_a_guest_of_its_own(self):
        alone = {full for full in self.all if programs.selected(full, shards.ALONE)}
        self.assertLess(1, len(alone))
        for n in (1, 2):
            parts = shards.guests(self.found, self.all, n, True)
            self.assertEqual(sorted(full for part in parts for full in part), sorted(self.all))
            self.assertEqual({part[0] for part in parts if alone & set(part)}, alone)
            self.assertEqual(len(parts), n + len(alone))
        self.assertEqual(shards.guests(self.found, self.all, 1, False), [self.all])
        self.assertEqual(shards.guests(self.whole, self.all, 1, True), [self.all])

    def test_each_row_of_the_table_is_of_a_test(self):
        left = set(self.all)
        for glob, _ in shards.SLOW:
            matched = {full for full in left if programs.selected(full, [glob])}
            self.assertTrue(matched, glob)
            left -= matched

    def test_a_part_of_nothing(self):
        found = {"p": programs.Program(pathlib.Path("p"), ["a", "b"], True)}
        self.assertEqual(shards.select(found, ["p:a", "p:b"], (1, 3))[1], ["p:a"])
        with self.assertRaises(NoTest):
            shards.select(found, ["p:a", "p:b"], (3, 3))

    def test_words(self):
        self.assertEqual(shards.parse("2/3"), (2, 3))
        for text in ("", "1", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/3/5", " 1/3"):
            with self.assertRaises(BadUsage, msg=text):
                shards.parse(text)


class Really(unittest.TestCase):
    def test_listed(self):
        def names(*args):
            r = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--list", *STANDINS, *args)
            return [li for li in r.stdout.splitlines() if li.startswith("hmm_notifier_")]

        whole = names("--all")
        parts = [names("--all", "--shard", f"{i}/3") for i in (1, 2, 3)]
        self.assertTrue(all(parts))
        self.assertEqual(sorted(name for part in parts for name in part), sorted(whole))

    def test_run(self):
        globs = ("--test", "ends.passes", "--test", "ends.skips")
        runs = [Run(self, "--shard", f"{i}/2", *globs) for i in (1, 2)]
        found = sorted(name for r in runs for name in r.tests)
        self.assertEqual(found, sorted(f"hmm_notifier_standin{which}:ends.{what}"
                                       for which in ("", "_next")
                                       for what in ("passes", "skips")))
        for i, r in enumerate(runs, 1):
            meta = r.summary["meta"]
            self.assertEqual((meta["shard"], meta["left_out"]["other shards"]),
                             (f"{i}/2", 2), r.out)
            self.assertNotIn("--shard", meta["again"])

    def test_not_with_everything(self):
        for more in (["--bisect"], ["--panic-on-warn"], ["--compare", "a", "b"]):
            r = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--shard", "1/2", *more)
            self.assertIn("--shard: not with", r.stdout)
            self.assertNotEqual(r.returncode, 0)


if __name__ == "__main__":
    unittest.main()
