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


def collect(machine: host.Host, kernel: pathlib.Path) -> None:
    """Puts the modules that runner/guest/modules names, with what they depend on, into
    kernel/modules; the load order into modules/order. A module that is built in, or that
    this kernel does not have, is left out."""
    order: list[str] = []
    to, release = kernel / "modules", (kernel / "release").read_text().strip()
    to.mkdir(exist_ok=True)
    for name in NAMES.read_text().split("\n"):
        if not name or name.startswith("#"):
            continue
        _, out = machine.output("modprobe", "-d", kernel, "-S", release, "--show-depends",
                                name, stderr=subprocess.DEVNULL)
        for file in map(pathlib.Path, re.findall(r"^insmod (\S+)", out, re.M)):
            ko = file.stem if file.suffix in UNPACKS else file.name
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
