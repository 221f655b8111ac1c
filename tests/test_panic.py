# SPDX-License-Identifier: GPL-2.0
"""--panic-on-warn: a boot that ends in any other way than it should is a failure."""
import json
import unittest

from support import TempDir

from runner import judge, panic

DUE = "hmm_notifier: WARN due at mm/mmu_notifier.c:486-487"
WARN = "WARNING: CPU: 0 PID: 1 at mm/mmu_notifier.c:487 __mmu_notifier+0x1/0x2"
WARN_7 = "WARNING: mm/mmu_notifier.c:487 at __mmu_notifier+0x1/0x2, CPU#0: comm/1"
# with CONFIG_DEBUG_BUGVERBOSE_DETAILED
WARN_WITH_CONDITION = WARN_7.replace("mm/", "[range->flags[0] || _ret != -11] mm/")
PANIC = "Kernel panic - not syncing: kernel: panic_on_warn set ..."
CONSOLE = ["BdsDxe: starting", PANIC, "Linux version 6.12", "Run /init", DUE, WARN, PANIC]
LEGAL = ["Linux version 6.12", "Kernel command line: quiet panic_on_warn=1",
         "Run /init as init process"]


def ended(test, how, console=(), kmsg=()):
    where = TempDir(test).path
    (where / "boot.json").write_text(json.dumps({"ended": how, "detail": how}))
    (where / "meta.json").write_text("{}")
    (where / "console.log").write_text("".join(f"[    1.000000] {t}\n" for t in console))
    (where / "kmsg.log").write_text("".join(f"{p},{n},{n}000,-;{t}\n"
                                            for n, (p, t) in enumerate(kmsg)))
    run = judge.Judge.__new__(judge.Judge)
    run.dir, run.boot = where, {"ended": how, "detail": how}
    return run


class Panics(unittest.TestCase):
    def why(self, console, how="panic"):
        return panic.why_no_panic(ended(self, how, console))

    def test_where_it_should(self):
        self.assertEqual("", self.why(CONSOLE))

    def test_as_newer_kernels_say_it(self):
        for warn in (WARN_7, WARN_WITH_CONDITION):
            self.assertEqual("", self.why([warn if t == WARN else t for t in CONSOLE]))

    def test_survives(self):
        self.assertIn("survived", self.why([], "power-off"))

    def test_of_something_else(self):
        self.assertIn("something else", self.why(
            [t.replace("panic_on_warn set", "Fatal exception") for t in CONSOLE]))

    def test_too_early(self):
        self.assertIn("before the failure", self.why([t for t in CONSOLE if t != DUE]))

    def test_a_warn_before_it(self):
        self.assertIn("came before", self.why(
            ["Linux version 6.12", WARN, DUE, WARN, PANIC]))

    def test_elsewhere(self):
        for other in (WARN.replace(":487", ":495"), WARN.replace("mmu_notifier.c", "slub.c")):
            self.assertIn("not at", self.why([other if t == WARN else t for t in CONSOLE]))

    def test_a_second_warn(self):
        self.assertIn("2 WARNs", self.why([*CONSOLE[:-1], WARN, PANIC]))

    def test_without_a_warn(self):
        self.assertIn("no WARN", self.why([t for t in CONSOLE if t != WARN]))


class Survives(unittest.TestCase):
    TESTS = [{"result": "pass"}, {"result": "skip"}]

    def why(self, lines, how="power-off", tests=None):
        run = ended(self, how, kmsg=[(6, t) for t in lines])
        return panic.why_not_legal(run, self.TESTS if tests is None else tests)

    def test_as_it_should(self):
        self.assertEqual("", self.why(LEGAL))

    def test_panics(self):
        self.assertIn("did not survive", self.why(LEGAL, "panic"))

    def test_was_not_asked_to_panic(self):
        self.assertIn("not told", self.why([t for t in LEGAL if "command" not in t]))

    def test_a_warn(self):
        for warn in (WARN, WARN_7):
            self.assertIn("1 WARNs", self.why([*LEGAL, warn]))

    def test_nothing_ran(self):
        self.assertIn("no legal test", self.why(LEGAL, tests=[{"result": "skip"}]))


class Table(unittest.TestCase):
    def test_says_who_saw_what(self):
        tests = [{"name": f"{panic.PROGRAM}:detector.{d}_sees_c.as_one", "result": r}
                 for d, r in zip(panic.DETECTORS, ("pass", "fail", "skip"))]
        rows = panic.table(["c"], tests).splitlines()
        self.assertEqual(["warn_count", "tracepoint", "taint", "console",
                          "panic_on_warn"], rows[0].split())
        self.assertEqual("c seen NOT SEEN skip - -".split(), rows[1].split())


if __name__ == "__main__":
    unittest.main()
