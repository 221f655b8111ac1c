# SPDX-License-Identifier: GPL-2.0
"""Every WARN of mm/mmu_notifier.c is some test's, and that test judges it: on a kernel
that WARNs once more, once less or at another line in each test (tests/proof/warner.c),
none passes in which it did, whatever the test and the moment."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import TOP, kernel_dir, machine, sh, take_long

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402

# Of every program, by the site of what is one too many
MORE = {"HLIST": ("stress", "contract", "device", "some_fail", "detectors", "overlap",
                  "register", "register_locked"),
        "INTERVAL_RELEASE": ("errno", "mrelease", "with_lockdep", "change.munmap_*", "ending",
                             "reap", "each_callsite_has_a_change",
                             "reaper.hlist_enomem_once", "rest.batch")}
# Those that have WARNs, and some that have none
WARNING = ("contract", "errno", "register_locked", "detectors", "two", "reap", "mrelease")


def built(kernel: pathlib.Path, where: pathlib.Path) -> pathlib.Path:
    where.mkdir()
    shutil.copy(TOP / "tests/proof/warner.c", where)
    (where / "Kbuild").write_text("obj-m := warner.o\n")
    r = sh("make", "-C", kernel / "build", f"M={where}", "CONFIG_DEBUG_INFO_BTF_MODULES=",
           "modules")
    assert r.returncode == 0, r.stdout
    return where / "warner.ko"


def sites(kernel: pathlib.Path) -> dict[str, int]:
    """{site: its last line}"""
    out = subprocess.run([TOP / "lib/core/warn-sites.sh", kernel / "src"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return {m[1]: int(m[2]) for m in re.finditer(r"RULE_SITE_(\w+), \d+, (\d+) ", out)}


def failures(ktap: str) -> dict[str, bool]:
    """{test: it failed}, by what the harness says, whatever the judge thinks of it"""
    program, failed = "", {}
    for m in re.finditer(r"^# hmm_notifier: program (\S+)|^# (not )?ok \d+ (\S+)", ktap, re.M):
        program = m[1] or program
        if m[3]:
            failed[f"{program}:{m[3]}"] = bool(m[2])
    return failed


def sections(kmsg: str) -> dict[str, bool]:
    """{test: whether the warner acted between its begin and its end}"""
    test, wrong = None, {}
    for m in re.finditer(r"^[^ ;][^;]*;(?:hmm_notifier: (begin|end) (\S+)|warner: one)", kmsg,
                         re.M):
        if m[1] == "begin":
            test = m[2]
            wrong[test] = False
        elif m[1] == "end":
            test = None
        elif test:
            wrong[test] = True
    return wrong


class Warns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.ko = built(kernel_dir(), cls.dir / "warner")
        cls.lines = sites(kernel_dir())
        cls.guest = guest.Kernel(machine(), kernel_dir(), cls.dir, cls.dir / "results",
                                 None, upstream=False)

    def run_with(self, globs, *params):
        """({test: it failed}, the tests in which it WARNed wrongly, those that began)"""
        lines, expected = self.guest.job(globs)
        # the stress test has its turn at its first moment and at its last one: what it
        # finds in between it looks for a short way to repeat, which takes minutes
        lines = sorted(lines, key=lambda li: "_stress" not in li)
        insmod = " ".join(["../bin/insmod", "/job/warner.ko", *params])
        where = self.guest.boot(self.id().rpartition(".")[2],
                                [insmod, *lines], expected, [self.ko],
                                bounds=(400, 60, 900))
        failed = failures((where / "ktap.log").read_text(errors="replace"))
        wrong = sections((where / "kmsg.log").read_text(errors="replace"))
        self.assertEqual(set(failed), set(expected))
        self.assertTrue(any(wrong.values()))
        return failed, {n for n in wrong if wrong[n]}, set(wrong)

    def setUp(self):
        take_long(self)

    def test_one_more(self):
        for site, globs in MORE.items():
            failed, wrong, begun = self.run_with(globs, f"line={self.lines[site]}")
            self.assertEqual(wrong, begun)
            self.assertEqual({n for n in failed if failed[n]}, begun)

    def check_some(self, *params):
        failed, wrong, _ = self.run_with(WARNING, *params)
        self.assertEqual({n for n in failed if failed[n]}, wrong)

    def test_one_less(self):
        self.check_some("how=less")

    def test_one_elsewhere(self):
        self.check_some("how=elsewhere", f"line={self.lines['INTERVAL_RELEASE']}")

    def test_one_in_each_process_mrelease(self):
        failed, wrong, begun = self.run_with(
            ("mrelease",), "at=__x64_sys_process_mrelease", f"line={self.lines['HLIST']}")
        self.assertEqual(wrong, begun)
        self.assertEqual({n for n in failed if failed[n]}, begun)
