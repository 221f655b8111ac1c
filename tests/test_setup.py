# SPDX-License-Identifier: GPL-2.0
"""What comes before the guest: options, packages, the accelerator, names."""
import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

from support import HANGS, KERNEL, STANDINS, TOP, TempDir, built, machine, sh, shim

from runner import errors, programs
from runner.linux.request import BROKEN


class Options(unittest.TestCase):
    def run_tests(self, *args, env=None):
        return sh(TOP / "run_tests.sh", *args, env=env)

    def test_help(self):
        r = self.run_tests("--help")
        self.assertEqual(r.returncode, 0)
        for option in ("kernel", "arch", "test", "list", "accel", "timeout", "results", "strict",
                       "keep", "verbose", "no-install"):
            self.assertIn(f"--{option} ", r.stdout)

    def test_each_exit_code_is_told(self):
        """By --help and by the README"""
        codes = {errors.PASS, errors.FAIL, errors.SETUP, BROKEN, errors.NOTHING, errors.OURS,
                 errors.INTERRUPTED, errors.SKIP_COMMIT, errors.STOP_BISECT}
        said = self.run_tests("--help").stdout.partition("exit: ")[2]
        readme = (TOP / "README").read_text().partition("Exit codes\n----")[2]
        for code in codes:
            self.assertRegex(said, rf"\b{code}\b")
            self.assertRegex(readme, rf"(?m)^    {code}\b +\w")

    def test_wrong_usage_is_2(self):
        for args in (["--bogus"], ["--test"], ["--accel", "fast"], ["--timeout", "x"],
                     ["--timeout=0"], ["--kernel", "nonesuch"], ["--kernel", "debian:0.1"],
                     ["word"]):
            with self.subTest(args=args):
                env = shim(self, sudo="exit 1", apt_get="exit 0")
                r = self.run_tests(*args, env=env)
                self.assertEqual(r.returncode, 2, r.stdout)
                self.assertTrue(r.stdout.strip())

    def test_glob_without_a_match_is_4(self):
        r = self.run_tests("--kernel", KERNEL, "--test", "nonesuch", *STANDINS)
        self.assertEqual(r.returncode, 4, r.stdout)
        self.assertIn("no test matches nonesuch", r.stdout)

    def test_list(self):
        r = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--list", "--test", "kernel.mad", *STANDINS)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("hmm_notifier_standin:kernel.mad.panic\n", r.stdout)
        self.assertNotIn("sane", r.stdout)

    def test_results_that_cannot_be_written(self):
        r = self.run_tests("--kernel", KERNEL, "--results", "/proc/nowhere",
                           "--test", "ends.passes", *STANDINS)
        self.assertEqual(r.returncode, 2, r.stdout)
        self.assertIn("cannot write to /proc/nowhere", r.stdout)


CHOOSE = """\
import pathlib, sys
from runner import accel, host
accel.FIRST_WORD, accel.UP = float(sys.argv[3]), 600
kernel, initrd, cache = map(pathlib.Path, ("vmlinuz", "initrd", sys.argv[1]))
print(accel.Kvm(host.Host(), "x86_64", kernel, initrd, cache, sys.argv[2]).choose())
"""


