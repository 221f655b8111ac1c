# SPDX-License-Identifier: GPL-2.0
"""Kernels that are built here: which series fits, what of a config is lost, what is made
of a tarball and of somebody's image. Nothing is built."""
import contextlib
import io
import os
import subprocess
import unittest
from unittest import mock

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
            found = series.of_base(base, "module", "fixes", "selftests", "kunit")
            self.assertEqual(sorted(p.name for p in found), sorted(names))
            for patch in series.of_base(base, "fixes"):
                self.assertIn("\nFixes: ", patch.read_text())
            for name in series.touched(series.of_base(base, "kunit")):
                self.assertRegex(name, "^mm/(tests/.*|Kconfig|Makefile)$")
            module = series.of_base(base, "module")
            self.assertIn("lib/test_hmm.c", series.touched(module))
            self.assertFalse([f for f in series.touched(module) if f.startswith("mm/")])


class Config(unittest.TestCase):
    REQUEST = ("# a comment\nCONFIG_A=y\nCONFIG_B=m\nCONFIG_TEXT=\"x=y\"\n"
               "# CONFIG_C is not set\nCONFIG_C_LONGER=y\n# CONFIG_GONE is not set\n")
    CONFIG = ("CONFIG_A=y\nCONFIG_B=m\nCONFIG_TEXT=\"x=y\"\n# CONFIG_C is not set\n"
              "CONFIG_C_LONGER=y\nCONFIG_MORE=y\n")

    def differing(self, request, config):
        return kconfig.differing(kconfig.options(request), config)

    def test_what_differs(self):
        self.assertEqual(self.differing(self.REQUEST, self.CONFIG), [])
        for old, new, wanted in (
                ("CONFIG_B=m", "CONFIG_B=y", "CONFIG_B"),
                ("CONFIG_A=y", "# CONFIG_A is not set", "CONFIG_A"),
                ("x=y", "x=z", "CONFIG_TEXT"),
                ("# CONFIG_C is not set", "CONFIG_C=m", "CONFIG_C"),
                ("CONFIG_C_LONGER=y\n", "", "CONFIG_C_LONGER")):
            with self.subTest(new):
                config = self.CONFIG.replace(old, new)
                self.assertEqual(self.differing(self.REQUEST, config), [wanted])

    def test_later_requests_win(self):
        request = self.REQUEST + "# CONFIG_A is not set\nCONFIG_C=y\n"
        self.assertEqual(self.differing(request, self.CONFIG), ["CONFIG_A", "CONFIG_C"])

    def request(self, theirs="", variant=""):
        more = None
        if theirs:
            more = TempDir(self).path / "more.config"
            more.write_text(theirs)
        return kconfig.Request("x86_64", Extras(variant, config=more))

    def lost(self, request, config):
        return request.lost(machine(), self.tree, config)

    def test_only_an_optional_one_that_kconfig_does_not_know_may_be_lost(self):
        self.tree = TempDir(self, "").path
        optional = next(line for line in (kconfig.CONFIGS / "optional.config").read_text()
                        .splitlines() if line.startswith("CONFIG_"))
        request = self.request()
        config = request.text().replace("CONFIG_KSM=y", "# CONFIG_KSM is not set")
        self.assertIn(f"\n{optional}\n", config)
        config = config.replace(f"{optional}\n", "")
        told = ["CONFIG_KSM=y (got: # CONFIG_KSM is not set)"]
        self.assertEqual(self.lost(request, config), told)
        (self.tree / "mm").mkdir()
        (self.tree / "mm/Kconfig.debug").write_text(
            f"menuconfig {optional.removeprefix('CONFIG_').partition('=')[0]}\n")
        self.assertEqual(sorted(self.lost(request, config)),
                         sorted([*told, f"{optional} (got: nothing)"]))

    def test_of_no_option_is_asked_twice(self):
        """One that is needed and one that is not are in files of their own."""
        request = self.request()
        self.assertEqual(request.ours().keys() & request.needed().keys(), set())
        self.assertIn("\nCONFIG_SERIAL_8250_CONSOLE=y\n", request.text())
        self.assertNotIn("CONFIG_ACPI", kconfig.Request("arm64", Extras()).text())

    def test_a_fragment_wins_but_for_what_is_needed(self):
        request = self.request("CONFIG_MINE=y\n# CONFIG_NUMA is not set\nCONFIG_VIRTIO_PCI=m\n"
                               "# CONFIG_KASAN is not set\n", "debug")
        text = request.text()
        self.assertTrue(text.startswith("# allnoconfig\n"))
        for line in ("CONFIG_MINE=y", "# CONFIG_NUMA is not set", "CONFIG_VIRTIO_PCI=y",
                     "# CONFIG_KASAN is not set", "CONFIG_PROVE_LOCKING=y", "CONFIG_KSM=y"):
            self.assertIn(f"\n{line}\n", text)
        self.assertIn("\nCONFIG_KASAN=y\n", self.request(variant="debug").text())
        self.assertNotIn("KASAN=y", self.request().text())
        # what of ours is not to be had with it is told, and no error
        config = text.replace("CONFIG_NUMA_BALANCING=y\n", "")
        self.tree = TempDir(self, "").path
        self.assertEqual(self.lost(request, config), [])
        self.assertEqual(request.changed(config), [
            "CONFIG_VIRTIO_PCI=m became CONFIG_VIRTIO_PCI=y",
            "CONFIG_NUMA_BALANCING=y is not possible with that; what needs it skips"])
        # an error is what was asked for itself, and what is needed
        for line in ("CONFIG_MINE=y", "CONFIG_PROC_FS=y", "CONFIG_PROVE_LOCKING=y"):
            self.assertEqual(self.lost(request, text.replace(f"{line}\n", "")),
                             [f"{line} (got: nothing)"])

    WHOLE = ("#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.12.1 Kernel "
             "Configuration\n#\nCONFIG_NUMA=y\n# CONFIG_KSM is not set\nCONFIG_EXT4_FS=m\n"
             "CONFIG_SOUND=m\n# CONFIG_PCI is not set\nCONFIG_DEBUG_INFO_BTF=y\n"
             'CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs.pem"\n# CONFIG_KASAN is not set\n')

    def test_a_whole_config_is_the_base(self):
        request = self.request(self.WHOLE, "debug")
        got = kconfig.options(request.text())
        self.assertTrue(request.text().startswith("# alldefconfig\n"))
        for line in ("CONFIG_NUMA=y", "# CONFIG_KSM is not set", "CONFIG_SOUND=m"):
            self.assertIn(line, got.values())
        # needed; the guest loads no module; what does not work elsewhere; --debug
        self.assertEqual(sorted(request.changed(request.text())), [
            "# CONFIG_KASAN is not set became CONFIG_KASAN=y",
            "# CONFIG_PCI is not set became CONFIG_PCI=y",
            "CONFIG_DEBUG_INFO_BTF=y became # CONFIG_DEBUG_INFO_BTF is not set",
            "CONFIG_EXT4_FS=m became CONFIG_EXT4_FS=y",
            'CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs.pem" became '
            'CONFIG_SYSTEM_TRUSTED_KEYS=""'])
        # of ours, no more than is needed
        self.assertNotIn("CONFIG_HUGETLBFS", got)
        self.assertNotIn("CONFIG_SYSTEM_REVOCATION_KEYS", got)
        # an option of somebody's that another version doesn't have is told, no error
        self.tree = TempDir(self, "").path
        config = request.text().replace("CONFIG_SOUND=m\n", "")
        self.assertEqual(self.lost(request, config), [])
        self.assertIn("CONFIG_SOUND=m became nothing: no such option here",
                      request.changed(config))
        self.assertEqual(self.lost(request, config.replace("CONFIG_PCI=y\n", "")),
                         ["CONFIG_PCI=y (got: nothing)"])


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
*all*config) cp "$asked" "$out/.config";;
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

    def test_a_tree_that_another_checkout_changed_is_made_again(self):
        spec = f"source:{self.tarball()}"
        self.get(spec)
        with mock.patch.object(build.Linux, "made_from", return_value="with other patches"):
            self.get(spec, Extras(variant="gcov"))
        self.assertIn("building Linux", self.get(spec)[1])
        self.assertEqual(self.get(spec)[1], "")

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

    def test_what_becomes_of_the_config_is_told(self):
        spec = f"tree:{self.tree}"
        theirs = self.tree / ".config"
        self.assertNotIn(".config", self.get(spec)[1])
        theirs.write_text(Config.WHOLE)
        self.assertIn(f"{theirs} is not used; with --config {theirs} it is the base\n",
                      self.get(spec)[1])
        for _ in range(2):  # built, and there already
            kernel, said = self.get(spec, Extras(config=theirs, name="theirs"))
            self.assertNotIn("is not used", said)
            self.assertIn(".config: CONFIG_EXT4_FS=m became CONFIG_EXT4_FS=y\n", said)
        many = self.tree.parent / "many"
        many.write_text("".join(f"CONFIG_VIRTIO_{n}=m\n" for n in ("PCI", "MENU", "CONSOLE")) +
                        "".join(f"# {line.partition('=')[0]} is not set\n" for line in
                                kconfig.needed("x86_64").values()))
        kernel, said = self.get(spec, Extras(config=many, name="many"))
        lines = (kernel / "changed.config").read_text().splitlines()
        self.assertLess(30, len(lines))
        self.assertEqual(said.count("many: "), build.SHOWN + 1)
        self.assertIn(f"many: and {len(lines) - build.SHOWN} more: "
                      f"{kernel}/changed.config\n", said)

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


