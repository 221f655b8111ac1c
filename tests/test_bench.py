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


if __name__ == "__main__":
    unittest.main()
