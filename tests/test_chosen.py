# SPDX-License-Identifier: GPL-2.0
"""Which tests run when nobody names them: each claim, each call site."""
import re
import unittest

from support import TOP, built, machine

from runner import chosen, programs


class Default(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.found = programs.read(machine(), built().directory / "tests")
        cls.names = [f"{name}:{test}" for name, p in cls.found.items() for test in p.tests]
        _, cls.expected = chosen.select(cls.found, "default", ())

    def test_each_claim_runs_or_is_left_out_for_a_reason(self):
        ran = {chosen.claim(full) for full in self.expected}
        for full in self.names:
            if chosen.claim(full) not in ran:
                self.assertTrue(programs.selected(full, [g for g, _ in chosen.LEFT_OUT]), full)

    def test_each_change_runs_so_each_call_site(self):
        """That each call site has a change is a test of the suite itself."""
        header = (TOP / "lib/change/changes.h").read_text().partition("#define CHANGE_DECLARE")
        for change in re.findall(r"\bX\((\w+)\)", header[0]):
            self.assertTrue(any(re.search(rf":(change\.|ending\.){change}_|:reap\.", full)
                                and (change == "reap") == (":reap." in full)
                                for full in self.expected), change)
        self.assertIn("hmm_notifier_mmap:global.each_callsite_has_a_change", self.expected)

    def test_all_that_is_left_out_is_counted(self):
        for choice, globs in (("default", ()), ("quick", chosen.QUICK), ("all", ()),
                              ("test", ("rule.hlist_*",))):
            _, expected = chosen.select(self.found, choice, globs)
            out = chosen.left_out(self.found, expected, choice)
            self.assertEqual(len(expected) + sum(out.values()), len(self.names), choice)
            self.assertNotIn(chosen.OTHERS, out, choice)

    def test_harness_that_can_not_select_runs_no_program_in_part(self):
        old = {name: programs.Program(p.path, p.tests, False) for name, p in self.found.items()}
        lines, expected = chosen.select(old, "default", ())
        self.assertNotIn("hmm_notifier_mmap", lines)
        self.assertIn("hmm_notifier_contract", lines)
        self.assertEqual(len(expected), sum(len(old[line].tests) for line in lines))
        self.assertIn(chosen.WHOLE, chosen.left_out(old, expected, "default"))

    def test_what_came_close(self):
        self.assertIn("contract", programs.close_to(self.found, ["contrct"]))
        self.assertIn("rule.hlist_block_eagain",
                      programs.close_to(self.found, ["rule.hlist_block_eagian"]))
        self.assertIn("contract", programs.close_to(self.found, ["@@@@"]))


if __name__ == "__main__":
    unittest.main()
