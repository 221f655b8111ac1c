# SPDX-License-Identifier: GPL-2.0
"""The cache: who shares it, where it is, and what becomes of what is damaged there."""
import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from support import HANGS, RUNNER, STANDINS, TOP, TempDir, built, kernel_dir, machine

from runner import build, cache, kernel, place
from runner.errors import BadHost, Interrupted
from runner.linux import kconfig

KEYS = """\
import hashlib, pathlib, sys
sys.path.insert(0, "")
from unittest import mock
from runner import TOP, build, host, kernel
from runner.linux import build as linux
directory, machine = pathlib.Path(sys.argv[1]), host.Host()
tested = kernel.Kernel(directory, directory / "vmlinuz")
print(build.Build(machine, tested, TOP / "selftests").key())
with mock.patch.object(linux, "find", return_value=(machine.cache() / "src/x", "source-x")):
    print(linux.Linux(machine, "source:6.12", linux.Extras()).made_from())
"""


class Clones(unittest.TestCase):
    """The same commit in another place is built by nobody again; another commit is."""

    def keys(self, top):
        """Of what goes into the guest, and of a kernel that is built here"""
        done = subprocess.run(
            [sys.executable, "-B", "-c", KEYS, kernel_dir()], cwd=top, text=True, check=True,
            stdin=subprocess.DEVNULL, capture_output=True)
        return done.stdout.split()

    def test_keys_go_by_content(self):
        first, second = (TempDir(self).path / "clone" for _ in range(2))
        for top in (first, second):
            shutil.copytree(TOP, top, ignore=shutil.ignore_patterns("results", ".git", "*.pyc"))
        keys = self.keys(first)
        self.assertEqual(self.keys(second), keys)
        for name, n in (("lib/core/rule.c", 0), ("runner/guest/init", 0),
                        ("runner/config/base.config", 1)):
            with open(second / name, "a", encoding="utf-8") as f:
                f.write("\n")
            self.assertNotEqual(self.keys(second)[n], keys[n], name)


class Programs(unittest.TestCase):
    def test_are_built_anew_if_what_they_are_made_of_changes(self):
        """What else changes in the kernel has only the module built."""
        where = TempDir(self).path
        for name in ("base", "config", "release"):
            (where / name).symlink_to(kernel_dir() / name)
        src = ("Makefile", "mm/mmu_notifier.c", "tools/testing/selftests/kselftest_harness.h",
               "lib/test_hmm_uapi.h", "mm/madvise.c", "lib/test_hmm.c")
        for name in (*(f"src/{name}" for name in src), "build/Module.symvers"):
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).touch()
        made = build.Build(machine(), kernel.Kernel(where, where / "vmlinuz"),
                           TOP / "selftests")

        def keys():
            return made.key_of(made.sources_of_tests(where / "src/lib")), made.key()

        for name, anew in zip(src, (True, True, True, True, False, False)):
            tests, whole = keys()
            with self.subTest(name):
                (where / "src" / name).write_text("changed\n")
                self.assertEqual(keys()[0] != tests, anew)
                if name.startswith("lib/"):
                    self.assertNotEqual(keys()[1], whole)


