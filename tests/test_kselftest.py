# SPDX-License-Identifier: GPL-2.0
"""make install, then nothing but upstream's own: the kselftest Makefiles with and without
O=, the tarball, and in a guest run_kselftest.sh and run_vmtests.sh.

The newest base runs all programs, the others those that are soon done: how they are
installed and run is what differs.  CHECK_ALL=1 runs all on each."""
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import unittest

from support import TOP, TempDir, add_tests, get_kernel, machine, pristine_module, sh, take_long

from runner import describe, klog

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402

PROGRAMS = sorted(p.stem for p in (TOP / "selftests").glob("hmm_notifier_*.c"))
# Minutes on an emulated CPU
LONG = {"hmm_notifier_oom", "hmm_notifier_overlap", "hmm_notifier_stress"}
FEW = ["hmm_notifier_contract", "hmm_notifier_device", "hmm_notifier_errno"]
NOT_ASKED = "splats are not asked for (HMM_NOTIFIER_SPLATS=1)"
STEPS = TOP / "tests/kselftest.sh"
# Its tarball is made by gen_kselftest_tar.sh.
NEWEST = "7.2"
# What a usual system has, and upstream's scripts use when it is there
HOST_PROGRAMS = ("bash", "timeout", "stdbuf")
LIBSTDBUF = "/usr/libexec/coreutils/libstdbuf.so"


