# SPDX-License-Identifier: GPL-2.0
"""Kernels that are built here: which series fits, what of a config is lost, what is made
of a tarball and of somebody's image. Nothing is built."""
import contextlib
import io
import os
import subprocess
import unittest

from support import BASES, RUNNER, TOP, TempDir, machine, shim

from runner import host
from runner.errors import BadKernel
from runner.linux import build, image, kconfig, series
from runner.linux.request import BROKEN, Extras


class Series(unittest.TestCase):
    def test_candidates_are_its_own_then_older_then_newer(self):
        known = ["6.12", "6.1", "7.2"]
        for version, wanted in (("6.12", ["6.12", "6.1", "7.2"]),
                                ("6.9", ["6.1", "6.12", "7.2"]),
                                ("7.3", ["7.2", "6.12", "6.1"]),
                                ("5.10", ["6.1", "6.12", "7.2"]),
                                ("6.1", ["6.1", "6.12", "7.2"])):
            with self.subTest(version):
                self.assertEqual(series.candidates(version, known), wanted)

    def test_each_patch_is_of_one_kind(self):
        for base in BASES:
            lines = (series.PATCHES / base / "series").read_text().splitlines()
            names = [line.split()[0] for line in lines if line and line[0] != "#"]
            found = series.of_base(base, "module", "fixes", "selftests")
            self.assertEqual(sorted(p.name for p in found), sorted(names))
            for patch in series.of_base(base, "fixes"):
                self.assertIn("\nFixes: ", patch.read_text())
            module = series.of_base(base, "module")
            self.assertIn("lib/test_hmm.c", series.touched(module))
            self.assertFalse([f for f in series.touched(module) if f.startswith("mm/")])


class Config(unittest.TestCase):
    REQUEST = ("# a comment\nCONFIG_A=y\nCONFIG_B=m\nCONFIG_TEXT=\"x=y\"\n"
               "# CONFIG_C is not set\nCONFIG_C_LONGER=y\n# CONFIG_GONE is not set\n")
    CONFIG = ("CONFIG_A=y\nCONFIG_B=m\nCONFIG_TEXT=\"x=y\"\n# CONFIG_C is not set\n"
              "CONFIG_C_LONGER=y\nCONFIG_MORE=y\n")

    def test_what_differs(self):
        self.assertEqual(kconfig.differing(self.REQUEST, self.CONFIG), [])
        for old, new, wanted in (
                ("CONFIG_B=m", "CONFIG_B=y", "CONFIG_B=m"),
                ("CONFIG_A=y", "# CONFIG_A is not set", "CONFIG_A=y"),
                ("x=y", "x=z", 'CONFIG_TEXT="x=y"'),
                ("# CONFIG_C is not set", "CONFIG_C=m", "# CONFIG_C is not set"),
                ("CONFIG_C_LONGER=y\n", "", "CONFIG_C_LONGER=y")):
            with self.subTest(new):
                config = self.CONFIG.replace(old, new)
                self.assertEqual(kconfig.differing(self.REQUEST, config), [wanted])

    def test_later_requests_win(self):
        request = self.REQUEST + "# CONFIG_A is not set\nCONFIG_C=y\n"
        self.assertEqual(kconfig.differing(request, self.CONFIG),
                         ["# CONFIG_A is not set", "CONFIG_C=y"])

    def test_only_an_optional_one_that_kconfig_does_not_know_may_be_lost(self):
        tree = TempDir(self, "").path
        optional = next(line for line in (kconfig.CONFIGS / "optional.config").read_text()
                        .splitlines() if line.startswith("CONFIG_"))
        request = f"CONFIG_NEEDED=y\n{optional}\n"

        def lost():
            return kconfig.lost(machine(), tree, request, "# CONFIG_NEEDED is not set\n")

        (tree / "Kconfig").write_text("config NEEDED\n")
        told = ["CONFIG_NEEDED=y (got: # CONFIG_NEEDED is not set)"]
        self.assertEqual(lost(), told)
        (tree / "mm").mkdir()
        (tree / "mm/Kconfig.debug").write_text(f"menuconfig {kconfig.symbol(optional)[7:]}\n")
        self.assertEqual(sorted(lost()), sorted([*told, f"{optional} (got: nothing)"]))

    def test_request_has_the_extras_last(self):
        more = TempDir(self).path / "more.config"
        more.write_text("CONFIG_MINE=y\n")
        request = kconfig.request("x86_64", Extras(variant="debug", config=more))
        self.assertTrue(request.endswith("\nCONFIG_MINE=y\n"))
        self.assertIn("CONFIG_KASAN=y\n", request)
        self.assertNotIn("KASAN=y", kconfig.request("x86_64", Extras()))