class Cache(unittest.TestCase):
    """The runner says what is damaged, and makes it again."""

    def test_build(self):
        out = built(STANDINS[1]).directory

        def build_again():
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertEqual(built(STANDINS[1]).directory, out)
            return said.getvalue()

        programs = sorted((out / "tests").iterdir())
        whole = [p.read_bytes() for p in programs]
        programs[0].write_bytes(whole[0][:100])
        self.assertIn("is damaged (tests/", build_again())
        programs[1].unlink()
        self.assertIn("is damaged (tests/", build_again())
        self.assertEqual([len(p.read_bytes()) for p in programs], [len(w) for w in whole])
        with open(out / "initramfs.cpio", "r+b") as f:
            f.truncate(1000)
        self.assertIn("initramfs.cpio is damaged", build_again())
        self.assertGreater((out / "initramfs.cpio").stat().st_size, 1 << 20)
        self.assertEqual(build_again(), "")

    def test_kernel(self):
        where = TempDir(self).path
        (where / "boot").mkdir()
        for name in ("boot/vmlinuz", "release"):
            (where / name).write_text("text\n")
        cache.write_manifest(where)
        (where / "later").write_text("is nobody's business\n")

        def check():
            with contextlib.redirect_stderr(io.StringIO()) as said:
                return cache.is_whole(where), said.getvalue()

        self.assertEqual(check(), (True, ""))
        (where / "boot/vmlinuz").write_text("tex")
        self.assertEqual(check(), (False,
                                   f"{where} is damaged (boot/vmlinuz): making it again\n"))
        (where / "boot/vmlinuz").unlink()
        self.assertFalse(check()[0])
        (where / "manifest").unlink()
        self.assertFalse(check()[0])

    def test_images_at_once(self):
        """One removes what the other has made no more."""
        where = TempDir(self, "").path
        for name in ("image", "Module.symvers", ".config", "source/lib/test_hmm.c"):
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).touch()
        (where / "source/Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\n")
        (where / ".config").write_text("\n".join([
            *kconfig.needed("x86_64").values(), "CONFIG_MMU_NOTIFIER=y", "CONFIG_HMM_MIRROR=y"]))
        (where / "include/generated").mkdir(parents=True)
        (where / "include/generated/utsrelease.h").write_text('#define UTS_RELEASE "6.12.1"\n')
        env = {**os.environ, "XDG_CACHE_HOME": str(where / "cache")}
        for _ in range(3):
            runs = [subprocess.Popen([*RUNNER, "get-kernel", f"image:{where}/image,{where}"],
                                     env=env, text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT) for _ in range(4)]
            said = {run.communicate(timeout=HANGS)[0].splitlines()[-1] for run in runs}
            self.assertEqual([run.returncode for run in runs], [0] * 4, said)
            self.assertEqual(len(said), 1)
            kernel = pathlib.Path(said.pop())
            self.assertEqual((kernel / "release").read_text(), "6.12.1\n")
            shutil.rmtree(kernel)

    def test_relative_xdg_cache_home(self):
        home = TempDir(self, "").path
        self.assertEqual(place.cache({"XDG_CACHE_HOME": "here", "HOME": str(home)}),
                         home / ".cache/hmm-notifier-tests")

    def test_path_with_blanks(self):
        """kbuild could not work there."""
        home = TempDir(self).path
        self.assertNotIn(" ", str(place.cache({"XDG_CACHE_HOME": str(home)})))
        self.assertEqual(list(home.iterdir()), [])

    def test_directory_that_cannot_be(self):
        with self.assertRaisesRegex(BadHost, "cannot use the cache directory /proc/"):
            place.cache({"XDG_CACHE_HOME": "/proc/nowhere"})

    def test_directory_that_is_not_ours_alone(self):
        where = TempDir(self, "").path
        (where / "other").mkdir()
        (where / "link").symlink_to("other")
        (where / "open").mkdir()
        (where / "open").chmod(0o777)
        (where / "file").touch()
        for name in ("link", "open", "file"):
            with self.assertRaisesRegex(BadHost, f"{name} is not a directory of ours"):
                place.own(where / name)
        for name in ("other", "new"):
            place.own(where / name)
            self.assertEqual((where / name).stat().st_mode & 0o777, 0o700)

    def test_directory_is_whole_or_not_at_all(self):
        """An interrupted run ends at once; the next one removes what it left."""
        final = TempDir(self, "").path / "kernel"
        for error, left in ((BadHost, []), (Interrupted, [".new-kernel"])):
            with self.assertRaises(error), cache.new_directory(final) as new:
                (new / "file").touch()
                raise error
            self.assertEqual([p.name for p in final.parent.iterdir()], left)
        with cache.new_directory(final) as new:
            self.assertEqual(list(new.iterdir()), [])
        self.assertEqual([p.name for p in final.parent.iterdir()], ["kernel"])


if __name__ == "__main__":
    unittest.main()
