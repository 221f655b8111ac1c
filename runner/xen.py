# SPDX-License-Identifier: GPL-2.0
"""Xen's hypervisor, for a guest that is its domain 0. Debian's package is unpacked into the
cache: one that is installed is the first in the boot menu of this machine."""
from __future__ import annotations

import pathlib
import shutil

from runner import apt, cache, host, modules
from runner.errors import BadHost, BadKernel, writing
from runner.linux import kconfig

ROOT, FILES = pathlib.Path("/"), "boot/xen*.gz"     # runner/needs has it as well
META = "xen-system-amd64"
OPTIONS = ("CONFIG_XEN_PV_DOM0", "CONFIG_XEN_GNTDEV", "CONFIG_XEN_GRANT_DEV_ALLOC")


def check(kernel: pathlib.Path) -> None:
    """Can it be domain 0, with grants?"""
    config = (kernel / "config").read_text(errors="replace")
    if lacks := kconfig.lacking(OPTIONS, config):
        raise BadKernel(f"Xen's grants need a kernel with {', '.join(lacks)}, as Debian's are")


def get(machine: host.Host) -> pathlib.Path:
    """The ELF file that QEMU boots; that of this machine where there is no apt"""
    xen = machine.cache() / "xen"
    if not xen.exists():
        with cache.locked(machine, xen.name):
            if not xen.exists():
                make(machine, xen)
    return xen


def make(machine: host.Host, xen: pathlib.Path) -> None:
    new = xen.with_name(f".new-{xen.name}")
    package = unpack(machine) if shutil.which("apt-get", path=machine.env["PATH"]) else None
    found = sorted((package or ROOT).glob(FILES))
    if not found:
        raise BadHost(f"there is no /{FILES}{' in ' + META if package else ''}")
    with writing(xen):
        modules.unpack(machine, found[-1], new)
        new.replace(xen)
    if package:
        shutil.rmtree(package)


def unpack(machine: host.Host) -> pathlib.Path:
    debian = apt.of(machine)
    for update in (debian.update, None):
        if name := debian.depends(META, "^xen-hypervisor-[0-9]"):
            return debian.unpack(name)
        if update:
            update()
    raise BadHost(f"apt knows no {META}")