def output(*cmd):
    """The last line of what such a program prints; it skips when there is no such base."""
    done = subprocess.run([str(c) for c in cmd], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 2:
        raise unittest.SkipTest(done.stderr.strip().split("\n")[-1])
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.strip().split("\n")[-1]


@functools.cache
def cache_dir():
    return machine().cache()


class Tree:
    """A copy of the pristine tree of a base that lives in the cache, for make to do only
    what is new. The files are those of the pristine tree by hard links; what is
    installed comes in their place and is never written into them."""

    def __init__(self, test, base):
        source = pathlib.Path(output(TOP / "run_tests.sh", "get-source", base))
        self.test, self.base = test, base
        self.dir = cache_dir() / "kselftest" / source.name
        self.source, self.tree, self.build = source, self.dir / "tree", self.dir / "build"
        self.dir.mkdir(parents=True, exist_ok=True)
        for old in self.dir.parent.glob(f"{base}.*"):
            if old != self.dir:
                shutil.rmtree(old)
        if not self.tree.exists():
            self.run("cp", "-al", source, self.dir / "new")
            (self.dir / "new").rename(self.tree)
        self.selftests = self.tree / "tools/testing/selftests"
        self.target = "mm" if (self.selftests / "mm").is_dir() else "vm"

    @contextlib.contextmanager
    def locked(self):
        with open(self.dir / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self

    def run(self, *cmd, **kw):
        done = sh("nice", *cmd, timeout=1200, **kw)
        self.test.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return done.stdout

    def install(self):
        """Without the fixes of mm/, as the kernel that is booted has none."""
        self.run("make", "-C", TOP, "install", f"KDIR={self.tree}", "FIXES=n")
        if not (self.build / "usr/include/linux").is_dir():
            self.run("make", "-s", "-C", self.tree, f"O={self.build}", "headers")
        if not (self.tree / "usr/include/linux").is_dir():
            # in the tree itself they are the same
            self.run("cp", "-al", self.build / "usr/include", self.tree / "usr")

    def make_install(self, *args, target="install"):
        """kselftest's make install, or what does that as well; where to."""
        to = self.dir / "kselftest"
        shutil.rmtree(to, ignore_errors=True)
        said = self.run("make", "-j2", "-C", self.selftests, f"TARGETS={self.target}",
                        f"KSFT_INSTALL_PATH={to}", *args, target)
        ours = [line for line in said.splitlines()
                if "hmm_" in line and re.search(r"warning:|error:", line)]
        self.test.assertEqual(ours, [])
        return to

    def gen_tar(self):
        """make gen_tar, with another format than it has by itself"""
        to = self.make_install("FORMAT=.xz", target="gen_tar")
        packed = self.dir / "kselftest.tar.xz"
        (to / "kselftest-packages" / packed.name).rename(packed)
        shutil.rmtree(to)
        to.mkdir()
        with tarfile.open(packed) as tar:
            tar.extractall(to)
        packed.unlink()
        return to

    def gen_kselftest_tar(self):
        """The script that is older than that"""
        self.run("./gen_kselftest_tar.sh", cwd=self.selftests,
                 env={"MAKEFLAGS": f"TARGETS={self.target}"})
        to = self.dir / "kselftest"
        shutil.rmtree(to, ignore_errors=True)
        with tarfile.open(self.selftests / "kselftest.tar.gz") as tar:
            tar.extractall(self.dir)
        (self.selftests / "kselftest.tar.gz").unlink()
        return to

    def not_ignored(self):
        """The files of the tests' directory that git would show as untracked."""
        where = self.selftests / self.target
        git = ["git", f"--git-dir={TempDir(self.test).path}", f"--work-tree={self.tree}"]
        self.run(*git, "init", "-q")
        names = self.run(*git, "ls-files", "-o", "--exclude-standard", cwd=where)
        return set(names.split())


def root_tar(installed, to):
    """What goes into the guest beside its busybox: by where it is on this machine"""
    files = {pathlib.Path(shutil.which(p)) for p in HOST_PROGRAMS}
    files.add(pathlib.Path(LIBSTDBUF))
    programs = [*files, *(p for p in installed.rglob("*") if os.access(p, os.X_OK))]
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    files |= {pathlib.Path(p) for p in re.findall(r"(/\S+) \(0x", said.stdout)}
    with tarfile.open(to, "w", dereference=True) as tar:
        for f in sorted(files):
            tar.add(f)
        tar.add(installed, "kselftest")


def ways(installed, target):
    """How this tree's own runner gets to the two halves; see tests/kselftest.sh."""
    tests = (installed / "kselftest-list.txt").read_text().split()
    run = f"./run_kselftest.sh -t {target}:"
    if f"{target}:ksft_hmm_notifier.sh" in tests:
        return (f"{run}ksft_hmm_notifier.sh",
                f"cd {target} && ./run_vmtests.sh -d -t hmm_notifier")
    if f"{target}:test_hmm_notifier.sh" in tests:
        run += "test_hmm_notifier.sh"
        return run, f"KSELFTEST_TEST_HMM_NOTIFIER_SH_ARGS=splats {run}"
    run += "run_vmtests.sh"
    args = "KSELFTEST_RUN_VMTESTS_SH_ARGS="
    return (f"{args}'-t hmm_notifier' {run}", f"{args}'-d -t hmm_notifier' {run}")


class Guest:
    """What a guest said, by its steps."""

    def __init__(self, test, tree, installed):
        tmp = TempDir(test, "").path
        kernel = guest.Kernel(machine(), get_kernel(f"source:{tree.base}"), tmp,
                              tmp / "results", None, upstream=False)
        root_tar(installed, tmp / "root.tar")
        shutil.copy(pristine_module(kernel.dir, tmp / "lib"), tmp / "pristine.ko")
        silent, splats = ways(installed, tree.target)
        (tmp / "ways").write_text(
            f'DIR={tree.target}\nSILENT="{silent}"\nSPLATS="{splats}"\n')
        files = [STEPS, tmp / "ways", tmp / "root.tar", tmp / "pristine.ko",
                 kernel.out / "modules/test_hmm.ko"]
        self.read(test, kernel.boot("kselftest", [f"../job/{STEPS.name}"], [], files,
                                    bounds=(850, 275, 900)))

    def read(self, test, results):
        said = (results / "ktap.log").read_text(errors="replace")
        said = re.sub("^# ", "", said, flags=re.M) # that is bounded's
        log = (results / "kmsg.log").read_text(errors="replace")
        ended = json.loads((results / "boot.json").read_text())
        test.assertEqual(ended["ended"], "power-off", (ended, said[-3000:], log[-3000:]))
        self.out, self.code = {}, {}
        for name, out, code in re.findall(r"^# hmm_notifier: program (\S+)\n(.*?)"
                                          r"^# hmm_notifier: exit \1 (\d+)\n",
                                          said, re.M | re.S):
            self.out[name], self.code[name] = out, int(code)
        parts = re.split(r"^.*;hmm_notifier: step (\S+)\n", log, flags=re.M)
        self.log = dict(zip(["boot", *parts[1::2]], parts[::2]))

    def splats(self, step):
        return [line for line in self.log[step].splitlines()
                if (m := klog.RECORD.fullmatch(line)) and not int(m[1]) >> 3
                and klog.kind_of(m[4]) == "REPORT"]


class Kselftest(unittest.TestCase):
    def check(self, base):
        take_long(self)
        with Tree(self, base).locked() as tree:
            tree.install()
            beside = self.installed(tree, tree.make_install(f"O={tree.build}"))
            inside = self.installed(
                tree, tree.gen_kselftest_tar() if base == NEWEST else tree.gen_tar())
            self.assertEqual(beside, inside)
            self.leaves_nothing_for_git(tree)
            self.programs = self.keep_soon_done(tree, base)
            self.guest = Guest(self, tree, tree.dir / "kselftest")
            sites = describe.warn_sites(machine(), tree.tree)
        self.assertEqual(self.guest.splats("boot"), [])
        self.skips()
        self.is_silent("insmod", FEW, NOT_ASKED)
        self.is_silent("panic_on_warn", FEW, "kernel.panic_on_warn is set")
        self.is_silent("traceoff", FEW, "kernel.traceoff_on_warning is set")
        self.is_silent("modprobe", self.programs, NOT_ASKED)
        self.assertRegex(self.outer("modprobe"), "^ok [^#]*$")
        if "warn_limit" in self.guest.out: # since 6.2
            self.is_silent("warn_limit", FEW, "kernel.warn_limit is set")
        for step in self.guest.out:
            if step.endswith(("-left", "-kept")):
                self.assertEqual(self.guest.code[step], 0, step)
        self.splats(sites)

    def installed(self, tree, to):
        """The tests of ours, and what upstream's list says of them"""
        there = {p.name: p.stat().st_mode & 0o777 for p in (to / tree.target).iterdir()}
        for name in [*PROGRAMS, "test_hmm_notifier.sh"]:
            self.assertEqual(there.get(name), 0o755, name)
        listed = (to / "kselftest-list.txt").read_text().split()
        if "ksft_hmm.sh" in there:
            self.assertEqual(there.get("ksft_hmm_notifier.sh"), 0o755)
            self.assertIn(f"{tree.target}:ksft_hmm_notifier.sh", listed)
        self.assertEqual({n for n in there if "hmm_notifier" in n} - set(PROGRAMS),
                         {"test_hmm_notifier.sh", "ksft_hmm_notifier.sh"} & there.keys())
        settings = (to / tree.target / "settings").read_text()
        self.assertLessEqual(300, int(re.search(r"^timeout=(\d+)$", settings, re.M)[1]))
        return there, listed

    def leaves_nothing_for_git(self, tree):
        manifest = (tree.tree / ".hmm-notifier-tests/manifest").read_text().split()[1::2]
        mm = f"tools/testing/selftests/{tree.target}"
        known = {f.removeprefix(f"{mm}/") for f in manifest}
        known |= {p.name for p in (tree.source / mm).iterdir()}
        left = {f for f in tree.not_ignored() if "hmm" in f}
        self.assertEqual(left - known, set())

    def keep_soon_done(self, tree, base):
        """The script runs those that are beside it; which"""
        leave = set() if base == NEWEST or "CHECK_ALL" in os.environ else LONG
        for name in leave:
            (tree.dir / "kselftest" / tree.target / name).unlink()
        return [name for name in PROGRAMS if name not in leave]

    def outer(self, step):
        """The one line of run_kselftest.sh"""
        lines = re.findall(r"^(?:not )?ok \d+ selftests: .*", self.guest.out[step], re.M)
        self.assertEqual(len(lines), 1, self.guest.out[step])
        return lines[0]

    def skips(self):
        """By name, without a trace, and nobody else's module is unloaded."""
        for step, why in (("nothing", "no test_hmm (CONFIG_TEST_HMM)"),
                          ("pristine", "this test_hmm has no fail points"),
                          ("pristine-there", "this test_hmm has no fail points")):
            self.assertRegex(self.outer(step), "^ok .* # SKIP", step)
            self.assertRegex(self.guest.out[step], rf"1\.\.0 # SKIP {re.escape(why)}\n")
            self.assertEqual(self.guest.splats(step), [], step)
        self.assertIn("1..0 # SKIP must be run as root\n", self.guest.out["nobody"])
        self.assertEqual(self.guest.code["nobody"], 4)

    def passes(self, step, programs):
        """{program: what follows its name}, of the TAP of test_hmm_notifier.sh"""
        out = self.guest.out[step]
        self.assertEqual(re.findall(r"(?m)(?:^.*\n){0,8}^(?:# )*not ok .*$", out), [])
        found = re.findall(r"^((?:# )*)ok (\d+) (hmm_notifier_\w+)(.*)$", out, re.M)
        self.assertEqual([m[2] for m in found], programs)
        self.assertEqual([int(m[1]) for m in found], [*range(1, len(programs) + 1)])
        self.assertIn(f"{found[0][0]}1..{len(programs)}\n", out)
        results = {m[2]: m[3] for m in found}
        self.assertEqual(results["hmm_notifier_contract"], "")
        self.assertEqual(results["hmm_notifier_device"], "")
        self.assertEqual(self.guest.code[step], 0)
        return results

    def is_silent(self, step, programs, why):
        """The log stays silent; tests that would splat are skipped, with the reason."""
        results = self.passes(step, programs)
        self.assertEqual(self.guest.splats(step), [], step)
        self.assertEqual(results["hmm_notifier_errno"], " # SKIP")
        self.assertIn(f" # SKIP {why}", self.guest.out[step])
        for unlike in ("splats are not", "kernel.panic_on_warn", "kernel.warn_limit",
                       "kernel.traceoff_on_warning"):
            if unlike not in why:
                self.assertNotIn(f"SKIP {unlike}", self.guest.out[step])

    def splats(self, sites):
        """Both halves: each WARN stands between the marks of a test that accounts for it."""
        results = self.passes("splats", self.programs)
        self.assertEqual(results["hmm_notifier_errno"], "")
        log = klog.read(self.guest.log["splats"].splitlines(), sites)
        self.assertEqual(log.strays, [])
        self.assertEqual([s.splats for s in log.sections if s.splats], [])
        self.assertEqual([s.name for s in log.sections if s.wrong_account()], [])
        self.assertLess(100, len(self.guest.splats("splats")))
        self.assertRegex(self.guest.out["splats"], "# (XFAIL|SKIP) known bug: ")
        self.assertIn("SKIP a task in state D is not asked for", self.guest.out["splats"])
        self.assertEqual(self.guest.code["there-kept"], 0)


add_tests(Kselftest, Kselftest.check)


if __name__ == "__main__":
    unittest.main()