class Accelerator(unittest.TestCase):
    """With stand-ins for QEMU: one that dies, one that hangs, one that boots."""

    def probe(self, body, cache, device="/dev/null", first_word=60):
        env = shim(self, qemu_system_x86_64='case "$*" in --version) exit;; esac\n'
                   "file=$(echo \"$*\" | sed 's/.*id=console,path=\\([^ ]*\\).*/\\1/')\n" + body)
        env["PATH"] = env["PATH"].replace("qemu-system-x86-64", "qemu-system-x86_64")
        bindir = env["PATH"].split(":")[0]
        os.rename(f"{bindir}/qemu-system-x86-64", f"{bindir}/qemu-system-x86_64")
        out = subprocess.run([sys.executable, "-c", CHOOSE, cache, device,
                              str(first_word)], cwd=TOP,
                             env={**os.environ, **env}, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, check=True, timeout=HANGS)
        return out.stdout.strip(), out.stderr

    BOOTS = "echo 'Linux version\nhmm_notifier: up' >\"$file\"; sleep 300"

    def test_kvm_that_is_dead(self):
        """The answer is kept for this kernel and QEMU; the line says how to try again."""
        cache = TempDir(self, "").path
        accel, why = self.probe("echo KVM internal error >&2; sleep 300", cache)
        self.assertEqual(accel, "tcg")
        self.assertEqual(len(why.splitlines()), 1, why)
        self.assertEqual(self.probe(self.BOOTS, cache), (accel, why))
        memo = re.search(r"; rm (\S+) to try again", why)[1]
        os.unlink(memo)
        self.assertEqual(self.probe(self.BOOTS, cache)[0], "kvm")

    def test_kvm_that_is_of_no_use_now(self):
        """The device is busy: the next run tries again."""
        for body in ("exit 1", "echo ioctl: Device or resource busy >&2; exit 1"):
            with self.subTest(qemu=body):
                cache = TempDir(self, "").path
                accel, why = self.probe(body, cache)
                self.assertEqual(accel, "tcg")
                self.assertEqual(len(why.splitlines()), 1, why)
                self.assertEqual(self.probe(self.BOOTS, cache)[0], "kvm")

    def test_kvm_that_is_too_slow(self):
        """The host may be loaded: that is tried again, but not each time."""
        cache = TempDir(self, "").path
        accel, why = self.probe("sleep 300", cache, first_word=1.3)
        self.assertEqual(accel, "tcg")
        self.assertEqual(self.probe(self.BOOTS, cache), (accel, why))
        memo = re.search(r"; rm (\S+) to try again", why)[1]
        for off in (-601, 601):  # a clock that was put back since
            os.utime(memo, (time.time() + off,) * 2)
            self.assertEqual(self.probe(self.BOOTS, cache)[0], "kvm")
            pathlib.Path(memo).write_text("tcg a guest does not boot within 1.3 s\n")

    def test_no_kvm(self):
        accel, why = self.probe("echo tried >&2", TempDir(self, "").path, "/nowhere")
        self.assertEqual((accel, why), ("tcg", "KVM is of no use here (there is no /nowhere): "
                                        "using TCG\n"))

    def test_kvm_that_boots_slowly(self):
        cache = TempDir(self, "").path
        body = ("echo 'Linux version' >\"$file\"; sleep 6; "
                "echo 'hmm_notifier: up' >>\"$file\"; sleep 300")
        self.assertEqual(self.probe(body, cache, first_word=5), ("kvm", ""))
        self.assertEqual(self.probe("exit 1", cache), ("kvm", ""))


class Names(unittest.TestCase):
    """The names read from symbols are those that the harness itself has."""

    def names_by_harness(self, path):
        out = subprocess.run([path, "-l"], capture_output=True, text=True, check=False)
        names, fixture, rows = set(), "", []

        def flush():
            tests = [t for _, t in rows if t]
            variants = [v for v, _ in rows if v] or [""]
            names.update(".".join(p for p in (fixture, v, t) if p)
                         for v in variants for t in tests)

        for line in out.stderr.splitlines()[1:]:
            if line.startswith("---"):
                flush()
                rows = []
                continue
            # columns of 20 and 25, wider when a name is
            m = re.match(r"(\S+|\s{20})\s+(\S+|\s{25})\s?(\S*)$", line)
            f, v, t = line[:20].strip(), line[21:46].strip(), line[47:].strip()
            if len(line) > 47 and m and (line[20] != " " or line[46] != " "):
                f, v, t = (g.strip() for g in m.groups())
            fixture = f or fixture if rows else f
            rows.append((v, t))
        flush()
        return names

    def test_of_each_program(self):
        for more in ((), (STANDINS[1],)):
            tests = built(*more).directory / "tests"
            for program in programs.read(machine(), tests).values():
                self.assertEqual(set(program.tests), self.names_by_harness(program.path))

    def test_warm_build_builds_nothing(self):
        first = built()
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(built(), first)
        self.assertEqual(said.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
