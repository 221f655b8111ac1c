# SPDX-License-Identifier: GPL-2.0
"""A guest that is a domain 0 of Xen, for --subject gntdev: where the hypervisor comes from,
how it is booted, and does gntdev pass?"""
import gzip
import os
import pathlib
import unittest
from unittest import mock

from support import Run, TempDir, only_path, sh, shim

from runner import boot, host, job, options, packages, qemu, subject, xen
from runner.errors import BadHost, BadKernel, BadUsage

XEN = pathlib.Path("/there/xen")
# What can't be had of such memory, or of a domain 0
SKIPS = {"its memory is not its own", "no device that can read", "one NUMA node",
         "the device does not work by itself", "the driver was not called",
         "no guard pages (Linux 6.13 and later)"}


def command(kernel="/k", initrd="/i", append="", arch="x86_64", hypervisor=XEN):
    """{option: its value}; the last one of those that are there several times"""
    words = qemu.command(arch, "tcg", pathlib.Path(kernel), pathlib.Path(initrd),
                         pathlib.Path("/console"), append=append, xen=hypervisor)
    return dict(zip(words[1:], words[2:]))


class CommandLine(unittest.TestCase):
    def test_kernel_and_initrd_are_modules_of_xen(self):
        got = command(append="a=1")
        self.assertEqual(got["-kernel"], "/there/xen")
        self.assertIn("console=com1", got["-append"].split())
        kernel, _, rest = got["-initrd"].partition(" ")
        text, _, initrd = rest.rpartition(",")
        self.assertEqual((kernel, initrd), ("/k", "/i"))
        self.assertIn("console=hvc0", text.split())
        self.assertTrue(text.endswith(" a=1"), text)
        self.assertIn("smap=off", got["-cpu"].split(","))
        self.assertIn("hpet=on", got["-machine"].split(","))

    def test_commas(self):
        """Two are one for QEMU; one is between modules."""
        got = command("/a,b", "/c,d", "e=f,g")["-initrd"]
        self.assertTrue(got.startswith("/a,,b "), got)
        self.assertTrue(got.endswith(" e=f,,g,/c,,d"), got)

    def test_blanks(self):
        """What is behind one would be the command line."""
        for paths in (("/a b", "/i"), ("/k", "/a b")):
            with self.assertRaisesRegex(BadHost, "/a b: "):
                command(*paths)

    def test_others_know_nothing_of_it(self):
        got = command("/a b", "/i,j", "a=1,2", hypervisor=None)
        self.assertEqual((got["-kernel"], got["-initrd"]), ("/a b", "/i,j"))
        self.assertTrue(got["-append"].endswith(" a=1,2"))
        self.assertNotIn("smap", got["-cpu"])
        self.assertNotIn("hvc0", got["-append"])

    def test_script_in_the_results_boots_the_same(self):
        """With an initrd of its own, at the end of a word in quotes"""
        results = TempDir(self).path
        job, initramfs = results / "job", results / "initramfs"
        job.mkdir()
        for path in (job / "tests", results / "job.cpio", initramfs):
            path.touch()
        env = shim(self, mktemp="echo /new")
        fake = pathlib.Path(env["PATH"].partition(":")[0], "qemu-system-x86_64")
        fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        fake.chmod(0o755)
        for hypervisor in (XEN, None):
            guest = boot.Guest(boot.Boot(
                kernel=pathlib.Path("/k"), initramfs=initramfs, job=job, results=results,
                accel="tcg", arch="x86_64", xen=hypervisor), host.Host())
            guest.write_command()
            said = sh(results / "qemu-command", env=env).stdout.splitlines()
            self.assertEqual(said, guest.qemu(pathlib.Path("/new"))[1:])