# What a distribution ships of a kernel, and its directory of modules
RELEASE = os.uname().release
HEADERS = {"Module.symvers": "", "include__config__kernel.release": "6.12.1\n",
           "include__generated__utsrelease.h": '#define UTS_RELEASE "6.12.1-dist"\n'}
# depmod -b TOP RELEASE
DEPMOD = 'find -L "$2/lib/modules/$3" -name "*.ko*" >"$2/lib/modules/$3/modules.dep"'
# modprobe -d TOP -S RELEASE --show-depends NAME
MODPROBE = r'sed -n "s,.*/$6\.ko.*,insmod &,p" "$2/lib/modules/$4/modules.dep"'


class Given(unittest.TestCase):
    def setUp(self):
        self.tmp = TempDir(self, "").path
        self.source, self.dir = self.tmp / "linux", self.tmp / "lib/modules/6.12.1-dist"
        write(self.source, **SMALL, **{"lib__test_hmm.c": ""})
        config = {**kconfig.needed("x86_64"), "CONFIG_MMU_NOTIFIER": "CONFIG_MMU_NOTIFIER=y",
                  "CONFIG_HMM_MIRROR": "CONFIG_HMM_MIRROR=y"}
        write(self.tmp, vmlinuz="image")
        self.file = self.tmp / "vmlinuz"
        headers = self.tmp / "usr/src/linux-headers"
        self.config = headers / ".config"
        write(headers, **HEADERS, **{".config": "".join(f"{x}\n" for x in config.values())})
        write(self.dir, **{"kernel__drivers__virtio_pci.ko": "pci",
                           "kernel__fs__ext4.ko": "ext4", "modules.builtin": ""})
        (self.dir / "build").symlink_to(headers)
        self.machine = host.Host()
        self.addCleanup(os.close, self.machine.guard.pipe)
        self.machine.env.update(shim(self, depmod=DEPMOD, modprobe=MODPROBE),
                                XDG_CACHE_HOME=str(self.tmp / "cache"))

    def get(self, spec=""):
        return image.get(self.machine, spec or f"image:{self.file},{self.dir},{self.source}")

    def refused(self, why, spec=""):
        with self.assertRaisesRegex(BadKernel, why) as said:
            self.get(spec)
        return str(said.exception)

    def without(self, option, instead=""):
        text = self.config.read_text()
        self.assertIn(f"{option}\n", text)
        self.config.write_text(text.replace(f"{option}\n", f"{instead}\n"))


