# SPDX-License-Identifier: GPL-2.0
"""What the machine must have, and what installs it, on each of the four kinds of
distributions."""
import pathlib
import unittest
from unittest import mock

from support import TOP, TempDir, only_path, sh

from runner import distro, errors, host, options, packages

OS_RELEASE = {
    "apt": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "dnf": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "pacman": "NAME=EndeavourOS\nID=endeavouros\nID_LIKE=arch\n",
    "zypper": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
}
UBUNTU = "ID=ubuntu\nID_LIKE=debian\n"
PROGRAMS = {"apt": "apt_get", "dnf": "dnf", "pacman": "pacman", "zypper": "zypper"}
NO_MANAGER = ["apt*", "dpkg*", "dnf", "pacman", "zypper"]


class Distro(unittest.TestCase):
    def find(self, text, *here):
        where = TempDir(self, "").path
        (where / "os-release").write_text(text)
        for name in here:
            program = where / distro.MANAGERS[name][0]
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        return distro.find(str(where), where / "os-release")

    def test_by_what_is_installed(self):
        for name in distro.MANAGERS:
            found = self.find("ID=nobody-knows\n", name)
            self.assertEqual((found.manager, found.is_here), (name, True))

    def test_by_os_release(self):
        for name, text in OS_RELEASE.items():
            found = self.find(text)
            self.assertEqual((found.manager, found.is_here), (name, False))

    def test_of_two_its_own(self):
        """Debian has a package of dnf, Fedora one of apt."""
        for name, text in OS_RELEASE.items():
            self.assertEqual(self.find(text, *distro.MANAGERS).manager, name)

    def test_unknown(self):
        self.assertEqual(self.find("").manager, "")
        self.assertEqual(distro.find("/nowhere", pathlib.Path("/nowhere")).manager, "")

    def test_where_debian_has_kernels(self):
        self.assertTrue(self.find(OS_RELEASE["apt"], "apt").has_debian_kernels)
        for found in (self.find(OS_RELEASE["apt"]), self.find(UBUNTU, "apt"),
                      self.find("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt"),
                      self.find(OS_RELEASE["dnf"], "dnf")):
            self.assertFalse(found.has_debian_kernels)


class Kernel(unittest.TestCase):
    """The default, and what can't be had"""
    DEBIAN = distro.Distro(("debian",), "apt", True)
    UBUNTU = distro.Distro(("ubuntu", "debian"), "apt", True)
    FEDORA = distro.Distro(("fedora",), "dnf", True)

    def choose(self, spec, system, where=pathlib.Path("/")):
        return options.choose_kernel(spec, system, where)

    def tree(self):
        top = TempDir(self, "").path
        (top / "mm").mkdir()
        (top / "mm/mmu_notifier.c").touch()
        return top

    def test_default(self):
        top = self.tree()
        self.assertEqual(self.choose("", self.DEBIAN, top), "debian:6.12")
        for system in (self.UBUNTU, self.FEDORA):
            self.assertEqual(self.choose("", system, top), "tree:.")
            self.assertEqual(self.choose("", system, top / "mm"), f"tree:{top}")
            with self.assertRaises(errors.BadHost) as caught:
                self.choose("", system)
            for way in ("tree:DIR", "source:TARBALL", "image:BZIMAGE,"):
                self.assertIn(way, str(caught.exception))

    def test_what_comes_from_apt(self):
        for spec in ("debian:6.1", "source:6.12", "source:6.12+fixes", "source:newest"):
            self.assertEqual(self.choose(spec, self.UBUNTU), spec)
            with self.assertRaisesRegex(errors.BadHost, f"^{spec.replace('+', '.')} comes"):
                self.choose(spec, self.FEDORA)
        for spec in ("tree:.", "image:a,b", "source:linux-6.12.tar.xz", "source:/dir"):
            self.assertEqual(self.choose(spec, self.FEDORA), spec)

    def test_the_one_that_runs_here(self):
        for spec in ("host", "host+fixes", "host:/dir", "host:linux.tar.xz+fixes"):
            self.assertEqual(self.choose(spec, self.FEDORA), spec)
        for spec in ("hosts", "host+", "host:", "debian"):
            with self.assertRaisesRegex(errors.BadUsage, "not a kernel"):
                self.choose(spec, self.DEBIAN)

    def test_from_the_command_line(self):
        env = only_path(self, NO_MANAGER)
        r = sh(TOP / "run_tests.sh", "--list", cwd="/", env=env)
        self.assertEqual(r.returncode, 2)
        self.assertEqual(len(r.stdout.splitlines()), 1, r.stdout)
        self.assertIn("--kernel tree:DIR", r.stdout)


