# SPDX-License-Identifier: GPL-2.0
"""What distribution this machine has, and its package manager."""
from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
import typing

MANAGERS = {
    # without what is recommended: QEMU recommends a whole desktop
    "apt": ("apt-get", "install", "-y", "--no-install-recommends"),
    "dnf": ("dnf", "install", "-y", "--setopt=install_weak_deps=False"),
    "pacman": ("pacman", "-S", "--needed", "--noconfirm"),
    "zypper": ("zypper", "--non-interactive", "install", "--no-recommends"),
}
# An ID of /etc/os-release, and whose it is
FAMILIES = {"debian": "apt", "ubuntu": "apt", "fedora": "dnf", "rhel": "dnf", "centos": "dnf",
            "arch": "pacman", "suse": "zypper", "opensuse": "zypper"}
OS_RELEASE = pathlib.Path("/etc/os-release")


@dataclasses.dataclass(frozen=True)
class Distro:
    """ids: its own and those that it is like. manager is empty when nobody knows it;
    it may be known and not be here."""
    ids: tuple[str, ...]
    manager: str
    is_here: bool

    @property
    def has_debian_kernels(self) -> bool:
        """Ubuntu's archive has kernels of its own, under other names."""
        return self.manager == "apt" and self.is_here and "ubuntu" not in self.ids


def says(name: str, os_release: typing.Optional[pathlib.Path] = None) -> list[str]:
    """The words behind that name in /etc/os-release"""
    try:
        text = (os_release or OS_RELEASE).read_text(errors="replace")
    except OSError:
        return []
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    return [word for value in shlex.split(said.get(name, "")) for word in value.split()]


def ids_of(os_release: typing.Optional[pathlib.Path] = None) -> tuple[str, ...]:
    return (*says("ID", os_release), *says("ID_LIKE", os_release))


def is_ubuntu() -> bool:
    """Or a relative: Debian's kernels and its unstable are not in that archive."""
    return "ubuntu" in ids_of()


def find(path: typing.Optional[str] = None,
         os_release: typing.Optional[pathlib.Path] = None) -> Distro:
    """path: where programs are. Of several managers, which can be installed anywhere, it
    is that of the distribution."""
    ids = ids_of(os_release)
    here = [name for name, command in MANAGERS.items()
            if shutil.which(command[0], path=path)]
    named = [FAMILIES[name] for name in ids if name in FAMILIES]
    best = [name for name in named if name in here] or here or named or [""]
    return Distro(ids, best[0], best[0] in here)
