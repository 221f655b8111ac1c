# SPDX-License-Identifier: GPL-2.0
"""Debian's packages: what is asked of apt, what is done about a broken download, and
where newer kernels come from."""
import contextlib
import io
import pathlib
import unittest
from unittest import mock

from support import TempDir, shim

from runner import apt, debian, distro, host, modules, source
from runner.errors import BadHost, BadKernel

# An archive with one series, in which "linux-image-amd64" is of another one
ASKED = """case "$*" in
*show*" linux-image-6.12-amd64") echo "Version: 6.12.9-1";;
*show*" linux-image-amd64") echo "Version: 6.1.8-1";;
*show*" linux-image-6.12+deb12-amd64") echo "Version: 6.12.9-1";;
*show*" linux-source-6.12") echo "Version: 6.12.9-1";;
*show*" linux-image-6.1.0-8-amd64") echo "Version: 6.1.8-1";;
*depends*" linux-image-6.12-amd64") echo "  Depends: linux-image-6.12+deb12-amd64";;
*depends*" linux-image-amd64") echo "  Depends: linux-image-6.1.0-8-amd64";;
*depends*" linux-headers-6.12+deb12-amd64") printf '  Depends: %s\\n' \\
    linux-headers-6.12+deb12-common linux-kbuild-6.12 gcc-12;;
esac"""
RELEASE = 'ID=debian\nVERSION_CODENAME=bookworm\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME="noble"\n'


class Apt(unittest.TestCase):
    def setUp(self):
        self.machine = host.Host()
        self.cache = TempDir(self, "").path
        self.machine.env["XDG_CACHE_HOME"] = str(self.cache)
        self.said = io.StringIO()
        stderr = contextlib.redirect_stderr(self.said)
        stderr.__enter__()
        self.addCleanup(stderr.__exit__, None, None, None)

    def fake(self, **programs):
        self.machine.env.update(shim(self, **programs))

    def os_is(self, text):
        file = self.cache / "os-release"
        file.write_text(text)
        patch = mock.patch.object(distro, "OS_RELEASE", file)
        patch.start()
        self.addCleanup(patch.stop)


class Downloads(Apt):
    def test_broken_package_is_fetched_again(self):
        where = TempDir(self, "").path
        packages = apt.Apt(self.machine)
        deb = packages.fetch(where, "busybox-static")
        whole = deb.read_bytes()
        for broken in (whole[:-1000], b"x" * len(whole), b""):
            deb.write_bytes(broken)
            packages.fetch(where, "busybox-static")
            self.assertIn("broken; fetching it again", self.said.getvalue())
            self.assertTrue(deb.read_bytes() == whole)
            self.said.truncate(0)
        packages.fetch(where, "busybox-static")
        self.assertEqual(self.said.getvalue(), "")  # whole: nothing to do
        self.assertEqual(list(where.iterdir()), [deb])

    def test_package_is_unpacked_beside_the_rest(self):
        new = apt.Apt(self.machine).unpack("busybox-static")
        self.assertTrue((new / "bin/busybox").is_file())
        self.assertEqual(new.parent, self.machine.cache())

    def test_download_that_fails_is_told(self):
        self.fake(apt_get="echo no such host; exit 100", sudo="exit 1")
        with self.assertRaisesRegex(BadHost, "apt-get update failed"), \
                mock.patch("os.geteuid", return_value=0):
            apt.Apt(self.machine).fetch(TempDir(self, "").path, "busybox-static")

    def test_old_lists_without_root_name_the_command(self):
        self.fake(sudo="exit 1", apt_get="exit 1")
        packages = apt.Apt(self.machine)
        with self.assertRaises(BadHost), mock.patch("os.geteuid", return_value=1000):
            packages.update()
        self.assertIn(": sudo apt-get update\n", self.said.getvalue())

    def test_old_lists_with_a_sudo_that_asks_nothing(self):
        calls = self.cache / "calls"
        self.fake(sudo=f'echo "calls: $*" >>{calls}')
        packages = apt.Apt(self.machine)
        with mock.patch("os.geteuid", return_value=1000):
            packages.update()
        self.assertEqual(calls.read_text(), "calls: -n true\ncalls: apt-get update\n")

    def test_host_without_dpkg(self):
        self.fake(dpkg="exit 1")
        self.assertEqual(apt.host_arch(self.machine), self.machine.debian_arch())

    def test_host_without_apt(self):
        self.machine.env["PATH"] = "/nowhere"
        with self.assertRaisesRegex(BadHost, "no apt here; source:TARBALL, tree:DIR"):
            apt.Apt(self.machine)


