# SPDX-License-Identifier: GPL-2.0
"""The rows of make bench are all of a run."""
import contextlib
import io
import json
import unittest

import bench
import goals
from support import TempDir


class Rows(unittest.TestCase):
    def test_their_sum_is_the_whole(self):
        run = TempDir(self).path
        began = 1000.0
        done = {mark: began + 2 ** i for i, mark in enumerate(
            ("python", "packages", "kernel", "builds", "tests", "accelerator", "described",
             "qemu", "guest", "verdict"))}
        for name, value in (
                ("times.json", done),
                ("boot.json", {"times": {"first": 1.0, "tests": 3.0, "tested": 103.0}}),
                ("summary.json", {"tests": [{"seconds": 40.0}, {"seconds": None},
                                            {"seconds": 20.5}]})):
            (run / name).write_text(json.dumps(value))
        rows = bench.rows(run, began, 600.0)
        self.assertEqual(sum(rows.values()), 600.0)
        self.assertEqual((rows["start of Python"], rows["packages checked"]), (1.0, 1.0))
        self.assertEqual((rows["tests"], rows[bench.BETWEEN]), (60.5, 39.5))
        self.assertEqual(rows["end of Python"], 600.0 - 512.0)
        self.assertEqual(len(rows), len(bench.MARKS) + 1)

    def test_of_a_guest(self):
        log = "".join(f"12,{i},{us},-;{text}\n" for i, (us, text) in enumerate((
            (2000000, "hmm_notifier: begin hmm_notifier_x:t.a"),
            (2000001, "hmm_notifier: accounted release=0 interval=0 hlist=0 range_end=0"),
            (2250000, "hmm_notifier: end hmm_notifier_x:t.a"),
            (2750000, "hmm_notifier: begin hmm_notifier_x:t.b"),
            (3750000, "hmm_notifier: end hmm_notifier_x:t.b"),
            (7750000, "hmm_notifier: begin hmm_notifier_y:t.a"),
            (7750000, "hmm_notifier: end hmm_notifier_y:t.a"))))
        self.assertEqual(bench.guest_rows(log), {
            "boot, to the first test": (2.0, 1), "tests": (1.25, 3),
            f"{bench.BETWEEN} of a program": (0.5, 1), "between programs": (4.0, 1)})


class Goals(unittest.TestCase):
    def test_a_row_says_whether_it_is_met(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            goals.show("one", [9.0, 1.0, 4.0], 8)
            goals.show("other", [8.5], 8)
            goals.show("part", [3.0])
        self.assertEqual([line.split() for line in out.getvalue().splitlines()], [
            ["one", "4.00", "s", "8.00", "0.50", "met"],
            ["other", "8.50", "s", "8.00", "1.06", "MISSED"], ["part", "3.00", "s"]])

    def test_of_upstream(self):
        """Its tests that ran, between our first program and the second"""
        log = "".join(f"12,{i},{us},-;hmm_notifier: {text}\n" for i, (us, text) in enumerate((
            (1000000, "begin hmm_notifier_x:t.a"), (1500000, "end hmm_notifier_x:t.a"),
            (5500000, "begin hmm_notifier_y:t.a"), (5750000, "end hmm_notifier_y:t.a"),
            (6000000, "begin hmm_notifier_z:t.a"), (6250000, "end hmm_notifier_z:t.a"))))
        theirs = "# hmm_notifier: program ../bin/bounded\n"
        ktap = (f"# # ok 1 t.a\n{theirs}# # ok 1 a\n# # not ok 2 b\n# # ok 3 c # SKIP no\n"
                "# hmm_notifier: exit ../bin/bounded 1\n# # ok 1 t.a\n")
        self.assertEqual(goals.of_theirs(log, ktap), 2.0)
        self.assertAlmostEqual(goals.of_ours(log), 1 / 3)
        with self.assertRaises(goals.Void):
            goals.of_theirs(log, theirs)


if __name__ == "__main__":
    unittest.main()