class Image(Given):
    def test_what_is_wrong_is_told(self):
        for spec, why in ((f"image:{self.file}", "expected .* and there is no MODULES"),
                          (f"image:{self.tmp}/none,{self.dir}", "no /.*/none$"),
                          (f"image:{self.file},{self.tmp}/none", "no /.*/none$"),
                          (f"image:{self.file},{self.tmp}", "neither a build directory"),
                          (f"image:{self.file},{self.dir},{self.tmp}", "is not a kernel tree")):
            self.refused(why, spec)
        write(self.source, Makefile="VERSION = 6\nPATCHLEVEL = 1\n")
        self.refused("linux is Linux 6.1, and the image 6.12$")

    def test_of_a_distribution(self):
        kernel = self.get()
        self.assertEqual((kernel / "src").resolve(), self.source)
        self.assertEqual((kernel / "build").resolve(), self.config.parent)
        self.assertEqual((kernel / "base").read_text(), "6.12\n")
        self.assertEqual((kernel / "release").read_text(), "6.12.1-dist\n")
        self.assertEqual((kernel / "modules/order").read_text(), "virtio_pci.ko\next4.ko\n")
        self.assertEqual((kernel / "modules/ext4.ko").read_text(), "ext4")
        # the order that modprobe wants to know was made here: nothing was written there
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()),
                         ["build", "kernel", "modules.builtin"])
        self.assertEqual(self.get(), kernel)
        write(self.tmp, vmlinuz="built anew")
        self.assertNotEqual(self.get(), kernel)

    def test_what_depmod_made_already_is_taken(self):
        write(self.dir, **{"modules.dep.bin": "", "modules.dep": f"{self.dir}/kernel/fs/ext4.ko\n"})
        self.assertEqual((self.get() / "modules/order").read_text(), "ext4.ko\n")

    def test_of_a_build_directory(self):
        """Without modules_install its modules lie where make left them."""
        build = self.config.parent
        write(build, **{"fs__ext4__ext4.ko": "ext4", "drivers__zram.ko": "zram",
                        "kernel__built.ko": "",  # not in modules.order
                        "modules.order": "fs/ext4/ext4.o\ndrivers/zram.ko\ngone.ko\n"})
        (build / "source").symlink_to(self.source)
        kernel = self.get(f"image:{self.file},{build}")
        self.assertEqual((kernel / "src").resolve(), self.source)
        self.assertEqual((kernel / "modules/order").read_text(), "ext4.ko\nzram.ko\n")

    def test_the_source_of_the_nearest_base_is_told(self):
        with mock.patch("runner.source.pristine", return_value=(self.source, "6.12.5-1")), \
                contextlib.redirect_stderr(io.StringIO()) as said:
            kernel = self.get(f"image:{self.file},{self.dir}")
        self.assertEqual((kernel / "src").resolve(), self.source)
        self.assertRegex(said.getvalue(), "linux-headers has no lib/test_hmm.c: taking those of "
                         "Debian's Linux 6.12.5-1, .* say image:BZIMAGE,MODULES,SOURCE\n")

    def test_a_tarball_is_a_source(self):
        subprocess.run(["tar", "-czf", self.tmp / "linux.tar.gz", "-C", self.tmp, "linux"],
                       check=True)
        kernel = self.get(f"image:{self.file},{self.dir},{self.tmp}/linux.tar.gz")
        self.assertTrue((kernel / "src/lib/test_hmm_uapi.h").is_file())
        self.assertIn(self.tmp / "cache", (kernel / "src").resolve().parents)

    def test_what_its_config_lacks_is_told_by_name(self):
        before = self.config.read_text()
        for option, instead in (("CONFIG_HMM_MIRROR=y", "# CONFIG_HMM_MIRROR is not set"),
                                ("CONFIG_MMU_NOTIFIER=y", ""), ("CONFIG_DEVTMPFS=y", ""),
                                ("CONFIG_VIRTIO_CONSOLE=y", "CONFIG_VIRTIO_CONSOLE=m")):
            self.without(option, instead)
            with mock.patch("runner.source.pristine", side_effect=AssertionError("too early")):
                self.assertIn(f"{self.file}: the tests can't do without\n{option} (is: "
                              f"{instead or 'nothing'})", self.refused(
                                  "can't do without", f"image:{self.file},{self.dir}"))
            self.config.write_text(before)
        self.config.write_text(f"{before}CONFIG_MODULE_SIG_FORCE=y\n")
        self.refused(r"# CONFIG_MODULE_SIG_FORCE is not set \(is: CONFIG_MODULE_SIG_FORCE=y\)")

    def test_what_is_a_module_is_there(self):
        self.without("CONFIG_VIRTIO_PCI=y", "CONFIG_VIRTIO_PCI=m")
        self.get()
        self.assertIn("what is a module is not in /", self.refused(
            "CONFIG_VIRTIO_PCI=y .is: CONFIG_VIRTIO_PCI=m",
            f"image:{self.file},{self.config.parent},{self.source}"))

    def test_the_series_that_fits_is_taken(self):
        """Not by its number alone: 6.6 has more in common with 6.12 than with 6.1."""
        from test_trees import small_tree
        tree = small_tree(self, "6.12")
        write(tree, Makefile="VERSION = 6\nPATCHLEVEL = 6\n")
        found = image.Image("", self.file, self.dir, self.config.parent, tree)
        self.assertEqual(found.base(self.machine), "6.12")


