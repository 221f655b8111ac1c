# SPDX-License-Identifier: GPL-2.0
"""Modules of the kernel that the guest loads."""
from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

from runner import TOP, host
from runner.errors import BadKernel

NAMES = TOP / "runner/guest/modules"
UNPACKS = {".gz": ("gzip", "-dc"), ".xz": ("xz", "-dc"), ".zst": ("zstd", "-dqc")}


def needed(machine: host.Host, kernel: pathlib.Path, name: str) -> list[pathlib.Path]:
    """The files of a module and of what it depends on, in the order to load them; none if
    it is built in, or if this kernel has no such module."""
    _, out = machine.output("modprobe", "-d", kernel, "-S",
                            (kernel / "release").read_text().strip(), "--show-depends", name,
                            stderr=subprocess.DEVNULL)
    return [pathlib.Path(file) for file in re.findall(r"^insmod (\S+)", out, re.M)]


def plain(file: pathlib.Path) -> str:
    """Its name when it is unpacked"""
    return file.stem if file.suffix in UNPACKS else file.name


def collect(machine: host.Host, kernel: pathlib.Path) -> None:
    """Puts the modules that runner/guest/modules names, with what they depend on, into
    kernel/modules; the load order into modules/order. A module that is built in, or that
    this kernel does not have, is left out."""
    order: list[str] = []
    to = kernel / "modules"
    to.mkdir(exist_ok=True)
    for name in NAMES.read_text().split("\n"):
        if not name or name.startswith("#"):
            continue
        for file in needed(machine, kernel, name):
            ko = plain(file)
            if ko not in order:
                unpack(machine, file, to / ko)
                order.append(ko)
    (to / "order").write_text("".join(f"{ko}\n" for ko in order))


def unpack(machine: host.Host, file: pathlib.Path, to: pathlib.Path) -> None:
    if file.suffix not in UNPACKS:
        shutil.copyfile(file, to)
        return
    cmd = (*UNPACKS[file.suffix], file)
    with open(to, "wb") as f, machine.started(cmd, stdout=f) as child:
        if machine.code(cmd, child.wait()):
            raise BadKernel(f"could not unpack {file}")
