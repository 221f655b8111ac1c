# SPDX-License-Identifier: GPL-2.0
"""The cache: who shares it, where it is, and what becomes of what is damaged there."""
import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import unittest

from support import RUNNER, STANDINS, TOP, TempDir, built, sh, shim


class Cache(unittest.TestCase):
    """What is damaged there is told, and made again."""

    def bash(self, text, *args, env=None):
        return sh("bash", "-uc", f". vm/common.sh; {text}", "bash", *args, cwd=TOP, env=env)

    def test_build(self):
        out = built(STANDINS[1]).directory

        def build():
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertEqual(built(STANDINS[1]).directory, out)
            return said.getvalue()

        programs = sorted((out / "tests").iterdir())
        whole = [p.read_bytes() for p in programs]
        programs[0].write_bytes(whole[0][:100])
        self.assertIn("is damaged (tests/", build())
        programs[1].unlink()
        self.assertIn("is damaged (tests/", build())
        self.assertEqual([len(p.read_bytes()) for p in programs], [len(w) for w in whole])
        with open(out / "initramfs.cpio", "r+b") as f:
            f.truncate(1000)
        self.assertIn("initramfs.cpio is damaged", build())
        self.assertGreater((out / "initramfs.cpio").stat().st_size, 1 << 20)
        self.assertEqual(build(), "")

    def test_kernel(self):
        where = TempDir(self).path
        (where / "boot").mkdir()
        for name in ("boot/vmlinuz", "release"):
            (where / name).write_text("text\n")
        self.assertEqual(self.bash('write_manifest "$1"', where).returncode, 0)
        (where / "later").write_text("is nobody's business\n")

        def check():
            r = self.bash('is_whole "$1"', where)
            return r.returncode, r.stdout

        self.assertEqual(check(), (0, ""))
        (where / "boot/vmlinuz").write_text("tex")
        self.assertEqual(check(), (1, f"{where} is damaged (boot/vmlinuz): making it again\n"))
        (where / "boot/vmlinuz").unlink()
        self.assertEqual(check()[0], 1)
        (where / "manifest").unlink()
        self.assertEqual(check()[0], 1)

    def test_images_at_once(self):
        """One removes what the other has made no more."""
        where = TempDir(self, "").path
        for name in ("image", "Module.symvers", ".config", "source/lib/test_hmm.c"):
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).touch()
        (where / "include/config").mkdir(parents=True)
        (where / "include/config/kernel.release").write_text("6.12.1\n")
        env = {**os.environ, "XDG_CACHE_HOME": str(where / "cache")}
        for _ in range(3):
            runs = [subprocess.Popen([*RUNNER, "get-kernel", f"image:{where}/image,{where}"],
                                     env=env, text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT) for _ in range(4)]
            said = {run.communicate(timeout=60)[0].splitlines()[-1] for run in runs}
            self.assertEqual([run.returncode for run in runs], [0] * 4, said)
            self.assertEqual(len(said), 1)
            kernel = pathlib.Path(said.pop())
            self.assertEqual((kernel / "release").read_text(), "6.12.1\n")
            shutil.rmtree(kernel)

    def test_relative_xdg_cache_home(self):
        home = TempDir(self, "").path
        r = self.bash("cache_dir", env={"XDG_CACHE_HOME": "here", "HOME": str(home)})
        self.assertEqual(r.stdout.strip(), f"{home}/.cache/hmm-notifier-tests")

    def test_directory_that_is_not_ours_alone(self):
        where = TempDir(self, "").path
        (where / "other").mkdir()
        (where / "link").symlink_to("other")
        (where / "open").mkdir()
        (where / "open").chmod(0o777)
        (where / "file").touch()
        for name in ("link", "open", "file"):
            r = self.bash('own_dir "$1"', where / name)
            self.assertEqual(r.returncode, 2, name)
        for name in ("other", "new"):
            r = self.bash('own_dir "$1"', where / name)
            self.assertEqual((r.returncode, r.stdout), (0, ""))
            self.assertEqual((where / name).stat().st_mode & 0o777, 0o700)

    def test_host_without_dpkg(self):
        env = shim(self, dpkg="exit 1")
        self.assertIn(self.bash("host_arch", env=env).stdout, ("amd64\n", "arm64\n"))
        self.assertEqual(self.bash("host_arch", env=shim(
            self, dpkg="exit 1", uname="exit 1")).returncode, 2)


if __name__ == "__main__":
    unittest.main()
