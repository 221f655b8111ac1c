# SPDX-License-Identifier: GPL-2.0
"""Real guests that end in every way: each gets its verdict in a bound, and one
clear line.  The tests in them are the stand-ins in tests/guest."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time
import unittest

from support import HANGS, KERNEL, STANDINS, TOP, Run, TempDir, kernel_dir, sh

from runner import qemu

X = "hmm_notifier_standin"
NEXT = "hmm_notifier_standin_next"
QUIET = ("ends.passes", "ends.skips")


def globs(*names):
    return [a for n in names for a in ("--test", n)]


def descendants(pid):
    """Process ids below pid."""
    out = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True,
                         text=True, check=True).stdout
    rows = [line.split(None, 2) for line in out.splitlines()]
    below, more = {}, {str(pid)}
    while more:
        found = {r[0]: r[2] for r in rows if r[1] in more and r[0] not in below}
        below.update(found)
        more = set(found)
    return below


class Ordinary(unittest.TestCase):
    def test_each_result_is_told_for_what_it_is(self):
        r = Run(self, *globs("ends.passes", "ends.fails", "ends.skips", "ends.known_bug",
                             "kernel.sane"))
        self.assertEqual(r.code, 1, r.out)
        for program in (X, NEXT):
            self.assertEqual(r.result(f"{program}:ends.passes"), ("pass", ""))
            self.assertEqual(r.result(f"{program}:ends.skips"),
                             ("skip", "nothing to test with"))
            self.assertEqual(r.result(f"{program}:ends.known_bug"),
                             ("known_bug", "known bug: mm/mmu_notifier: don't run range_end "
                              "twice after a blockable failure"))
            self.assertIn("Expected 1 (1) == 2 (2)", r.result(f"{program}:ends.fails")[1])
        self.assertEqual(r.failed(), [f"{X}:ends.fails", f"{NEXT}:ends.fails"])
        s = r.summary
        self.assertEqual((s["passed"], s["failed"], s["skipped"], s["known_bugs"]),
                         (14, 2, 2, 2))
        latest = r.dir / "latest"
        for name in ("ktap.log", "kmsg.log", "junit.xml", "qemu-command", "meta.json"):
            self.assertTrue((latest / name).stat().st_size, name)
        # what the script boots is still there
        cat = next(li for li in r.log("qemu-command").splitlines() if li.startswith("cat "))
        for path in shlex.split(cat)[1:3]:
            self.assertTrue(os.path.exists(path), path)
        # marks and times came through
        self.assertIsNotNone(r.tests[f"{X}:ends.passes"]["seconds"])
        log = (latest / "kernel-log" / f"{X}_ends.fails.log").read_text()
        self.assertEqual(len(log.splitlines()), 2, log)

    def test_only_what_was_asked_runs(self):
        r = Run(self, "--test", "standin:ends.pass*")
        self.assertEqual((r.code, sorted(r.tests)), (0, [f"{X}:ends.passes"]), r.out)

    def test_its_seconds_are_ours(self):
        khz = qemu.tsc_khz()
        if not khz:
            self.skipTest("no time stamp counter, or none to be read")
        r = Run(self, *globs("ends.passes"))
        mhz = re.search(r"tsc: Detected (\d+)\.", r.log("kmsg.log"))
        self.assertAlmostEqual(int(mhz[1]), khz / 1000, delta=5)

    def test_strange_place_and_two_at_once(self):
        """A clone whose path has blanks, and two runs of it at the same time."""
        top = TempDir(self).path / "my clone, 2nd"
        shutil.copytree(TOP, top, ignore=shutil.ignore_patterns("results", ".git"))
        cmd = [top / "run_tests.sh", "--kernel", KERNEL, "--selftests", top / "tests/guest",
               *globs(*QUIET)]
        runs = [subprocess.Popen(cmd, stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                for _ in range(2)]
        for run in runs:
            out, _ = run.communicate(timeout=HANGS)
            self.assertEqual(run.returncode, 0, out)
        done = [p for p in (top / "results").iterdir() if not p.is_symlink()]
        self.assertEqual(len(done), 2)
        for results in done:
            s = json.loads((results / "summary.json").read_text())
            self.assertEqual((s["verdict"], s["passed"]), ("pass", 2))


class BadEnds(unittest.TestCase):
    def test_hang_in_state_d(self):
        r = Run(self, "--timeout", "6", *globs("ends.passes", "kernel.mad.hang"))
        self.assertEqual(r.code, 1, r.out)
        self.assertEqual(r.failed(), [f"{X}:kernel.mad.hang", f"{NEXT}:kernel.mad.hang"])
        self.assertIn("hangs: ", r.result(f"{X}:kernel.mad.hang")[1])
        # the next program ran, and the blocked task is in the log
        self.assertEqual(r.result(f"{NEXT}:ends.passes")[0], "pass")
        self.assertTrue("misbehave_hang" in r.log("kmsg.log"), r.out)
        self.assertEqual(r.summary["ended"], "power-off")

    def test_hang_that_the_harness_gives_up(self):
        r = Run(self, *globs(f"{X}:kernel.mad.hang_times_out", f"{X}:kernel.sane"))
        self.assertEqual(r.code, 1, r.out)
        self.assertEqual(r.failed(), [f"{X}:kernel.mad.hang_times_out"])
        self.assertIn("terminated by timeout",
                      r.result(f"{X}:kernel.mad.hang_times_out")[1])
        self.assertTrue("misbehave_hang" in r.log("kmsg.log"), r.out)

    def test_tests_that_never_end(self):
        r = Run(self, "--timeout", "6",
                *globs(f"{X}:ends.never", f"{NEXT}:ends.talks_for_ever"))
        self.assertEqual(r.code, 1, r.out)
        # the bound grows with the stress program's time
        self.assertRegex(r.result(f"{X}:ends.never")[1], r"hangs: .* for \d+ s")
        self.assertRegex(r.result(f"{NEXT}:ends.talks_for_ever")[1],
                         r"hangs: running for \d+ s")

    def test_oops_and_late_warn(self):
        r = Run(self, *globs(f"{X}:kernel.mad.oops", f"{X}:late_warn"))
        self.assertEqual(r.code, 1, r.out)
        self.assertIn("the kernel reported: BUG: kernel NULL pointer",
                      r.result(f"{X}:kernel.mad.oops")[1])
        self.assertIn("misbehave_warn", r.result("kernel-log")[1])

    def test_leak(self):
        """On a kernel with kmemleak and SLUB_DEBUG_ON, as that of --debug has"""
        if "CONFIG_DEBUG_KMEMLEAK=y" not in (kernel_dir() / "config").read_text():
            self.skipTest("no kmemleak")
        r = Run(self, *globs(f"{X}:kernel.mad.leak", f"{X}:kernel.sane"))
        self.assertEqual((r.code, r.failed()), (1, ["kernel-log"]), r.out)
        leaks = re.findall("unreferenced object .*?(?=; |$)", r.result("kernel-log")[1])
        self.assertTrue(0 < len(leaks) < 16, leaks)
        for leak in leaks:
            self.assertIn(" from misbehave_leak [misbehave] ", f"{leak} ")

    def test_panic(self):
        r = Run(self, *globs(f"{X}:kernel.mad.panic", f"{X}:kernel.sane"))
        self.assertEqual(r.code, 1, r.out)
        self.assertIn("Kernel panic - not syncing: asked for",
                      r.result(f"{X}:kernel.mad.panic")[1])
        # the whole log, from its start
        self.assertTrue("Linux version" in r.log("console.log"), r.out)

    def test_flood(self):
        r = Run(self, *globs(f"{X}:kernel.mad.flood"), "--log-limit", "1")
        self.assertEqual(r.code, 1, r.out)
        self.assertIn("the guest floods its log", r.result(f"{X}:kernel.mad.flood")[1])

    def test_no_init(self):
        r = Run(self, *globs(*QUIET), "--append", "rdinit=/none")
        self.assertEqual((r.code, r.summary["verdict"]), (4, "fail"), r.out)
        self.assertRegex(r.result("guest")[1],
                         "did not boot: Kernel panic - not syncing: [ -~]+$")
        self.assertIn("\nCOULD NOT BOOT: ", r.out)

    def test_no_boot(self):
        r = Run(self, *globs(*QUIET), "--no-snapshot", "--boot-timeout", "1")
        self.assertEqual((r.code, r.summary["verdict"]), (4, "fail"), r.out)
        self.assertRegex(r.result("guest")[1], "did not boot.* within 1 s")

    def test_no_device(self):
        r = Run(self, *globs("ends.passes"), "--append", "module_blacklist=test_hmm")
        self.assertEqual((r.code, r.summary["verdict"]), (4, "nothing"), r.out)
        self.assertIn("could not load test_hmm.ko", r.out)

    def test_qemu_that_does_not_start(self):
        r = Run(self, *globs(*QUIET), "--accel", "tcg", "--vmlinuz", "/bin/true")
        self.assertEqual((r.code, r.summary["verdict"]), (4, "fail"), r.out)
        self.assertIn("QEMU exited with 1", r.result("guest")[1])


class Outside(unittest.TestCase):
    """What happens to a run from outside the guest."""

    def start(self, *args):
        self.dir = TempDir(self).path
        self.tmp = self.dir / "tmp"
        self.tmp.mkdir()
        self.run = subprocess.Popen(
            [str(TOP / "run_tests.sh"), "--kernel", KERNEL, "--results", str(self.dir / "r"),
             "--test", f"{X}:ends.never", *STANDINS, *args], text=True,
            env={**os.environ, "TMPDIR": str(self.tmp)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
            # a background job of a script has it ignored, and what it starts inherits that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        ktap = self.dir / "r/latest/ktap.log"
        end = time.monotonic() + 120
        while not (ktap.exists() and "RUN" in ktap.read_text()):
            self.assertLess(time.monotonic(), end, "the guest does not come up")
            time.sleep(0.1)
        pids = descendants(self.run.pid)
        self.qemu = [int(p) for p, comm in pids.items() if comm.startswith("qemu")]
        self.assertEqual(len(self.qemu), 1)

    def gone(self, pid):
        end = time.monotonic() + 5
        while pathlib.Path(f"/proc/{pid}").exists():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def test_qemu_is_killed(self):
        self.start()
        os.kill(self.qemu[0], signal.SIGKILL)
        out, _ = self.run.communicate(timeout=HANGS)
        self.assertEqual(self.run.returncode, 1, out)
        self.assertIn("QEMU was killed by SIGKILL", out)

    def test_ctrl_c_cleans_up(self):
        self.start()
        os.killpg(self.run.pid, signal.SIGINT)
        out, _ = self.run.communicate(timeout=HANGS)
        self.assertEqual(self.run.returncode, 130, out)
        self.assertIn("interrupted", out)
        self.assertTrue(self.gone(self.qemu[0]), "QEMU is still there")
        self.assertEqual(list(self.tmp.iterdir()), [])
        summary = json.loads((self.dir / "r/latest/summary.json").read_text())
        self.assertEqual(summary["verdict"], "fail")

    def test_terminated(self):
        self.start()
        self.run.terminate()
        out, _ = self.run.communicate(timeout=HANGS)
        self.assertEqual(self.run.returncode, 130, out)
        self.assertTrue(self.gone(self.qemu[0]), "QEMU is still there")

    def test_killed_without_a_chance_to_clean_up(self):
        self.start()
        self.run.kill()
        self.assertTrue(self.gone(self.qemu[0]), "QEMU outlives the runner")
        self.run.communicate(timeout=HANGS)
        end = time.monotonic() + 5
        while list(self.tmp.iterdir()):
            self.assertLess(time.monotonic(), end, list(self.tmp.iterdir()))
            time.sleep(0.05)

    def test_full_disk(self):
        if sh("unshare", "-rm", "true").returncode:
            self.skipTest("no user namespaces here")
        where = TempDir(self, "-full").path
        for size in ("16k", "64k"):
            with self.subTest(size=size):
                done = sh("unshare", "-rm", "sh", "-c",
                          f"mount -t tmpfs -o size={size} tmpfs {where} && "
                          f"exec {TOP}/run_tests.sh --kernel {KERNEL} --results {where} "
                          f"--test standin:kernel.sane --selftests {STANDINS[1]}")
                self.assertEqual(done.returncode, 70, done.stdout)
                self.assertIn("o space left", done.stdout)


if __name__ == "__main__":
    unittest.main()
