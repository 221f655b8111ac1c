# SPDX-License-Identifier: GPL-2.0
"""Debian packages as files, without installing them."""
from __future__ import annotations

import getpass
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from runner import cache, host
from runner.errors import BadHost, writing

DAY = 86400
OTHER_WAYS = "source:TARBALL, tree:DIR and image:BZIMAGE,MODULES need no package of Debian"


def host_arch(machine: host.Host) -> str:
    """Debian's name of the architecture of the programs here"""
    try:
        _, out = machine.output("dpkg", "--print-architecture", stderr=subprocess.DEVNULL)
    except BadHost:
        out = ""
    return out.strip() or machine.debian_arch()


def tail(log: pathlib.Path) -> None:
    host.say("\n".join(log.read_text(errors="replace").splitlines()[-5:]))


class Apt:
    """The packages that the host's apt knows"""
    lists = pathlib.Path("/var/lib/apt/lists")

    def __init__(self, machine: host.Host):
        if not shutil.which("apt-cache", path=machine.env["PATH"]):
            raise BadHost(f"there is no apt here; {OTHER_WAYS}")
        self.machine, self.cache = machine, machine.cache()
        self.shown: dict[str, str] = {}

    def command(self, *words: str) -> tuple[str, ...]:
        return words

    def says(self, *words: str) -> str:
        """What apt-cache prints; nothing when it does not know the package."""
        return self.machine.output(*self.command("apt-cache", *words),
                                   stderr=subprocess.DEVNULL)[1]

    def field(self, package: str, name: str) -> str:
        """Of the version that apt would install; empty when there is none"""
        if package not in self.shown:
            self.shown[package] = self.says("show", "--no-all-versions", package)
        found = re.search(rf"^{name}: *(\S+)", self.shown[package], re.M)
        return found[1] if found else ""

    def depends(self, package: str, pattern: str) -> str:
        """The first package that a meta package depends on and that matches"""
        out = self.says("depends", "--no-recommends", "--no-suggests", package)
        return next((name for name in re.findall(r"Depends: (\S+)", out)
                     if re.search(pattern, name)), "")

    def update(self) -> None:
        """The lists are older than the archive. Only root may renew those of the host;
        who sits at a terminal is asked for a password."""
        self.shown.clear()
        host.say("reading Debian's package lists (apt-get update)")
        command = ["apt-get", "update"]
        if os.geteuid():
            if not self.sudo_asks_nothing():
                host.say("they are too old, and to renew them takes root: "
                         "sudo apt-get update")
                if not self.machine.asks_for_root(*command):
                    raise BadHost
                return
            command.insert(0, "sudo")
        if self.machine.output(*command, stderr=subprocess.DEVNULL)[0]:
            raise BadHost("apt-get update failed; run it by hand to see why")

    def sudo_asks_nothing(self) -> bool:
        return bool(shutil.which("sudo", path=self.machine.env["PATH"])) and \
            self.machine.output("sudo", "-n", "true", stderr=subprocess.DEVNULL)[0] == 0

    def is_whole(self, file: pathlib.Path, package: str) -> bool:
        """Size first, it is cheap."""
        return file.is_file() and \
            str(file.stat().st_size) == self.field(package, "Size") and \
            cache.sum_of(file) == self.field(package, "SHA256")

    def fetch(self, directory: pathlib.Path, package: str) -> pathlib.Path:
        """The package, whole, in that directory. What an interrupted run left there is
        checked, and fetched again when it is broken."""
        file, new = directory / f"{package}.deb", directory / f"get-{package}"
        with writing(directory):
            for update in (self.update, None):
                if self.is_whole(file, package):
                    return file
                if file.exists():
                    host.say(f"{package}: what is in the cache is broken; "
                             "fetching it again")
                    file.unlink()
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir(parents=True)
                host.say(f"downloading {package}")
                if self.download(new, package, file):
                    shutil.rmtree(new)
                elif update:
                    update()
                else:
                    tail(new / "log")
        if not self.is_whole(file, package):
            raise BadHost(f"could not download {package}")
        return file

    def download(self, new: pathlib.Path, package: str, to: pathlib.Path) -> bool:
        cmd = self.command("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root",
                           package)
        code = self.machine.logged(new / "log", *cmd, cwd=new)
        debs = list(new.glob("*.deb"))
        if code or len(debs) != 1:
            return False
        debs[0].replace(to)
        return True

    def unpack(self, package: str) -> pathlib.Path:
        """A new directory in the cache, for the caller to rename"""
        arch = self.machine.arch
        debs = self.cache / "debs" / (f"{package}-{arch}" if arch else package)
        with writing(self.cache):
            for left in self.cache.glob(f".{package}-*"):  # by a killed run
                shutil.rmtree(left)
            debs.mkdir(parents=True, exist_ok=True)
            deb = self.fetch(debs, package)
            new = pathlib.Path(tempfile.mkdtemp(prefix=f".{package}-", dir=self.cache))
        extract(self.machine, deb, new)
        shutil.rmtree(debs)
        return new


