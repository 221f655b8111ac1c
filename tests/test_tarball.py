# SPDX-License-Identifier: GPL-2.0
"""make check-tarball: the kselftest tarball that KernelCI's build makes has our tests, its
kselftest-merge what they want of a kernel, and on a root file system that is Debian's they
say from /opt what run_tests.sh says, test by test."""
import os
import pathlib
import re
import shutil
import sys
import unittest

from support import TOP, TempDir, get_kernel, machine, sh
from test_kselftest import LONG, PROGRAMS, Tree

sys.path[:0] = [str(TOP / "tests/proof")]
import engines  # noqa: E402
import guest  # noqa: E402
from runner import cache, qemu  # noqa: E402

BASE = "7.2"
# What its kselftest-list.txt starts runs on these
DEBIAN = ("kmod", "libnuma1", "procps", "xz-utils")
WANTED = ("TEST_HMM=m", "HMM_MIRROR=y", "MMU_NOTIFIER=y", "DEVICE_PRIVATE=y")
# All take minutes of an idle machine. CHECK_ALL=1 runs them, CHECK_PROGRAMS=... these
CHOSEN = [f"hmm_notifier_{p}" for p in os.environ.get("CHECK_PROGRAMS", "").split()] or \
    [p for p in PROGRAMS if "CHECK_ALL" in os.environ or p not in LONG]
RESULTS = TOP / "results/tarball"


def debian():
    """A root file system of the Debian that runs here, as a tar"""
    release = dict(line.split("=", 1) for line in
                   pathlib.Path("/etc/os-release").read_text().split("\n") if "=" in line)
    suite = release["VERSION_CODENAME"]
    tar = machine().cache() / f"debian-{suite}-{'-'.join(DEBIAN)}.tar"
    with cache.locked(machine(), "debian-root"):
        if not tar.exists():
            new = tar.with_suffix(".new.tar")
            done = sh("nice", "mmdebstrap", "--variant=minbase",
                      f"--include={','.join(DEBIAN)}", suite, new, timeout=3000)
            assert done.returncode == 0, done.stdout[-3000:]
            new.rename(tar)
    return tar


@unittest.skipUnless("CHECK_TARBALL" in os.environ, "make check-tarball runs it")
@unittest.skipIf(os.geteuid(), "the root file system is made by root")
class Tarball(unittest.TestCase):
    def test_as_run_tests_says(self):
        tmp = TempDir(self, "").path
        with Tree(self, BASE).locked() as tree:
            tree.install()
            self.assert_merged(tree)
            packed = self.gen_tar(tree, tmp)
        shutil.rmtree(RESULTS, ignore_errors=True)
        kernel = guest.Kernel(machine(), get_kernel(f"source:{BASE}"), tmp, RESULTS, None,
                              upstream=False)
        console = self.boot(kernel, self.image(kernel, packed, tmp))
        self.assert_the_same(self.run_tests(), console)

    def assert_merged(self, tree):
        """A usual configuration, and what the tests' own config files add to it"""
        build = TempDir(self, "").path
        for target in ("x86_64_defconfig", "kselftest-merge"):
            tree.run("make", "-s", "-C", tree.tree, f"O={build}", target)
        config = (build / ".config").read_text()
        self.assertEqual([w for w in WANTED if f"CONFIG_{w}\n" not in config], [])

    def gen_tar(self, tree, tmp):
        to = tree.make_install("FORMAT=.xz", target="gen_tar")
        packed = tmp / "kselftest.tar.xz"
        shutil.move(to / "kselftest-packages" / packed.name, packed)
        names = {pathlib.PurePath(n) for n in tree.run("tar", "-tf", packed).split()}
        for name in [*PROGRAMS, "test_hmm_notifier.sh", "ksft_hmm_notifier.sh"]:
            self.assertIn(pathlib.PurePath("mm", name), names)
        return packed

    def image(self, kernel, packed, tmp):
        """The disk: Debian, the kernel's module, and in /opt the tarball"""
        root, disk, leave = tmp / "root", tmp / "disk", tmp / "leave-out"
        root.mkdir()
        leave.write_text("".join(f"{p}\n" for p in PROGRAMS if p not in CHOSEN))
        release = (kernel.dir / "release").read_text().strip()
        for cmd in (("tar", "-xf", debian(), "-C", root),
                    ("install", "-D", kernel.out / "modules/test_hmm.ko",
                     root / f"usr/lib/modules/{release}/test_hmm.ko"),
                    ("install", packed, leave, TOP / "tests/tarball.sh", root / "opt"),
                    ("mke2fs", "-q", "-t", "ext4", "-d", root, disk, "2G")):
            done = sh("nice", *cmd)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return disk

    def boot(self, kernel, disk):
        bed, log = kernel.testbed, RESULTS / "console.log"
        cmd = qemu.command(bed.arch, bed.accel, bed.kernel.image, pathlib.Path("none"), log,
                           append="root=/dev/vda rw init=/opt/tarball.sh")
        at = cmd.index("-initrd")
        cmd[at:at + 2] = ["-drive", f"file={qemu.quote(disk)},format=raw,if=virtio"]
        RESULTS.mkdir(parents=True, exist_ok=True)
        sh("nice", "-n", "5", *cmd, timeout=3600)
        return log

    def run_tests(self):
        """What our own guest says of the same"""
        done = sh(TOP / "run_tests.sh", "--kernel", f"source:{BASE}", "--results", RESULTS,
                  *(word for p in CHOSEN for word in ("--test", f"{p}:*")), timeout=3600)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return engines.read(RESULTS / "latest/summary.json")

    def assert_the_same(self, ours, console):
        said = re.sub("\r", "", console.read_text(errors="replace"))
        steps = re.split(r"^step (\w+)\n", said, flags=re.M)
        self.assertEqual(steps[1::2], ["silent", "splats", "end"], said[-3000:])
        for name, out in zip(steps[1::2], steps[2:5:2]):
            (RESULTS / f"{name}.ktap").write_text(out)
            theirs = engines.read_ktap(out)
            found = engines.compare(ours, theirs)
            asked = found.pop(engines.CONSENT, [])
            self.assertTrue(found.pop(engines.SAME), name)
            self.assertEqual(found, {}, name)
            self.assertEqual(bool(asked), name == "silent")
            self.assertEqual(set(ours) - set(theirs), set(), name)
            self.assertRegex(out, rf"(?m)^exit {name} 0$")


if __name__ == "__main__":
    unittest.main()
