# SPDX-License-Identifier: GPL-2.0
"""A machine without apt and dpkg, without libnuma to link statically, and whose busybox
wants libraries: a kernel that was built there is run to a verdict."""
import os
import pathlib
import subprocess
import unittest

from support import BUILT, RUNNER, TOP, TempDir, machine, only_path, sh

from runner import build, initrd

NO_APT = ["apt*", "dpkg*", "gcc*", "x86_64-linux-gnu-gcc*"]
GCC = ('case "$*" in -print-file-name=libnuma.a) echo libnuma.a; exit;; esac\n'
       'exec /usr/bin/{} "$@"')


def shared_busybox():
    """Debian's that is not static; not installed, as it would throw out the other."""
    path = machine().cache() / "busybox-shared"
    build.unpack(machine(), "busybox", path, "busybox")
    return path


class NoApt(unittest.TestCase):
    def setUp(self):
        compilers = {name: GCC.format(name) for name in ("gcc", "gcc-12")
                     if os.path.exists(f"/usr/bin/{name}")}
        self.env = only_path(self, NO_APT, **compilers)
        busybox = pathlib.Path(self.env["PATH"], "busybox")
        busybox.unlink(missing_ok=True)
        busybox.symlink_to(shared_busybox())

    def run_tests(self, *args, **kw):
        self.results = TempDir(self).path
        return sh(TOP / "run_tests.sh", "--results", self.results, *args, env=self.env, **kw)

    def test_image(self):
        """A kernel of ours, as somebody else's image"""
        if not BUILT:
            self.skipTest("no kernel is built here")
        base = "6.12" if "6.12" in BUILT else BUILT[0]
        kernel = subprocess.run([*RUNNER, "get-kernel", f"source:{base}"], check=True,
                                text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        directory = pathlib.Path(kernel.stdout.strip())
        image = f"image:{directory / 'vmlinuz'},{directory / 'build'}"
        r = self.run_tests("--kernel", image, "--keep", "--test",
                           "contract:rule.hlist_nonblock_*")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertRegex(r.stdout, r"\nPASS: [1-9]\d* passed, 0 failed")
        # all of it was dynamically linked, or this shows nothing
        names = subprocess.run(["cpio", "-it", "--quiet"], capture_output=True, check=True,
                               input=(self.results / "latest/initramfs.cpio").read_bytes())
        self.assertRegex(names.stdout.decode(), r"/libnuma\.so\.1\n")

    def test_debian_is_not_to_be_had(self):
        r = self.run_tests("--kernel", "debian:6.12")
        self.assertEqual(r.returncode, 2)
        self.assertIn("comes from apt, and there is no apt-get here", r.stdout)

    def test_in_a_kernel_tree(self):
        """The default is the tree that one stands in; this stand-in can't be built."""
        tree = TempDir(self, "").path
        (tree / "mm").mkdir()
        (tree / "mm/mmu_notifier.c").touch()
        r = self.run_tests(cwd=tree)
        self.assertEqual(r.returncode, 2, r.stdout)
        self.assertIn(f"{tree} is not a kernel tree", r.stdout)


class Libraries(unittest.TestCase):
    def test_of_a_program(self):
        names = {path.name for path in initrd.libraries(machine(), shared_busybox())}
        self.assertIn("libc.so.6", names)
        self.assertTrue(any(name.startswith("ld-") for name in names), names)

    def test_of_a_static_one(self):
        self.assertEqual(initrd.libraries(machine(), build.get_busybox(machine())), set())


if __name__ == "__main__":
    unittest.main()
