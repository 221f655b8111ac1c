# SPDX-License-Identifier: GPL-2.0
"""What a run says in one place, it has to bear out in another: programs, tests, and the
WARNs that they account for."""
import json
import unittest

import goodrun
from goodrun import BUG, WARN, account
from judged import LAST, PROGRAM, TESTS, Judged, JudgeTest, changed, good_kmsg, good_ktap


class Reconciled(JudgeTest):
    """Lines that contradict each other are a failure."""
    EXIT, OUTER = f"# hmm_notifier: exit {PROGRAM} 0", f"ok 1 selftests: mm: {PROGRAM}"

    def changed(self, old, *new):
        return Judged(self, changed(good_ktap(), old, *new))

    def test_result_of_a_program(self):
        for rest in ("", " # exit=139", " # exit=1", " # SKIP", " # timeout"):
            with self.subTest(rest=rest):
                self.assert_fails(self.changed(self.OUTER, f"not {self.OUTER}{rest}"),
                                  PROGRAM, "its result is 'not ok")
        self.assert_fails(self.changed(self.OUTER, f"{self.OUTER} # SKIP"), PROGRAM, "SKIP")

    def test_exit_code(self):
        for code in (1, 2, 4, 124, 99999):
            with self.subTest(code=code):
                self.assert_fails(self.changed(self.EXIT, self.EXIT[:-1] + str(code)),
                                  PROGRAM, f"exit code {code}")

    def test_missing_lines_of_a_program(self):
        for gone, text in (((self.EXIT,), "nothing says how"), ((self.OUTER,), "is missing"),
                           ((self.EXIT, self.OUTER), "nothing says how")):
            ktap = [line for line in good_ktap() if line not in gone]
            self.assert_fails(Judged(self, ktap), PROGRAM, text)

    def test_lines_that_are_there_twice(self):
        for line in (self.EXIT, self.OUTER, "KTAP version 1", "1..1", "# 1..4",
                     f"# hmm_notifier: program {PROGRAM}", "# hmm_notifier: done 1"):
            with self.subTest(line=line):
                self.assert_fails(self.changed(line, line, line), "ktap", "not in its place")

    def test_totals(self):
        totals = next(line for line in good_ktap() if "Totals" in line)
        self.assert_fails(self.changed(totals, totals.replace("fail:0", "fail:1")),
                          PROGRAM, "its totals are")
        self.assert_fails(self.changed(totals), PROGRAM, "its totals are None")

    def test_program_that_was_not_to_run(self):
        ktap = [line.replace(PROGRAM, "hmm_notifier_y") for line in good_ktap()]
        self.assert_fails(Judged(self, ktap), "hmm_notifier_y", "was not to run")

    def test_what_the_harness_said_before_the_result(self):
        ktap = changed(good_ktap(), "# #            OK  f.w.two", "# #          FAIL  f.w.two")
        self.assert_fails(Judged(self, ktap), f"{PROGRAM}:f.w.two", "the line before says FAIL")

    def test_result_that_nobody_expects(self):
        for line in ("# not ok 77 zzz", "# ok 5 f.v.one", "not ok 1 - x", "# Bail out!",
                     "# hmm_notifier: exit x 9", "# hmm_notifier: hang: a:b: c"):
            with self.subTest(line=line):
                j = self.changed(LAST, LAST, line)
                self.assertEqual((j.code, j.summary["verdict"]), (1, "fail"), j.out)

    def test_failure_that_was_not_asked_for(self):
        """6.1's harness runs all tests, and none may fail unseen."""
        ktap = changed(good_ktap(), LAST, "# not ok 4 f.w.two")
        j = Judged(self, ktap, expected=["f.v.one"], selects=False)
        self.assert_fails(j, f"{PROGRAM}:f.w.two", "not asked for")

    def test_fewer_tests_than_were_to_run(self):
        j = Judged(self, good_ktap(), expected=["f.v.one", "f.v.two", "f.w.one"])
        self.assertNotEqual(j.code, 0, j.out)

    def test_skip_that_no_test_gives(self):
        for rest in ("SKIP nothing", "SKIP ", "SKIP THIS", "SKIP ONFIG_THIS",
                     "skip no CONFIG_THIS", "TODO x", " SKIP no CONFIG_THIS"):
            with self.subTest(rest=rest):
                j = Judged(self, good_ktap(**{"f.v.one": f" # {rest}"}))
                self.assertIn(f"{PROGRAM}:f.v.one", j.failed())

    def test_known_bug_that_none_of_the_fixes_is_for(self):
        rest = " # XFAIL known bug: another fix"
        strings = json.loads(goodrun.describe({PROGRAM: TESTS})["programs.json"])
        strings[PROGRAM]["strings"].append("known bug: another fix")
        for programs in (strings, None):
            files = {"programs_json": json.dumps(programs)} if programs else {}
            j = Judged(self, good_ktap(**{"f.v.one": rest}), **files)
            self.assertIn("another fix", j.failed()[f"{PROGRAM}:f.v.one"])

    def test_reason_that_another_test_gives(self):
        for rest in (" # SKIP no CONFIG_THIS", f" # XFAIL known bug: {BUG}"):
            j = Judged(self, good_ktap(**{"f.v.one": rest}))
            self.assert_fails(j, f"{PROGRAM}:f.v.one", "in the kernel's log")

    def test_known_bug_that_left_nothing_in_the_log(self):
        kmsg = goodrun.kmsg({f"{PROGRAM}:{name}": rest for name, rest in TESTS.items()
                             if "XFAIL" not in rest})
        self.assert_fails(Judged(self, None, kmsg), f"{PROGRAM}:f.w.one",
                          "nothing of it in the kernel's log")

    def test_without_the_device_nothing_was_tested(self):
        guest = "# hmm_notifier: guest 6.12 x86_64"
        j = self.changed(guest, guest, "# hmm_notifier: could not load test_hmm.ko")
        self.assertEqual((j.code, j.summary["verdict"]), (4, "nothing"))
        self.assertIn("could not load test_hmm.ko", j.out)


