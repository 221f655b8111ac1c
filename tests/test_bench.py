# SPDX-License-Identifier: GPL-2.0
"""The rows of make bench are all of a run."""
import json
import unittest

import bench
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


if __name__ == "__main__":
    unittest.main()