def write(where, **files):
    for name, text in files.items():
        path = where / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# A tree that needs no patch
SMALL = {"Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n", "mm__mmu_notifier.c": "",
         "lib__test_hmm_uapi.h": "/* HMM_DMIRROR_FAIL_POINT */\n"}
# As make for a kernel: $O has what is asked for
MAKE = """\
for word; do case $word in O=*) out=${word#O=};; KCONFIG_ALLCONFIG=*) asked=${word#*=};; esac; done
echo "$@" >>$out/calls
case "$*" in
*allnoconfig) cp "$asked" "$out/.config";;
*kernelrelease) echo 6.12.1-hmm;;
*modules)
	grep -q broken "$out/../tree/mm/mmu_notifier.c" && { echo mm/x.c:1: error: bad; exit 2; }
	mkdir -p "$out/arch/x86/boot" "$out/arch/arm64/boot" "$out/include/config"
	echo image | tee "$out/arch/x86/boot/bzImage" >"$out/arch/arm64/boot/Image"
	echo 6.12.1-hmm >"$out/include/config/kernel.release";;
esac
"""


class Built(unittest.TestCase):
    """With a stand-in for make"""

    def setUp(self):
        self.cache, self.tree = TempDir(self, "").path, TempDir(self, "").path / "linux-6.12"
        write(self.tree, **SMALL)
        self.machine = host.Host()
        self.addCleanup(os.close, self.machine.guard.pipe)
        self.machine.env.update(shim(self, make=MAKE), XDG_CACHE_HOME=str(self.cache))

    def get(self, spec, extras=Extras()):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            kernel = build.Linux(self.machine, spec, extras).get()
        return kernel, said.getvalue()

    def tarball(self):
        path = self.tree.parent / "linux.tar.gz"
        subprocess.run(["tar", "-czf", path, "-C", self.tree.parent, "linux-6.12"], check=True)
        return path

    def test_a_tarball_is_a_source(self):
        path = self.tarball()
        kernel, said = self.get(f"source:{path}")
        self.assertIn(f"unpacking {path}\n", said)
        self.assertEqual((kernel / "base").read_text(), "6.12\n")
        pristine = (kernel / "pristine").resolve()
        self.assertEqual((pristine / "Makefile").read_text(), SMALL["Makefile"])
        self.assertTrue((pristine / "Makefile").samefile(kernel / "src/Makefile"))
        self.assertEqual((pristine / "Makefile").stat().st_mode & 0o222, 0)
        # the same again: nothing to do; another content: another kernel
        self.assertEqual(self.get(f"source:{path}"), (kernel, ""))
        write(self.tree, mm__more="more\n")
        self.assertNotEqual(self.get(f"source:{self.tarball()}")[0], kernel)

    def test_a_tarball_of_something_else_is_told(self):
        write(self.tree, notes="none\n")
        (self.tree / "mm/mmu_notifier.c").unlink()
        with self.assertRaisesRegex(BadKernel, "is not a tarball of Linux"):
            self.get(f"source:{self.tarball()}")
        self.assertEqual(os.listdir(self.cache / "hmm-notifier-tests/src"), [])

    def test_a_directory_is_a_source_and_is_copied(self):
        kernel, _ = self.get(f"source:{self.tree}")
        self.assertEqual((kernel / "pristine").resolve(), self.tree)
        self.assertFalse((self.tree / "Makefile").samefile(kernel / "src/Makefile"))
        self.assertEqual((kernel / "origin").read_text(), f"source:{self.tree}\n")

    def test_a_damaged_kernel_is_made_again(self):
        spec = f"source:{self.tarball()}"
        kernel, _ = self.get(spec)
        (kernel / "vmlinuz").write_text("imag")
        again, said = self.get(spec)
        self.assertIn(f"{kernel} is damaged (vmlinuz): making it again\n", said)
        self.assertEqual((again / "vmlinuz").read_text(), "image\n")

    def test_a_config_is_made_once_and_for_each_request(self):
        def configured():
            return (kernel / "build/calls").read_text().count("allnoconfig")

        kernel, _ = self.get(f"tree:{self.tree}")
        self.get(f"tree:{self.tree}")
        self.assertEqual(configured(), 1)
        more = self.tree.parent / "more"
        more.write_text("CONFIG_MORE=y\n")
        self.get(f"tree:{self.tree}", Extras(config=more))
        self.assertEqual(configured(), 2)
        beside, _ = self.get(f"tree:{self.tree}", Extras(config=more, name="beside"))
        self.assertNotEqual(beside, kernel)
        self.assertEqual(configured(), 2)

    def test_what_does_not_build_is_told(self):
        (self.tree / "mm/mmu_notifier.c").write_text("broken\n")
        with self.assertRaisesRegex(BadKernel, "does not build; see .*make.log") as said:
            self.get(f"tree:{self.tree}")
        self.assertEqual(said.exception.code, BROKEN)

    def test_no_series_fits(self):
        (self.tree / "lib/test_hmm_uapi.h").write_text("/* another one */\n")
        with self.assertRaisesRegex(BadKernel, "no series of kernel-patches/ fits Linux 6.12"):
            self.get(f"tree:{self.tree}")

    def test_what_is_no_kernel_is_told(self):
        for spec, why in (("tree:/nowhere", "no such directory"), (f"tree:{TOP}", "not a kernel"),
                          ("source:/nowhere", "expected source:SERIES")):
            with self.assertRaisesRegex(BadKernel, why) as said:
                self.get(spec)
            self.assertEqual(said.exception.code, 2)