class Kernels(Apt):
    def setUp(self):
        super().setUp()
        self.os_is(RELEASE)
        self.fake(apt_cache=ASKED, apt_get="exit 1", sudo="exit 1", dpkg="echo amd64")

    def test_packages_of_a_series(self):
        self.assertEqual(debian.Debian(self.machine, "6.12").find_packages(), debian.Packages(
            "6.12.9-1", "linux-image-6.12+deb12-amd64", "linux-headers-6.12+deb12-amd64",
            "linux-headers-6.12+deb12-common", "linux-kbuild-6.12", "linux-source-6.12"))

    def test_flavour_is_in_the_name_as_debian_has_it(self):
        for arch, flavour, name in (("", "", "amd64"), ("", "rt", "rt-amd64"),
                                    ("arm64", "16k", "arm64-16k")):
            with mock.patch.object(apt, "of", return_value=apt.Apt(self.machine)):
                self.machine.arch = arch
                self.assertEqual(debian.Debian(self.machine, "6.12", flavour).name, name)

    def test_packages_of_a_flavour(self):
        self.fake(apt_cache=ASKED.replace("-amd64", "-rt-amd64").replace(
            "-common", "-common-rt"), dpkg="echo amd64")
        found = debian.Debian(self.machine, "6.12", "rt").find_packages()
        self.assertEqual(found.release, "6.12+deb12-rt-amd64")
        self.assertEqual(found.common, "linux-headers-6.12+deb12-common-rt")

    def test_series_of_the_release_is_in_its_meta_package(self):
        this = debian.Debian(self.machine, "6.1")
        self.assertEqual(this.find_image(), "linux-image-6.1.0-8-amd64")
        self.assertIsNone(this.find_packages())  # nothing else is there

    def test_series_that_nobody_has(self):
        self.fake(apt_cache=ASKED, apt_get="exit 0", dpkg="echo amd64")
        for spec, why in (("debian:0.1", "debian:0.1: no series of kernel-patches/ is for it; "
                           "there is debian:6.12$"),
                          ("debian:7.2", "apt knows no complete 7.2 kernel for amd64 .*; "
                           "there is debian:6.12$")):
            with self.assertRaisesRegex(BadKernel, why), \
                    mock.patch("os.geteuid", return_value=0):
                debian.get(self.machine, spec)

    def test_answer_holds_until_the_lists_change(self):
        this = debian.Debian(self.machine, "6.12")
        kernel = self.cache / "kernel"
        kernel.mkdir()
        (kernel / "manifest").touch()
        this.memo.write_text(f"{this.apt_state()}\n{kernel}\n")
        self.assertEqual(debian.get(self.machine, "debian:6.12"), kernel)
        (kernel / "manifest").write_text("1 gone\n")
        self.assertIsNone(this.remembered())
        (kernel / "manifest").write_text("")
        this.memo.write_text(f"1 2\n{kernel}\n")
        self.assertIsNone(this.remembered())

    def test_ubuntu_has_none(self):
        self.os_is(UBUNTU)
        self.fake(apt_get="echo must not run; exit 1")
        with self.assertRaisesRegex(BadKernel, "^debian:6.12: Ubuntu's archive has no kernel "
                                    "of Debian; source:TARBALL, tree:DIR and image:"):
            debian.get(self.machine, "debian:6.12")
        with self.assertRaisesRegex(BadHost, "Debian's unstable, and Ubuntu's archive has no "
                                    "such suite; source:TARBALL"):
            source.pristine(self.machine, "7.2")

    def test_old_download_without_a_network(self):
        trees = self.machine.cache() / "src"
        for name in ("7.2.9-1", "7.2.13-1", "7.1.20-1"):
            (trees / name).mkdir(parents=True)
        with mock.patch.object(source, "unstable", return_value=None):
            self.assertEqual(source.pristine(self.machine, "7.2"),
                             (trees / "7.2.13-1", "7.2.13-1"))
            with self.assertRaisesRegex(BadKernel, "apt has no linux-source-7.3"):
                source.pristine(self.machine, "7.3")
        self.assertIn("using 7.2.13-1 from the cache", self.said.getvalue())


