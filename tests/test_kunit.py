# SPDX-License-Identifier: GPL-2.0
"""--kunit: what is made of kunit.py's words and of the kernel's; and a run, where its
kernel has been built."""
import json
import pathlib
import subprocess
import unittest

from support import TOP, TempDir, machine, shim

from runner import errors, kunit, options
from runner.linux.request import Extras

BUG = "mm/mmu_notifier: end the interval tree when an hlist start fails"
CONSOLE = f"""\
[    0.5] KTAP version 1
[    0.50] 1..1
[    0.501]     KTAP version 1
[    0.50]     # Subtest: mmu_notifier
[    0.50]     1..1
[    0.50]         KTAP version 1
[    0.50]         # Subtest: holds
[    0.50] callback failed with -11 in non-blockable context.
[    0.50]         ok 1 nonblock_hlist_eagain
[    0.50]     # holds: EXPECTATION FAILED at mm/tests/mmu_notifier_kunit.c:300
[    0.50]     Expected 1 == s->failed, but
[    0.50]         not ok 2 nonblock_hlist_enomem
[    0.50]         ok 3 nonblock_interval_hlist_eagain # SKIP known bug: {BUG}
[    0.50]         ok 4 block_end # SKIP known bug: mm: none of ours
[    0.50]         ok 5 release_idle # SKIP there is none
"""
STATUS = {"nonblock_hlist_eagain": "PASS", "nonblock_hlist_enomem": "FAIL",
          "nonblock_interval_hlist_eagain": "SKIP", "block_end": "SKIP",
          "release_idle": "SKIP"}


def found(status):
    return {("mmu_notifier", "holds", name): how for name, how in status.items()}


class Judged(unittest.TestCase):
    def judge(self, console=CONSOLE, status=None, code=1):
        path = TempDir(self).path / "console.log"
        path.write_text(console)
        tests = kunit.judge(found(STATUS if status is None else status), path, code, [BUG])
        return {t["name"]: t for t in tests}

    def test_each_result_is_told(self):
        tests = self.judge()
        self.assertEqual({name: t["result"] for name, t in tests.items()}, {
            "kunit:mmu_notifier.nonblock_hlist_eagain.holds": "pass",
            "kunit:mmu_notifier.nonblock_hlist_enomem.holds": "fail",
            "kunit:mmu_notifier.nonblock_interval_hlist_eagain.holds": "known_bug",
            "kunit:mmu_notifier.block_end.holds": "fail",
            "kunit:mmu_notifier.release_idle.holds": "skip"})
        self.assertIn("Expected 1 == s->failed",
                      tests["kunit:mmu_notifier.nonblock_hlist_enomem.holds"]["reason"])
        self.assertEqual(tests["kunit:mmu_notifier.release_idle.holds"]["reason"],
                         "there is none")

    def test_a_splat_fails(self):
        for line in ("WARNING: mm/mmu_notifier.c:534 at f, CPU#0: kunit/1",
                     "BUG: sleeping function called from invalid context at x.c:1",
                     "WARNING: possible circular locking dependency detected"):
            with self.subTest(line):
                tests = self.judge(f"{CONSOLE}[    1.00] {line}\r\n")
                self.assertIn(line, tests["kernel-log"]["reason"])
        self.assertNotIn("kernel-log", self.judge())

    def test_no_success_without_kunit_py(self):
        passed = {"nonblock_hlist_eagain": "PASS"}
        self.assertNotIn("kunit", self.judge(status=passed, code=0))
        self.assertEqual(self.judge(status=passed)["kunit"]["result"], "fail")
        # it was not told of an end
        self.assertEqual(self.judge(status={"nonblock_hlist_eagain": "ERROR"}, code=0)
                         ["kunit:mmu_notifier.nonblock_hlist_eagain.holds"]["result"], "fail")

    def test_json_is_read_to_its_leaves(self):
        group = {"name": "top", "test_cases": [], "sub_groups": [
            {"name": "mmu_notifier", "test_cases": [{"name": "alone", "status": "PASS"}],
             "sub_groups": [{"name": "holds", "sub_groups": [], "test_cases": [
                 {"name": "block_end", "status": "FAIL"}]}]}]}
        self.assertEqual(kunit.cases(group), {("mmu_notifier", "alone"): "PASS",
                                              ("mmu_notifier", "holds", "block_end"): "FAIL"})


class Options(unittest.TestCase):
    def test_kernel_is_one_that_can_be_built(self):
        self.assertEqual(options.parse(["--kunit"]).kernel, "source:7.2")
        for args in (["--kernel", "debian:6.12"], ["--test", "x"], ["--all"], ["--bisect"],
                     ["--panic-on-warn"], ["--shard", "1/2"], ["--jobs", "2"],
                     ["--config", __file__]):
            with self.subTest(args), self.assertRaises(errors.BadUsage):
                options.parse(["--kunit", *args])

    def test_kvm_is_left_out(self):
        env = shim(self, qemu='echo "$@"')
        out = subprocess.run([TOP / "runner/without-kvm.sh", "-accel", "kvm", "-accel", "tcg",
                              "-append", "a b=kvm"], stdout=subprocess.PIPE, text=True,
                             env={**env, "QEMU": "qemu"}, check=True).stdout
        self.assertEqual(out, "-accel tcg -accel tcg -append a b=kvm\n")


class Run(unittest.TestCase):
    def test_of_a_kernel_that_is_there(self):
        kernel = kunit.Linux(machine(), "source:7.2", Extras(name="kunit"))
        if not kernel.is_made(kernel.made_from()):
            self.skipTest("not built yet: ./run_tests.sh --kunit")
        to = TempDir(self).path
        r = subprocess.run([TOP / "run_tests.sh", "--kunit", "--results", to], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(r.returncode, 0, r.stdout)
        summary = json.loads((pathlib.Path(to) / "latest/summary.json").read_text())
        self.assertEqual((summary["failed"], summary["skipped"]), (0, 0))
        self.assertGreater(summary["passed"], 500)
        self.assertGreater(summary["known_bugs"], 0)
