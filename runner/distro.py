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


def ids_of(os_release: pathlib.Path) -> tuple[str, ...]:
    try:
        lines = os_release.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    said = dict(line.partition("=")[::2] for line in lines)
    return tuple(name for key in ("ID", "ID_LIKE")
                 for word in shlex.split(said.get(key, "")) for name in word.split())


def find(path: typing.Optional[str] = None,
         os_release: pathlib.Path = OS_RELEASE) -> Distro:
    """path: where programs are. Of several managers, which can be installed anywhere, it
    is that of the distribution."""
    ids = ids_of(os_release)
    here = [name for name, command in MANAGERS.items()
            if shutil.which(command[0], path=path)]
    named = [FAMILIES[name] for name in ids if name in FAMILIES]
    best = [name for name in named if name in here] or here or named or [""]
    return Distro(ids, best[0], best[0] in here)
