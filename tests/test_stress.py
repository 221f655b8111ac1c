# SPDX-License-Identifier: GPL-2.0
"""The stress program itself: a comparison that is wrong on purpose has to fail, and
to come down to the few steps that show it."""
import re
import unittest

from support import KERNEL, TOP, TempDir, sh

TEST = "hmm_notifier_stress:stress.one_step_at_a_time"


class Repeats(unittest.TestCase):
    def figures(self, seed):
        """What it says of a sequence of steps, but for the time that it took."""
        results = TempDir(self).path
        done = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--results", results,
                  "--test", TEST, "--seed", seed, "--stress", "1")
        self.assertEqual(done.returncode, 0, done.stdout)
        ktap = (results / "latest" / "ktap.log").read_text(errors="replace")
        said = re.findall(r"one_step_at_a_time: ?(.*)", ktap)
        # how many callbacks there were is the kernel's: it tries a migration again
        return [re.sub(r" in [\d.]+ s| calls .*", "", line) for line in said]

    def test_a_seed_is_a_sequence(self):
        first = self.figures("4")
        self.assertIn("WARNs, hlist", "\n".join(first))
        self.assertEqual(first, self.figures("4"))
        self.assertNotEqual(first[-5:], self.figures("5")[-5:])


class Shrinks(unittest.TestCase):
    def stress(self, variable):
        """Runs the sequences; returns the reason and the steps that are left."""
        results = TempDir(self).path
        done = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--results", results,
                  "--test", TEST, "--seed", "1", "--stress", "300",
                  "--guest-env", variable)
        self.assertEqual(done.returncode, 1, done.stdout)
        ktap = (results / "latest" / "ktap.log").read_text(errors="replace")
        reason = re.search(r"one step at a time: (.*)", ktap)
        self.assertIsNotNone(reason, ktap)
        steps = re.findall(r":\s+\d+\. thread \d, process (\d): (\w+)", ktap)
        return reason[1], steps, ktap

    def test_expected_warns_that_forget_one(self):
        """expected_warns does not expect the hlist WARN: start, add, arm, change."""
        reason, steps, ktap = self.stress("HMM_NOTIFIER_STRESS_FORGETS=2")
        self.assertIn("the hlist WARN: 0 predicted", reason)
        self.assertLessEqual(len(steps), 6, ktap)
        self.assertEqual(len({process for process, _ in steps}), 1, ktap)
        self.assertLessEqual({"start", "add", "arm"}, {step for _, step in steps}, ktap)

    @unittest.skipUnless(KERNEL == "debian:6.12", "for a kernel with both known bugs")
    def test_a_known_bug_taken_for_none(self):
        reason, steps, ktap = self.stress("HMM_NOTIFIER_STRESS_BUGS=0")
        self.assertRegex(reason, "starts and ends do not pair up|a hang")
        self.assertLessEqual(len(steps), 8, ktap)


if __name__ == "__main__":
    unittest.main()