def extract(machine: host.Host, deb: pathlib.Path, to: pathlib.Path, *members: str) -> None:
    if not machine.pipe(("dpkg-deb", "--fsys-tarfile", deb),
                        ("tar", "-x", "-C", to, "--no-same-owner", *members)):
        raise BadHost(f"could not unpack {deb}")


class OwnApt(Apt):
    """One with a state of its own, in the cache. So nothing of the host's apt changes,
    and nobody has to be root. what is what its lists are of."""

    def __init__(self, machine: host.Host, name: str, what: str, configuration: str):
        super().__init__(machine)
        self.name, self.what = name, what
        self.own = self.cache / f"apt-{name}"
        self.lists, self.stamp = self.own / "lists", self.own / "updated"
        self.configuration = self.own / "apt.conf"
        with writing(self.own):
            for where in ("lists", "archives"):
                (self.own / where / "partial").mkdir(parents=True, exist_ok=True)
            new = self.own / f"apt.conf.{os.getpid()}"
            new.write_text(f"""\
Dir::State "{self.own}";
Dir::State::status "/dev/null";
Dir::State::lists "{self.lists}";
Dir::Cache "{self.own}";
Dir::Cache::archives "{self.own}/archives";
APT::Sandbox::User "{getpass.getuser()}";
Acquire::Languages "none";
{configuration}
""")
            new.replace(self.configuration)

    def command(self, *words: str) -> tuple[str, ...]:
        return ("env", f"APT_CONFIG={self.configuration}", *words)

    def is_new(self) -> bool:
        return self.stamp.exists() and time.time() - self.stamp.stat().st_mtime < DAY

    def refresh(self) -> bool:
        """The lists are good for a day; older ones are used when no newer can be had.
        False when there are none."""
        if self.is_new():
            return True
        with cache.locked(self.machine, self.own.name):
            return self.is_new() or self.read_lists()  # another run may have been faster

    def read_lists(self) -> bool:
        self.shown.clear()
        host.say(f"reading the package lists of {self.what}")
        log = self.own / "log"
        code = self.machine.logged(log, *self.command("apt-get", "update", "-q"))
        if code == 0 and not re.search("^[WE]: Failed", log.read_text(errors="replace"), re.M):
            self.stamp.touch()
            return True
        if self.stamp.exists():
            day = time.strftime("%F", time.localtime(self.stamp.stat().st_mtime))
            host.say(f"that failed; using those of {day}")
            return True
        tail(log)
        return False

    def update(self) -> None:
        self.stamp.unlink(missing_ok=True)
        if not self.refresh():
            raise BadHost(f"apt-get update failed for {self.what}")


def of(machine: host.Host) -> Apt:
    """The packages of the architecture that is built for. The host's are there, too, as
    NAME:amd64. If the lists can't be renewed, the missing package is named later."""
    here = host_arch(machine)
    if machine.arch in ("", here):
        return Apt(machine)
    arch = machine.arch
    apt = OwnApt(machine, arch, f"Debian for {arch}", f'APT::Architecture "{arch}";\n'
                 f'APT::Architectures {{ "{arch}"; "{here}"; }};')
    apt.refresh()
    return apt