class Packages(unittest.TestCase):
    def packages(self, *args, env):
        return sh(TOP / "run_tests.sh", "packages", *args, env=env)

    def test_nothing_is_missing(self):
        needs = packages.needed(["run", "source"])
        self.assertEqual(packages.missing(needs, "apt", host.environment()), [])

    def test_finds_what_is_missing(self):
        env = {**host.environment(), **only_path(self, ["cpio"])}
        needs = [packages.Need("run", what, {}) for what in
                 ("gcc", "cpio", "<numa.h>", "<nonesuch.h>", "/bin", "/nonesuch", "ply.py",
                  "nonesuch.py")]
        lack = [need.what for need in packages.missing(needs, "", env)]
        self.assertEqual(lack, ["cpio", "<nonesuch.h>", "/nonesuch", "nonesuch.py"])

    def test_no_compiler_no_headers(self):
        env = {**host.environment(), **only_path(self, ["gcc"])}
        lack = {need.what for need in packages.missing(packages.needed(["run"]), "apt", env)}
        self.assertLessEqual({"gcc", "<numa.h>", "<stdio.h>"}, lack)
        self.assertNotIn("make", lack)

    def test_table(self):
        """A name for each manager, or that there is none"""
        for need in packages.table():
            self.assertEqual(list(need.packages), list(distro.MANAGERS), need)

    def test_command_of_each_manager(self):
        with mock.patch("os.getuid", return_value=1000):
            needs = [need for need in packages.needed(["run"]) if need.what == "<numa.h>"]
            for name, package in (("apt", "libnuma-dev"), ("dnf", "numactl-devel"),
                                  ("pacman", "numactl"), ("zypper", "libnuma-devel")):
                text = packages.advice(needs, name)
                self.assertIn("missing: <numa.h>\n", text)
                self.assertRegex(text, rf"\n    sudo {distro.MANAGERS[name][0]} .* {package}$")
            text = packages.advice(needs, "")
        for name in distro.MANAGERS:
            self.assertIn(f"sudo {distro.MANAGERS[name][0]} ", text)

    def test_what_has_no_package_is_named(self):
        needs = [need for need in packages.table() if need.what == "spatch"]
        self.assertIn("by hand: spatch", packages.advice(needs, "pacman"))

    def test_no_install_prints_the_command(self):
        env = only_path(self, ["qemu-system-*"], apt_get="echo must not run; exit 1")
        for args in (["--no-install"], ["packages", "-n"]):
            r = sh(TOP / "run_tests.sh", *args, env=env)
            self.assertEqual(r.returncode, 2)
            self.assertIn("apt-get install", r.stdout)
            self.assertIn("qemu-system-", r.stdout)
            self.assertNotIn("must not run", r.stdout)

    def installs(self, manager, *args):
        """(what the program was called with, the end of ./run_tests.sh packages)"""
        where = TempDir(self, "").path
        (where / "calls").touch()
        env = only_path(self, [*NO_MANAGER, "quilt"], **{
            manager: f'echo "$@" >>{where}/calls; touch "${{0%/*}}/quilt"; '
                     'chmod 755 "${0%/*}/quilt"', "sudo": 'exec "$@"'})
        r = self.packages("run", "check", *args, env=env)
        return (where / "calls").read_text(), r

    def test_installs_what_is_missing_only(self):
        calls, r = self.installs("apt_get")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertEqual(r.stdout, "installing what is missing: quilt\n")
        self.assertEqual(calls, "install -y --no-install-recommends quilt\n")

    def test_others_install_when_asked(self):
        for name in ("dnf", "pacman", "zypper"):
            with self.subTest(manager=name):
                calls, r = self.installs(PROGRAMS[name])
                self.assertEqual((calls, r.returncode), ("", 2), r.stdout)
                self.assertIn("or let --install do it", r.stdout)
                calls, r = self.installs(PROGRAMS[name], "--install")
                self.assertEqual(r.returncode, 0, r.stdout)
                self.assertTrue(calls.endswith(" quilt\n"), calls)

    def test_updates_the_lists_when_they_are_stale(self):
        where = TempDir(self, "").path
        env = only_path(self, ["quilt"], sudo='exec "$@"',
                        apt_get=f'echo "$1" >>{where}/calls; '
                        f'[ "$(wc -l <{where}/calls)" -gt 1 ]')
        r = self.packages("check", env=env)
        self.assertIn("still not found: quilt", r.stdout)
        self.assertEqual((where / "calls").read_text().split(),
                         ["install", "update", "install"])

    def test_what_fails_is_told(self):
        r = self.packages("check", env=only_path(self, ["quilt"], sudo='exec "$@"',
                                                 apt_get="echo no such host; exit 100"))
        self.assertEqual(r.returncode, 2)
        self.assertIn("no such host", r.stdout)
        self.assertIn("apt-get update failed", r.stdout)

    def test_without_sudo(self):
        env = {"PATH": "/nowhere"}
        with mock.patch("os.getuid", return_value=1000), \
                self.assertRaisesRegex(errors.BadHost, "no sudo to run: apt-get update"):
            packages.as_root(("apt-get", "update"), env)

    def test_unknown_group(self):
        r = sh(TOP / "run_tests.sh", "packages", "bogus")
        self.assertEqual(r.returncode, 2)
        self.assertIn("there is no group bogus", r.stdout)


