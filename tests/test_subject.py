# SPDX-License-Identifier: GPL-2.0
"""--subject: drivers that nothing is known of. Does KVM pass, and is each way in which one
breaks the rule told by its name?"""
import os
import platform
import re
import shutil
import unittest

from support import TOP, Run, TempDir, built, kernel_dir, sh, take_long

from runner import kernel, options, report, subject
from runner.errors import BadKernel, BadUsage
from runner.linux.request import Extras
from runner.programs import SUBJECT

HERE = TOP / "tests/subject"
# of bad.c: the tests in which it has to show, and what they have to say
WAYS = {
    "enomem": (["reap.agrees_with_the_driver"],
               r"\w+\(\) returned -12 in the non-blockable context"),
    "blockable": (["change.dontneed.reaches_the_device"],
                  r"\w+\(\) returned -11 in the blockable context"),
    "blockable_false": (["change.dontneed.reaches_the_device"],
                        r"\w+\(\) returned false in the blockable context"),
    "sleep": (["reap.agrees_with_the_driver"],
              r"mutex_lock\(\) was called in \w+\(\) in the non-blockable context"),
    "sleep_interval": (["oom.reaper_agrees_with_the_driver", "reap.agrees_with_the_driver"],
                       r"mutex_lock\(\) was called in \w+\(\) in the non-blockable context"),
    "stale": (["change.dontneed.reaches_the_device"],
              r"a stale read: the device sees \d+, in memory is \d+"),
    "no_notifier": (["change.dontneed.reaches_the_device"],
                    r"it registered no notifier"),
    "stale_write": (["protected.stops_the_device"], "a stale write"),
    "lazy": (["busy.dontneed.device_works_on"],
             r"Expected 0 \(0\) == subject_has_worked\(subject, at\) \(-110\)"),
}
HANGS = "known bug: mm/mmu_notifier: end the interval tree when an hlist start fails"
# a function of 6.12 that forgets its start, and the tests that have to see it
FORGOTTEN = {
    "unmap_vmas": ["change.munmap.reaches_the_device"],
    "zap_page_range_single": ["change.dontneed.reaches_the_device"],
    "change_p": ["forbidden.mprotect.to_the_device_as_well", "protected.stops_the_device"],
    # wp_page_copy(), of the zero page that the device has read
    "do_wp_page": ["change.dontneed.reaches_the_device"],
    "try_to_migrate_one": ["change.move_pages.reaches_the_device"],
}


def judge(test, name, *args):
    return Run(test, "--subject", name, *args, standins=False)


def program(test, source):
    """It, compiled for the guest"""
    to = TempDir(test, "").path / source.stem
    r = sh("gcc", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-static", "-D_GNU_SOURCE",
           f"-I{built().directory}/module/lib", "-o", to, source)
    assert r.returncode == 0, r.stdout
    return to


def said(run, test):
    """What a test said, and why it failed"""
    return run.result(f"{SUBJECT}:{test}")[1] + run.log("ktap.log")


class Kvm(unittest.TestCase):
    def test_passes(self):
        run = judge(self, "kvm")
        self.assertEqual((run.code, run.failed()), (0, []), run.out)
        skipped = {n.partition(":")[2] for n, t in run.tests.items() if t["result"] == "skip"}
        self.assertLessEqual(skipped, {"change.guard_install.reaches_the_device",
                                       "change.pageout.reaches_the_device"})
        self.assertEqual({n.partition(":")[0] for n in run.tests}, {SUBJECT})
        self.assertIn("property: longest non-blockable callback: ", run.out)
        self.assertNotIn("no BTF", run.out)
        self.assertIn({"test": f"{SUBJECT}:reap.agrees_with_the_driver",
                       "property": re.search("property: (longest .*)", run.out)[1]},
                      run.summary["properties"])


@unittest.skipUnless(os.environ.get("CHECK_RXE"), "make check-rxe: it builds a kernel")
class Rxe(unittest.TestCase):
    def test_passes(self):
        run = judge(self, "rxe", "--kernel", "source:7.2")
        self.assertEqual((run.code, run.failed()), (0, []), run.out)
        skipped = {n.partition(":")[2] for n, t in run.tests.items() if t["result"] == "skip"}
        self.assertLessEqual(skipped, {"change.pageout.reaches_the_device"})
        self.assertIn("property: refuses every reap, 12 pages stay", run.out)


class Kernel(unittest.TestCase):
    """What a subject wants of it, nobody else gets."""

    def chosen(self, *args):
        opt = options.parse(args, "x86_64")
        return opt.kernel, kernel.extras(opt)

    def test_each_has_one_of_its_own(self):
        ours = Extras(config=subject.SOURCES / "rxe.config", name="rxe")
        self.assertEqual(self.chosen("--subject", "rxe"), ("source:7.2", ours))
        self.assertEqual(self.chosen("--kernel", "source:7.2"), ("source:7.2", Extras()))
        for words, arch in (((), "x86_64"), (("--arch", "arm64"), "aarch64")):
            ours = Extras(config=subject.SOURCES / f"kvm-{arch}.config", name="kvm")
            self.assertEqual(self.chosen("--subject", "kvm", *words)[1], ours)
        self.assertEqual(self.chosen("--subject", "gntdev")[1], Extras())

    def test_what_it_lacks_is_named(self):
        where = TempDir(self).path
        (where / "config").write_text("CONFIG_KVM=m\nCONFIG_VIRTUALIZATION=y\n"
                                      "# CONFIG_KVM_AMD is not set\n")
        subject.check_config(where, "kvm", "aarch64")
        for name in ("gntdev", "./mine"):
            subject.check_config(where, name, "x86_64")
        with self.assertRaisesRegex(BadKernel, "needs a kernel with CONFIG_KVM_AMD; --config "
                                    ".*subjects/kvm-x86_64.config has all"):
            subject.check_config(where, "kvm", "x86_64")

    def test_the_users_own_options_win(self):
        mine = TempDir(self).path / "my.config"
        mine.write_text("CONFIG_NET=y\n")
        spec, extras = self.chosen("--subject", "rxe", "--config", str(mine),
                                   "--kernel", "source:7.2")
        self.assertEqual((spec, extras.config), ("source:7.2", mine))


