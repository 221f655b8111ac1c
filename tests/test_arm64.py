# SPDX-License-Identifier: GPL-2.0
"""--arch arm64: the same tests have the same verdicts there.  And what it takes: another
architecture's packages, of which the host's apt is told nothing."""
import contextlib
import io
import os
import unittest

from support import KERNEL, TOP, Run, TempDir, built, kernel_dir, only_path, sh, shim

from runner import apt, errors, host, kernel, options

CROSS = "aarch64-linux-gnu-"


class Options(unittest.TestCase):
    def refused(self, here, *args):
        with self.assertRaises(errors.BadUsage) as caught:
            options.parse(args, here)
        return str(caught.exception)

    def test_what_does_not_go_together(self):
        for args, why in ((["sparc"], "amd64 or arm64"),
                          (["arm64", "--kernel", "host"], "or one that is built here"),
                          (["arm64", "--accel", "kvm"], "--accel kvm: not for")):
            with self.subTest(args=args):
                self.assertIn(why, self.refused("x86_64", "--arch", *args))

    def test_the_other_way_round(self):
        self.assertIn("only arm64 is built for elsewhere",
                      self.refused("aarch64", "--arch", "amd64"))

    def test_asks_for_its_packages(self):
        env = only_path(self, ["aarch64-linux-gnu-gcc", "qemu-system-*"], apt_get="exit 1")
        r = sh(TOP / "run_tests.sh", "--no-install", "--arch", "arm64", env=env)
        self.assertEqual(r.returncode, 2, r.stdout)
        for package in ("qemu-system-arm", f"gcc-{CROSS[:-1]}"):
            self.assertIn(f" {package}", r.stdout)
        r = sh(TOP / "run_tests.sh", "--no-install", "--arch", "amd64", env=env)
        self.assertNotIn("qemu-system-arm", r.stdout)


class OwnApt(unittest.TestCase):
    """With an apt-get that only notes how it was called."""

    def setUp(self):
        self.cache = TempDir(self, "").path
        self.log = self.cache / "calls"
        self.own = self.cache / "hmm-notifier-tests/apt-arm64"

    def use_arch(self, apt_get="", arch="arm64"):
        """(how it ended, what it said, how apt is configured)"""
        env = shim(self, apt_get=f'echo "$1" >>{self.log}\n{apt_get}', sudo="exit 1",
                   dpkg="echo amd64")
        here = host.Host(arch)
        here.env.update(env, XDG_CACHE_HOME=str(self.cache))
        why = dump = ""
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                own = apt.of(here)
                dump = here.output(*own.command("apt-config", "dump"))[1]
                own.update()
            except errors.BadHost as e:
                why = str(e)
        return why, said.getvalue(), dump

    def calls(self):
        return self.log.read_text().split() if self.log.exists() else []

    def test_leaves_the_host_alone(self):
        why, _, dump = self.use_arch()
        self.assertEqual(why, "")
        for line in (f'Dir::State::lists "{self.own}/lists";', 'APT::Architecture "arm64";',
                     'APT::Architectures:: "arm64";', 'APT::Architectures:: "amd64";',
                     f'Dir::Cache::archives "{self.own}/archives";'):
            self.assertIn(line, dump.splitlines())
        # once for its lists, and once more because update() is called
        self.assertEqual(self.calls(), ["update", "update"])

    def test_host_itself_needs_none(self):
        for arch in ("amd64", ""):
            self.assertNotIn(str(self.own), self.use_arch(arch=arch)[2])
            self.assertFalse(self.own.exists())

    def test_lists_are_good_for_a_day(self):
        self.use_arch()
        self.log.unlink()
        said = self.use_arch()[1]
        self.assertEqual(self.calls(), ["update"], said)  # update() alone
        os.utime(self.own / "updated", (0, 0))
        said = self.use_arch("echo 'W: Failed to fetch it'")[1]
        self.assertIn("that failed; using those of 1970-01-01", said)

    def test_without_a_network(self):
        why, said, _ = self.use_arch("echo 'E: no such host'; exit 100")
        self.assertIn("no such host", said)
        self.assertEqual(why, "apt-get update failed for Debian for arm64")


def needs_cross(test):
    """Skips where there is none; installs, as run_tests.sh does, what is missing."""
    if os.uname().machine != "x86_64":
        test.skipTest("arm64 is built for elsewhere on amd64 only")
    if not KERNEL.startswith("debian:"):
        test.skipTest("arm64 has Debian's kernels only")
    r = sh(TOP / "run_tests.sh", "packages", "run", "arm64")
    test.assertEqual(r.returncode, 0, r.stdout)


class Built(unittest.TestCase):
    def setUp(self):
        needs_cross(self)

    def kernel(self, **env):
        there = host.Host("arm64")
        there.env.update(env)
        return kernel.get(there, KERNEL).directory

    def machines(self, *files):
        r = sh("readelf", "-h", *files, env={"LC_ALL": "C"})
        return {line.split(":")[1].strip() for line in r.stdout.splitlines()
                if "Machine:" in line}

    def test_for_arm64_by_programs_of_the_host(self):
        directory = self.kernel()
        with contextlib.redirect_stderr(io.StringIO()) as said:
            out = built(directory=directory, host=host.Host("arm64")).directory
        self.assertNotIn("is not here", said.getvalue())  # the compiler of the kernel is
        self.assertEqual(self.machines(*out.glob("modules/*.ko"), *out.glob("tests/*"),
                                       *out.glob("bin/*")), {"AArch64"})
        self.assertEqual(self.machines(*directory.glob("usr/lib/linux-kbuild*/scripts/mod/"
                                                    "modpost.real-lsb-64")),
                         {"Advanced Micro Devices X86-64"})
        self.assertIn("CONFIG_ARM64_4K_PAGES=y\n", (directory / "config").read_text())

    def test_warm_run_asks_nobody(self):
        directory = self.kernel()
        never = "echo must not run >&2; exit 1"
        env = shim(self, apt_get=never, apt_cache=never)
        self.assertEqual(self.kernel(PATH=env["PATH"]), directory)
        self.assertNotEqual(directory, kernel_dir())


class Guest(unittest.TestCase):
    def test_same_verdicts(self):
        needs_cross(self)
        # of each kind and context, known bugs among them
        runs = {arch: Run(self, "--arch", arch, "--test", "contract:rule.hlist_*",
                          standins=False) for arch in ("arm64", "amd64")}
        for run in runs.values():
            self.assertEqual(run.code, 0, run.out)
            self.assertGreater(run.summary["passed"], 20)
        for arch, machine in (("arm64", "aarch64"), ("amd64", "x86_64")):
            self.assertEqual(runs[arch].summary["arch"], machine)
            self.assertIn(f"qemu-system-{machine}", runs[arch].log("qemu-command"))
            self.assertIn(f"-{arch} {machine}\n", runs[arch].log("ktap.log"))
        self.assertEqual(*({n: run.result(n) for n in run.tests} for run in runs.values()))


if __name__ == "__main__":
    unittest.main()