class Hypervisor(unittest.TestCase):
    def setUp(self):
        self.machine, self.where = host.Host(), TempDir(self, "").path
        self.machine.env["XDG_CACHE_HOME"] = str(self.where / "cache")

        self.root = self.where / "root"
        (self.root / "boot").mkdir(parents=True)

    def has(self, *names):
        """These are in boot/, each with its name in it."""
        for name in names:
            (self.root / "boot" / name).write_bytes(gzip.compress(name.encode()))

    def test_debians_package_is_unpacked(self):
        self.has("xen-4.17-amd64.gz", "xen-4.17-amd64.efi")
        with mock.patch.object(xen, "unpack", return_value=self.root):
            self.assertEqual(xen.get(self.machine).read_text(), "xen-4.17-amd64.gz")
        self.assertFalse(self.root.exists())
        with mock.patch.object(xen, "unpack", side_effect=AssertionError):
            xen.get(self.machine)   # it is kept

    def test_package_without_it(self):
        with mock.patch.object(xen, "unpack", return_value=self.root):
            with self.assertRaisesRegex(BadHost, "no /boot/xen.* in xen-system-amd64"):
                xen.get(self.machine)

    def test_the_package_is_found(self):
        self.machine.env.update(shim(
            self, apt_cache="case $* in *xen-system-amd64) printf '  Depends: %s\\n' "
            "xen-hypervisor-common xen-hypervisor-4.17-amd64;; esac"))
        with mock.patch("runner.apt.Apt.unpack", side_effect=lambda name: name):
            self.assertEqual(xen.unpack(self.machine), "xen-hypervisor-4.17-amd64")

    def test_without_apt_it_is_the_installed_one(self):
        self.has("xen-4.19.1.gz", "xen-dbg.gz", "xen.gz")
        self.machine.env.update(only_path(self, ["apt*"]))
        with mock.patch.object(xen, "ROOT", self.root):
            self.assertEqual(xen.get(self.machine).read_text(), "xen.gz")

    def test_what_is_missing_is_named(self):
        needs = packages.needed(["gntdev"])
        self.assertEqual(packages.missing(needs, "apt", host.environment()), [])
        for manager, name in (("dnf", "xen-hypervisor"), ("zypper", "xen")):
            self.assertTrue(packages.advice(needs, manager).endswith(f" {name}"))
        self.assertIn("by hand: /boot/xen*.gz", packages.advice(needs, "pacman"))
        self.assertEqual(subject.packages("gntdev"), ["gntdev"])

    def test_it_may_take_longer(self):
        def bounds(name):
            opt = options.parse(["--kernel", "debian:6.12", *name], "x86_64")
            made = job.of(opt, ["x"], [], self.where, False)
            return made.timeout, made.silence
        self.assertEqual(bounds(["--subject", "kvm"]), bounds([]))
        self.assertEqual(bounds(["--subject", "gntdev"]), tuple(3 * s for s in bounds([])))

    def test_kernel_that_knows_no_xen(self):
        config = self.where / "config"
        config.write_text("CONFIG_XEN_PV_DOM0=y\nCONFIG_XEN_GNTDEV=m\n"
                          "CONFIG_XEN_GRANT_DEV_ALLOC=y\n")
        xen.check(self.where)
        config.write_text("CONFIG_XEN_PV_DOM0=y\n# CONFIG_XEN_GNTDEV is not set\n")
        with self.assertRaisesRegex(BadKernel, "with CONFIG_XEN_GNTDEV, CONFIG_XEN_GRANT_DEV"):
            xen.check(self.where)

    def test_not_on_arm64(self):
        with self.assertRaisesRegex(BadUsage, "amd64 only"):
            options.parse(["--subject", "gntdev", "--kernel", "debian:6.12"], "aarch64")


@unittest.skipUnless(os.environ.get("CHECK_GNTDEV"), "make check-gntdev: it is slow")
class Gntdev(unittest.TestCase):
    PASS = {f"change.{name}.reaches_the_device" for name in
            ("munmap", "map_fixed", "mremap_move", "mprotect", "soft_dirty", "dontneed")} | \
        {"reap.agrees_with_the_driver", "oom.reaper_agrees_with_the_driver"}

    def test_passes(self):
        run = Run(self, "--subject", "gntdev", standins=False, timeout=1800)
        self.assertEqual((run.code, run.failed()), (0, []), run.out)
        self.assertEqual({n.partition(":")[2] for n, t in run.tests.items()
                          if t["result"] == "pass"}, self.PASS)
        self.assertLessEqual({run.result(n)[1] for n, t in run.tests.items()
                              if t["result"] == "skip"}, SKIPS)
        self.assertIn("property: refuses every reap, 12 pages stay", run.out)


if __name__ == "__main__":
    unittest.main()