@unittest.skipUnless(platform.machine() == "x86_64", "slip_start.c is for x86")
class Control(unittest.TestCase):
    """A kernel that has lost a start turns it red, by what the device reads."""

    def module(self):
        where = TempDir(self, "").path / "module"
        where.mkdir()
        for name in ("Kbuild", "slip_start.c"):
            shutil.copy(HERE / name, where)
        r = sh("make", "-C", kernel_dir() / "build", f"M={where}",
               "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules")
        assert r.returncode == 0, r.stdout
        return where / "slip_start.ko"

    def red(self, caller):
        """The kernel's own check of free pages, which is on with init_on_alloc, finds by
        chance what the device did to one."""
        tests = FORGOTTEN[caller]
        run = judge(self, "kvm", "--module", f"{self.module()} caller={caller}",
                    "--append", "init_on_alloc=0", *(w for t in tests for w in ("--test", t)))
        self.assertEqual(run.failed(), [f"{SUBJECT}:{t}" for t in tests], run.out)
        for test in tests:
            self.assertRegex(said(run, test), "a stale (read|write)")

    def test_munmap(self):
        self.red("unmap_vmas")

    def test_others(self):
        take_long(self)
        for caller in FORGOTTEN:
            if caller != "unmap_vmas":
                with self.subTest(caller):
                    self.red(caller)


class Ways(unittest.TestCase):
    """The judge itself is tested, with test_hmm as a driver that it does not know."""

    def test_each_bad_one_is_told(self):
        bad = program(self, HERE / "bad.c")
        for way, (tests, why) in WAYS.items():
            with self.subTest(way):
                run = judge(self, f"{bad} {way}", *(w for t in tests for w in ("--test", t)))
                self.assertEqual(run.failed(), [f"{SUBJECT}:{t}" for t in tests],
                                 run.out)
                for test in tests:
                    self.assertRegex(said(run, test), why)

    def test_what_is_legal_passes(self):
        run = judge(self, f"{program(self, HERE / 'bad.c')} refuses", "--test", "reap.*",
                    "--test", "oom.*")
        self.assertEqual((run.code, run.failed()), (0, []), run.out)
        self.assertIn("property: refuses every reap, 12 pages stay", run.out)
        self.assertIn("property: the oom_reaper says \"unable to reap", run.out)

    def test_exit_that_hangs_is_a_known_bug(self):
        run = judge(self, f"{program(self, HERE / 'bad.c')} refuses_late", "--test", "reap.*",
                    "--test", "oom.*")
        self.assertEqual((run.code, run.failed()), (0, []), run.out)
        self.assertEqual(run.result(f"{SUBJECT}:reap.agrees_with_the_driver"),
                         ("known_bug", HANGS))
        self.assertEqual(run.result(f"{SUBJECT}:oom.reaper_agrees_with_the_driver")[0], "skip")

    def test_the_example_passes(self):
        run = judge(self, str(program(self, TOP / "subjects/example.c")))
        self.assertEqual((run.code, run.failed()), (0, []), run.out)


class Names(unittest.TestCase):
    def test_changes_are_those_of_lib_change(self):
        def names(header, table):
            text = (TOP / "lib" / header).read_text()
            body = re.search(rf"#define {table}\(X\)(.*?)\n\n", text, re.S)[1]
            return set(re.findall(r"X\((\w+)\)", body))
        ours = names("subject/subject_change.h", "SUBJECT_CHANGES")
        self.assertIn("munmap", ours)
        self.assertLessEqual(ours, names("change/changes.h", "CHANGES"))
        self.assertLessEqual(names("subject/subject_change.h", "SUBJECT_CHANGES_FORBIDDING"),
                             ours)


class Usage(unittest.TestCase):
    def test_what_is_no_subject(self):
        for args in (("nonesuch", (), ()), ("", (), ["x.ko"]), ("'", (), ())):
            with self.subTest(args), self.assertRaises(BadUsage):
                subject.check(*args)

    def test_not_with_other_choices(self):
        for other in ("--all", "--quick", "--panic-on-warn", "--stress=3"):
            r = sh(TOP / "run_tests.sh", "--subject", "kvm", other)
            self.assertEqual(r.returncode, 2, r.stdout)
            self.assertIn("not both", r.stdout)

    def test_its_tests_are_of_no_use_without_one(self):
        r = sh(TOP / "run_tests.sh", "--list", "--all")
        self.assertNotIn(SUBJECT, r.stdout)
        self.assertIn("hmm_notifier_contract:", r.stdout)

    def test_properties(self):
        log = ["# # x.c:2:t:property: a b", "# # c", "# # x.c:3:t:property: d"]
        self.assertEqual(report.properties([{"name": "x:t", "log": log}]),
                         [{"test": "x:t", "property": p} for p in ("a b", "d")])


if __name__ == "__main__":
    unittest.main()
