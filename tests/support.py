# SPDX-License-Identifier: GPL-2.0
"""What the project's own tests have in common."""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
KERNEL = os.environ.get("CHECK_KERNEL", "debian:6.12")
BASES = sorted((p.parent.name for p in TOP.glob("kernel-patches/*/series")),
               key=lambda b: [int(n) for n in b.split(".")])
# Of these a kernel is built, which takes a while the first time.
BUILT = os.environ.get("CHECK_BASES", " ".join(BASES)).split()
sys.path[:0] = [str(TOP)]
# A part of the runner by itself, from wherever
RUNNER = (sys.executable, "-B", TOP / "runner")


HANGS = 1200    # seconds after which a command hangs, on a busy machine as well


def take_long(test):
    """Skips a test that takes minutes, if CI has no time left for it."""
    if time.time() > float(os.environ.get("CHECK_UNTIL", "inf")):
        test.skipTest("no time left (CHECK_UNTIL)")


def sh(*cmd, env=None, timeout=HANGS, **kw):
    """Runs a command to its end; stdout and stderr in .stdout."""
    return subprocess.run([str(c) for c in cmd], env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=timeout, check=False, **kw)


def add_tests(cls, method):
    """Gives the class a test for each base of which a kernel is built."""
    for base in BUILT:
        setattr(cls, f"test_{base.replace('.', '_')}",
                functools.partialmethod(method, base))


def pristine_module(kernel, where):
    """test_hmm.ko of the source as it was, for the kernel that was built of it"""
    where.mkdir()
    for f in (kernel / "pristine/lib").glob("test_hmm*.[ch]"):
        shutil.copy(f, where)
    (where / "Kbuild").write_text("obj-m := test_hmm.o\n")
    r = sh("make", "-C", kernel / "build", f"M={where}", "modules")
    assert r.returncode == 0, r.stdout
    return where / "test_hmm.ko"


@functools.cache
def machine():
    from runner import host
    return host.Host()


def built(selftests=TOP / "selftests", directory=None, host=None):
    """What goes into the guest of the kernel, or of the one in that directory"""
    from runner import build, kernel
    directory = directory or kernel_dir()
    return build.build(host or machine(), kernel.Kernel(directory, directory / "vmlinuz"),
                       selftests)


def get_kernel(spec):
    """The kernel directory; it skips a test when there is no such kernel."""
    from runner import errors, kernel
    from runner.linux.request import BROKEN
    try:
        return kernel.get(machine(), spec).directory
    except errors.BadKernel as e:
        if e.code == BROKEN:
            raise
        raise unittest.SkipTest(str(e) or f"{spec} can't be had") from e


@functools.cache
def kernel_dir():
    from runner import kernel
    return kernel.get(machine(), KERNEL).directory


class TempDir:
    """A directory that goes away with the test; its name is not a friendly one."""

    def __init__(self, test, suffix=" with, blanks"):
        self.path = pathlib.Path(tempfile.mkdtemp(suffix=suffix))
        test.addCleanup(shutil.rmtree, self.path, ignore_errors=True)


def shim(test, **programs):
    """A PATH in which these programs are replaced by shell scripts."""
    where = TempDir(test, "").path
    for name, body in programs.items():
        path = where / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return {"PATH": f"{where}:{os.environ['PATH']}"}


def only_path(test, lacks=(), **programs):
    """A PATH of one directory, with all that is in ours but what matches one of lacks.
    The runner adds the sbin directories, so programs there must be left out, too."""
    where = TempDir(test, "").path
    for place in map(pathlib.Path, "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".split(":")):
        for path in place.iterdir():
            to = where / path.name
            if not to.is_symlink() and not any(map(path.match, lacks)):
                to.symlink_to(path)
    for name, body in programs.items():
        path = where / name.replace("_", "-")
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return {"PATH": str(where)}


STANDINS = ("--selftests", TOP / "tests/guest")


class Run:
    """One run of run_tests.sh, judged; with the stand-ins unless standins is False."""

    def __init__(self, test, *args, env=None, top=TOP, timeout=HANGS, standins=True):
        self.dir = TempDir(test).path
        done = sh(top / "run_tests.sh", "--kernel", KERNEL, "--results", self.dir, *args,
                  *(STANDINS if standins else ()), env=env, timeout=timeout)
        self.code, self.out = done.returncode, done.stdout
        self.summary = {}
        summary = self.dir / "latest" / "summary.json"
        if summary.exists():
            self.summary = json.loads(summary.read_text())
        self.tests = {t["name"]: t for t in self.summary.get("tests", [])}

    def result(self, name):
        t = self.tests.get(name, {"result": "absent", "reason": ""})
        return t["result"], t["reason"]

    def log(self, name):
        return (self.dir / "latest" / name).read_text(errors="replace")

    def failed(self):
        return sorted(n for n, t in self.tests.items() if t["result"] == "fail")