class Unstable(unittest.TestCase):
    """It is where the sources of this release are."""

    STANZA = ("Types: deb\nURIs: http://deb.example.org/debian\nSuites: sid\n"
              "Components: main\nSigned-By: /usr/share/key.gpg\n")

    def stanza(self, **files):
        etc = TempDir(self, "").path
        (etc / "sources.list.d").mkdir()
        for name, text in files.items():
            path = "sources.list" if name == "list" else f"sources.list.d/a.{name}"
            (etc / path).write_text(text)
        with mock.patch.object(source, "ETC", etc):
            return source.sid_stanza("bookworm")

    def test_deb822(self):
        text = ("# of ours\nTypes: deb\nURIs: http://example.org\nSuites: nodistro\n\n"
                "Types: deb deb-src\n# a snapshot\nURIs: http://deb.example.org/debian\n"
                "Suites: bookworm bookworm-updates\nComponents: main contrib\n"
                "Signed-By: /usr/share/key.gpg\n")
        self.assertEqual(self.stanza(sources=text), self.STANZA)

    def test_one_line(self):
        text = ("deb-src http://deb.example.org/debian bookworm main\n"
                "deb http://security.example.org bookworm-security main\n"
                "deb [arch=amd64 signed-by=/usr/share/key.gpg] http://deb.example.org/debian "
                "bookworm main\n")
        self.assertEqual(self.stanza(list=text), self.STANZA)

    def test_no_such_suite(self):
        self.assertIsNone(self.stanza(
            sources="Types: deb\nURIs: http://example.org\nSuites: bookworm-updates\n",
            list="deb http://example.org trixie main\n"))


class Modules(Apt):
    def test_each_once_in_their_order(self):
        where = TempDir(self, "").path
        (where / "release").write_text("6.12.9\n")
        for name in ("a", "b"):
            (where / f"{name}.ko").write_text(f"module {name}")
        self.machine.run("xz", where / "b.ko")
        self.fake(modprobe=f"echo 'builtin c'; echo 'insmod {where}/b.ko.xz '; "
                  f"echo 'insmod {where}/a.ko x=1'")
        modules.collect(self.machine, where)
        self.assertEqual((where / "modules/order").read_text(), "b.ko\na.ko\n")
        self.assertEqual([(where / "modules" / f"{name}.ko").read_text() for name in "ab"],
                         ["module a", "module b"])


class Pipe(unittest.TestCase):
    def test_fails_when_one_does(self):
        machine = host.Host()
        out = pathlib.Path(TempDir(self, "").path) / "out"
        copy = ("dd", "status=none", f"of={out}")
        self.assertTrue(machine.pipe(("echo", "text"), ("cat",), copy))
        self.assertEqual(out.read_text(), "text\n")
        for cmds in ((("false",), copy), (("echo",), ("false",)), (("yes",), ("true",))):
            self.assertFalse(machine.pipe(*cmds))


if __name__ == "__main__":
    unittest.main()