class Accounts(JudgeTest):
    """The WARNs of mm/mmu_notifier.c, told apart by their lines."""
    TEST = f"{PROGRAM}:f.v.one"

    def judged(self, account=account(hlist=1), warns=(WARN,)):
        kmsg = good_kmsg()
        kmsg[3:6] = [*((4, text) for text in warns), *((12, text) for text in [account] if text)]
        return Judged(self, None, kmsg)

    def test_one_more_and_one_less(self):
        self.assert_fails(self.judged(warns=(WARN, WARN)), self.TEST, "there came release=0 "
                          "interval=0 hlist=2 range_end=0")
        self.assert_fails(self.judged(warns=()), self.TEST, "hlist=0")

    def test_other_site(self):
        self.assert_fails(self.judged(account(interval=1)), self.TEST, "hlist=1")
        j = self.judged(warns=(WARN.replace(":487", ":444"),))
        self.assert_fails(j, self.TEST, "interval=1")

    def test_line_that_is_no_site(self):
        other = WARN.replace(":487", ":490")
        j = self.judged(account(), (other,))
        self.assert_fails(j, self.TEST, f"the kernel reported: {other}")

    def test_no_account(self):
        self.assert_fails(self.judged(None), self.TEST, "it accounts for no WARN")
        self.assertEqual(self.judged(None, ()).code, 0)

    def test_all_headers_are_counted(self):
        seven = "WARNING: mm/mmu_notifier.c:488 at func+0x1/0x2, CPU#0: comm/1"
        detailed = seven.replace("mm/", "[range->flags[0] || _ret != -11] mm/")
        j = self.judged(account(hlist=3), (WARN, seven, detailed))
        self.assertEqual(j.code, 0, j.out)

    def test_account_that_can_not_be_read(self):
        good = account(hlist=1)
        for bad in (good + " x", good.replace("hlist", "hlst"),
                    good.replace("=1", "=" + "9" * 5000), good.replace("=1", "=-1"),
                    good.replace(" range_end=0", ""), "hmm_notifier: accounted"):
            with self.subTest(account=bad[:80]):
                self.assert_fails(self.judged(bad), self.TEST, "can't be read")

    def test_two_accounts(self):
        kmsg = good_kmsg()
        kmsg.insert(5, kmsg[5])
        self.assert_fails(Judged(self, None, kmsg), self.TEST, "twice")

    def test_account_outside_of_a_test(self):
        kmsg = good_kmsg()
        kmsg.insert(7, kmsg[5])
        self.assert_fails(Judged(self, None, kmsg), "kernel-log", "outside of any test")

    def test_section_without_an_end_or_of_no_test(self):
        kmsg = good_kmsg()
        del kmsg[6]
        self.assert_fails(Judged(self, None, kmsg), self.TEST, "has no end")
        kmsg = [(p, t.replace("f.v.one", "f.v.zzz")) for p, t in good_kmsg()]
        self.assert_fails(Judged(self, None, kmsg), "kernel-log", "section of no test")


if __name__ == "__main__":
    unittest.main()
