# SPDX-License-Identifier: GPL-2.0
"""Attacks on test_hmm with the series, by tests/device in a guest: who loads it for the
tests has a machine that it must not harm."""
import unittest

from support import TOP, Run, take_long

X = "hmm_notifier_attack:attack"
ATTACKS = ("errors_write_nothing", "got_notifier_dies_with_its_file", "hold_ends_in_sum",
           "is_for_root_only", "survives_everything")


class Device(unittest.TestCase):
    def test_attacks(self):
        """Ten minutes and another kernel: make fuzz-device"""
        take_long(self)
        r = Run(self, "--test", "attack", "--selftests", TOP / "tests/device",
                standins=False)
        self.assertEqual({name: t["result"] for name, t in r.tests.items()},
                         {f"{X}.{name}": "pass" for name in ATTACKS}, r.out)
        self.assertEqual((r.code, r.summary["verdict"]), (0, "pass"), r.out)
        self.assertRegex(r.log("ktap.log"), r"seed 1: \d+ processes, \d+ ioctls")


if __name__ == "__main__":
    unittest.main()