class Errors(unittest.TestCase):
    def test_of_a_log(self):
        log = "CC a\na.c:1:1: error: bad\n 1 | x\n   | ^\n   | ^\nCC b\nmake: *** Error 2\n"
        self.assertEqual(build.errors(log), log.splitlines()[1:5] + ["make: *** Error 2"])
        self.assertEqual(build.errors("CC a\nCC error\n"), [])


class Image(unittest.TestCase):
    def test_what_is_wrong_is_told(self):
        where = TempDir(self, "").path
        write(where, image="")
        for spec, why in ((f"image:{where}/image", "expected image:BZIMAGE,MODULES"),
                          (f"image:{where}/none,{where}", "expected image:BZIMAGE,MODULES"),
                          (f"image:{where}/image,{where}", "neither a build directory")):
            with self.assertRaisesRegex(BadKernel, why):
                image.parse(spec)
        for name in ("Module.symvers", ".config"):
            (where / name).touch()
        with self.assertRaisesRegex(BadKernel, "no lib/test_hmm.c"):
            image.parse(f"image:{where}/image,{where}")


class Command(unittest.TestCase):
    def test_usage(self):
        for args, code in ((["--help"], 0), ([], 2), (["--as", "A B", "tree:."], 2),
                           (["--debug", "--gcov", "tree:."], 2), (["--patch", "/no", "tree:."], 2),
                           (["nonesuch"], 2)):
            with self.subTest(args):
                r = subprocess.run([*RUNNER, "get-kernel", *args], capture_output=True, text=True,
                                   check=False)
                self.assertEqual(r.returncode, code, r.stderr)
                self.assertEqual("source:TARBALL" in r.stdout, code == 0)
                self.assertEqual(bool(r.stderr), code != 0)


if __name__ == "__main__":
    unittest.main()
