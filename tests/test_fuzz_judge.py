# SPDX-License-Identifier: GPL-2.0
"""Some hundred ways to break a good run; make fuzz-judge has as many as one likes."""
import unittest

import fuzz_judge
from support import TOP, sh


class Mangled(unittest.TestCase):
    def test_none_is_a_pass_or_a_fault(self):
        found = fuzz_judge.fuzz(600)
        self.assertEqual(found.faults, [])
        self.assertEqual(found.n, 600)
        # or a judge that fails every run would pass, too
        self.assertLess(0, found.codes[0])

    def test_none_at_all_is_no_success(self):
        r = sh(TOP / "tests/fuzz_judge.py", "-n", "0")
        self.assertEqual(r.returncode, 2, r.stdout)


if __name__ == "__main__":
    unittest.main()
