# SPDX-License-Identifier: GPL-2.0
"""The judge, with a good run broken in every way that we could think of."""
import unittest
import xml.etree.ElementTree as ET

import goodrun
from goodrun import BUG, WARN
from judged import (KNOWN, OTHER_WARN, PROGRAM, SKIP, TESTS, Judged, JudgeTest,
                    changed, good_kmsg, good_ktap)


class Good(unittest.TestCase):
    def test_passes_with_its_counts(self):
        j = Judged(self)
        self.assertEqual(j.code, 0, j.out)
        s = j.summary
        self.assertEqual((s["passed"], s["failed"], s["skipped"], s["known_bugs"]),
                         (2, 0, 1, 1))
        self.assertEqual(s["verdict"], "pass")
        self.assertEqual(j.tests[f"{PROGRAM}:f.w.one"], ("known_bug", f"known bug: {BUG}"))
        self.assertEqual(j.tests[f"{PROGRAM}:f.v.two"], ("skip", "no CONFIG_THIS"))

    def test_strict_fails_and_names_known_bugs_only(self):
        j = Judged(self, None, None, "--strict")
        self.assertEqual((j.code, j.summary["verdict"]), (1, "fail"))
        self.assertEqual(j.failed(), {})
        self.assertIn(f"{PROGRAM}:f.w.one", j.out)
        self.assertNotIn(f"{PROGRAM}:f.w.two", j.out)

    def test_junit_and_kernel_logs(self):
        j = Judged(self)
        suite = ET.parse(j.dir / "junit.xml").getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("skipped")),
                         ("4", "0", "2"))
        log = (j.dir / "kernel-log" / f"{PROGRAM}_f.v.one.log").read_text()
        self.assertEqual(len(log.splitlines()), 5)
        self.assertIn(WARN, log)

    def test_older_harness_gives_a_skipped_test_no_name(self):
        ktap = changed(good_ktap(), SKIP, "# ok 2 # SKIP no CONFIG_THIS")
        j = Judged(self, ktap)
        self.assertEqual(j.tests[f"{PROGRAM}:f.v.two"], ("skip", "no CONFIG_THIS"))
        self.assertEqual(j.code, 0, j.out)

    def test_only_skips_is_nothing_tested(self):
        ktap = good_ktap(**{name: " # SKIP no device here" for name in TESTS})
        j = Judged(self, ktap, goodrun.kmsg({}))
        self.assertEqual((j.code, j.summary["verdict"]), (4, "nothing"), j.out)

    def test_harness_that_cannot_select_ran_more_than_was_asked(self):
        j = Judged(self, expected=["f.v.one"], selects=False)
        self.assertEqual((j.code, list(j.tests)), (0, [f"{PROGRAM}:f.v.one"]))