class Host(Given):
    """--kernel host, of a machine that plays"""

    def setUp(self):
        super().setUp()
        write(self.tmp, **{f"boot__vmlinuz-{RELEASE}": "image"})
        self.dir.rename(self.dir.with_name(RELEASE))

    def get(self, spec=""):
        running = image.running
        with mock.patch("runner.linux.image.running",
                        lambda machine, spec: running(machine, spec, self.tmp)):
            return image.get(self.machine, spec or f"host:{self.source}")

    def test_it_is_found(self):
        kernel = self.get()
        self.assertEqual((kernel / "vmlinuz").resolve().parent, self.tmp / "boot")
        self.assertEqual((kernel / "origin").read_text(), f"host:{self.source}\n")
        self.assertEqual((kernel / "modules/ext4.ko").read_text(), "ext4")
        # Fedora has it here as well
        boot = self.tmp / f"boot/vmlinuz-{RELEASE}"
        boot.rename(self.dir.with_name(RELEASE) / "vmlinuz")
        self.assertEqual((self.get() / "vmlinuz").resolve(),
                         self.dir.with_name(RELEASE) / "vmlinuz")

    def test_what_is_not_there_is_told(self):
        (self.dir.with_name(RELEASE) / "build").unlink()
        self.refused(f"lib/modules/{RELEASE}: neither a build directory .*the package of the "
                     "kernel's headers")
        (self.tmp / f"boot/vmlinuz-{RELEASE}").unlink()
        self.assertEqual(self.refused("has no image of it", "host"), f"host: this machine runs "
                         f"{RELEASE}, and has no image of it: none of "
                         f"{self.tmp}/boot/vmlinuz-{RELEASE} "
                         f"{self.tmp}/lib/modules/{RELEASE}/vmlinuz "
                         f"{self.tmp}/boot/Image-{RELEASE}")


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