class Python(unittest.TestCase):
    """Before Python runs, the shell has to get it."""

    def start(self, *args, **programs):
        return sh(TOP / "run_tests.sh", *args,
                  env=only_path(self, ["python3*", *NO_MANAGER], **programs))

    def test_names_the_command_of_each(self):
        for manager in (), ("dnf",), ("pacman",), ("zypper",):
            r = self.start(**{name: "echo must not run" for name in manager})
            self.assertEqual(r.returncode, 2)
            self.assertIn("Python 3.9 or newer is needed", r.stdout)
            self.assertNotIn("must not run", r.stdout)
            for name in ("apt-get", "dnf", "pacman", "zypper"):
                self.assertIn(f" {name} ", r.stdout)

    def test_no_install(self):
        for args in ["--no-install"], ["packages", "-n"]:
            r = self.start(*args, apt_get="echo must not run >&2")
            self.assertEqual(r.returncode, 2)
            self.assertNotIn("must not run", r.stdout)

    def test_installs_it(self):
        link = 'ln -s /usr/bin/python3 "${0%/*}/python3"'
        for manager, args in (("apt_get", []), ("dnf", ["--install"]),
                              ("pacman", ["--install"]), ("zypper", ["--install"])):
            r = self.start("--help", *args, sudo='exec "$@"', **{manager: link})
            self.assertEqual(r.returncode, 0, r.stdout)
            self.assertIn("usage: run_tests.sh", r.stdout)

    def test_bisection_ends(self):
        self.assertEqual(self.start("--bisect").returncode, 255)


if __name__ == "__main__":
    unittest.main()