class Broken(JudgeTest):
    def test_failed_test_is_told_with_what_was_expected(self):
        ktap = changed(good_ktap(), "# ok 4 f.w.two",
                       "# # x.c:60:two:Expected 1 (1) == n (2)", "# not ok 4 f.w.two")
        j = Judged(self, changed(ktap, f"# hmm_notifier: exit {PROGRAM} 0",
                                 f"# hmm_notifier: exit {PROGRAM} 1"))
        self.assert_fails(j, f"{PROGRAM}:f.w.two", "Expected 1 (1) == n (2)")
        self.assertEqual(len(j.failed()), 1)
        self.assertIn(f"--test '{PROGRAM}:f.w.two'", j.out)
        self.assertIn("Modules linked in:", j.out)

    def test_cut_off_anywhere(self):
        ktap = good_ktap()
        for n in range(len(ktap)):
            with self.subTest(lines=n):
                j = Judged(self, ktap[:n])
                self.assertNotEqual(j.code, 0, "\n".join(ktap[:n]))
                self.assertEqual(j.summary["verdict"], "fail")

    def test_any_one_line_missing_is_no_better_than_all(self):
        """No line's loss may turn a failure into a pass."""
        ktap = changed(good_ktap(), "# ok 4 f.w.two", "# not ok 4 f.w.two")
        for n in range(len(ktap)):
            with self.subTest(without=ktap[n]):
                self.assertNotEqual(Judged(self, ktap[:n] + ktap[n + 1:]).code, 0)

    def test_missing_result_names_the_test(self):
        j = Judged(self, [li for li in good_ktap() if li != "# ok 4 f.w.two"])
        self.assert_fails(j, f"{PROGRAM}:f.w.two", "did not run")

    def test_missing_plans(self):
        j = Judged(self, [li for li in good_ktap() if li != "# 1..4"])
        self.assert_fails(j, "ktap", "plan is missing")
        j = Judged(self, [li for li in good_ktap() if li != "1..1"])
        self.assert_fails(j, "ktap", "plan of the whole run is missing")

    def test_plan_that_promises_more(self):
        j = Judged(self, changed(good_ktap(), "# 1..4", "# 1..5"))
        self.assert_fails(j, "ktap", "missing")

    def test_no_ktap_at_all(self):
        j = Judged(self, [])
        self.assert_fails(j, "ktap", "no KTAP", code=4)

    def test_expected_fail_without_a_name_of_a_fix(self):
        j = Judged(self, changed(good_ktap(), KNOWN,
                                 "# ok 3 f.w.one # XFAIL it is like that"))
        self.assert_fails(j, f"{PROGRAM}:f.w.one", "XFAIL without")

    def test_unexpected_pass(self):
        j = Judged(self, changed(good_ktap(), "# ok 4 f.w.two",
                                 "# ok 4 f.w.two # XPASS unknown"))
        self.assert_fails(j, f"{PROGRAM}:f.w.two", "XPASS")

    def test_failed_known_bug_is_a_failure(self):
        j = Judged(self, changed(good_ktap(), KNOWN,
                                 KNOWN.replace("ok", "not ok", 1)))
        self.assertIn(f"{PROGRAM}:f.w.one", j.failed())

    def test_program_that_crashes_after_its_last_test(self):
        j = Judged(self, changed(good_ktap(), f"# hmm_notifier: exit {PROGRAM} 0",
                                 f"# hmm_notifier: exit {PROGRAM} 139"))
        self.assert_fails(j, PROGRAM, "signal 11")

    def test_two_results_of_one_test(self):
        ktap = changed(good_ktap(), "# ok 4 f.w.two", "# ok 4 f.w.two", "# ok 5 f.v.one")
        j = Judged(self, changed(ktap, "# 1..4", "# 1..5"))
        self.assert_fails(j, f"{PROGRAM}:f.v.one", "two results")


class Log(JudgeTest):
    def splat(self, where, text, prio=4, **kw):
        kmsg = good_kmsg()
        kmsg.insert(where, (prio, text))
        return Judged(self, None, kmsg, **kw)

    def test_splat_with_no_test_to_answer(self):
        for where, place in ((1, "before the first test"), (7, f"after {PROGRAM}:f.v.one")):
            for text in (WARN, "BUG: kernel NULL pointer dereference", OTHER_WARN,
                         "WARNING: mm/mmu_notifier.c:534 at func, CPU#0: comm/1",
                         "WARNING: possible circular locking dependency detected",
                         "Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI"):
                with self.subTest(text=text, place=place):
                    j = self.splat(where, text)
                    self.assert_fails(j, "kernel-log", f"{place}: {text}")

    def test_splat_that_its_test_does_not_count(self):
        for text in (OTHER_WARN, "BUG: KASAN: slab-use-after-free in f+0x1/0x2",
                     "BUG: sleeping function called from invalid context at mm/x.c:1"):
            with self.subTest(text=text):
                j = self.splat(4, text)
                self.assert_fails(j, f"{PROGRAM}:f.v.one", text)
                self.assertEqual(len(j.failed()), 1)

    def test_splat_that_its_test_announces(self):
        kmsg = good_kmsg()
        kmsg[4:4] = [(12, "hmm_notifier: expect BUG: sleeping function"),
                     (4, "BUG: sleeping function called from invalid context at x.c:1")]
        self.assertEqual(Judged(self, None, kmsg).code, 0)

    def test_what_a_program_writes_is_no_splat(self):
        j = self.splat(1, OTHER_WARN, prio=12)
        self.assertEqual(j.code, 0, j.out)

    def test_lost_records(self):
        kmsg = good_kmsg()
        numbers = [n + 3 * (n > 6) for n in range(len(kmsg))]
        j = Judged(self, None, kmsg, numbers=numbers)
        self.assert_fails(j, "kernel-log", f"3 records lost after {PROGRAM}:f.v.one")

    def test_first_records_overwritten(self):
        j = Judged(self, numbers=range(7, 7 + len(good_kmsg())))
        self.assert_fails(j, "kernel-log", "7 records lost before the first test")

    def test_log_cut_off(self):
        j = Judged(self, end_line=False)
        self.assert_fails(j, "kernel-log", "cut off")


