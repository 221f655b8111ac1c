# SPDX-License-Identifier: GPL-2.0
"""Debian's linux-source packages, unpacked into the cache."""
from __future__ import annotations

import pathlib

from runner import VM, host
from runner.errors import BadKernel


def pristine(machine: host.Host, series: str) -> tuple[pathlib.Path, str]:
    """(the tree, its version). It is shared by hard links: never write to it."""
    code, out = machine.output(VM / "get-source.sh", series)
    if code:
        raise BadKernel(code=code)
    tree = pathlib.Path(out.rstrip("\n"))
    return tree, tree.name


def newest(machine: host.Host) -> str:
    """The series that unstable's linux-source depends on"""
    code, out = machine.output(
        "bash", "-uc", 'for f in common deb source; do . "$1/$f.sh"; done\n'
        'cache=$(cache_dir) && newest_series', "bash", VM)
    if code:
        raise BadKernel(code=code)
    return out.strip()