class Ends(JudgeTest):
    def test_each_bad_end_with_a_perfect_ktap(self):
        for ended in ("panic", "killed", "silent", "timeout", "flood", "qemu-error",
                      "early-end", "no-boot", None):
            with self.subTest(ended=ended):
                j = Judged(self, ended=ended)
                self.assert_fails(j, "guest", "it ended so" if ended else "nothing says")

    def test_panic_belongs_to_the_test_that_ran(self):
        ktap, kmsg = good_ktap(), good_kmsg()
        j = Judged(self, ktap[:ktap.index(KNOWN)],
                   kmsg[:13], ended="panic", end_line=False)
        self.assert_fails(j, f"{PROGRAM}:f.w.one", "it ended so")
        self.assert_fails(j, f"{PROGRAM}:f.w.two", "did not run: it ended so")
        self.assertEqual(len(j.failed()), 2)

    def test_hang_before_the_first_test_is_the_programs(self):
        ktap = good_ktap()
        ktap = ktap[:ktap.index(next(li for li in ktap if "RUN" in li))] + [
            f"# hmm_notifier: hang: {PROGRAM}:-: nothing said for 45 s",
            f"# hmm_notifier: exit {PROGRAM} 124", f"not ok 1 selftests: mm: {PROGRAM}",
            "# hmm_notifier: done 1"]
        j = Judged(self, ktap)
        self.assert_fails(j, PROGRAM, "hangs: before its first test, nothing said for 45 s", 4)
        self.assertNotIn(f"{PROGRAM}:-", j.tests)

    def test_hang_is_named_and_the_rest_did_not_run(self):
        ktap = good_ktap()
        cut = ktap.index(KNOWN)
        ktap = ktap[:cut] + [
            f"# hmm_notifier: hang: {PROGRAM}:f.w.one: nothing said for 45 s",
            f"# hmm_notifier: exit {PROGRAM} 124",
            f"not ok 1 selftests: mm: {PROGRAM} # exit=124", "# hmm_notifier: done 1"]
        j = Judged(self, ktap)
        self.assert_fails(j, f"{PROGRAM}:f.w.one", "hangs: nothing said for 45 s")
        self.assert_fails(j, f"{PROGRAM}:f.w.two", f"{PROGRAM} hung in f.w.one")
        self.assertEqual(len(j.failed()), 2)

    def test_no_boot_is_nothing_tested(self):
        j = Judged(self, [], [(6, "Linux version")], ended="no-boot", end_line=False)
        self.assertEqual(j.code, 4)
        self.assertTrue(j.out.startswith("FAIL the kernel did not boot: it ended so: 4 tests\n"
                                         "FAIL guest\n"), j.out)
        self.assertIn("COULD NOT BOOT: none of 4 tests began", j.out)


if __name__ == "__main__":
    unittest.main()
