# SPDX-License-Identifier: GPL-2.0
"""A tarball of Linux, unpacked into the cache."""
from __future__ import annotations

import pathlib

from runner import cache, host
from runner.errors import BadKernel


def unpacked(machine: host.Host, tarball: pathlib.Path) -> pathlib.Path:
    """The pristine tree, under a name of what is in the tarball"""
    tree = machine.cache() / "src" / f"tarball-{cache.sum_of(tarball)[:16]}"
    if not tree.is_dir():
        with cache.locked(machine, "source"):
            if not tree.is_dir():  # no other run was faster
                unpack(machine, tarball, tree)
    return tree


def unpack(machine: host.Host, tarball: pathlib.Path, tree: pathlib.Path) -> None:
    host.say(f"unpacking {tarball}")
    with cache.new_directory(tree) as new:
        code = machine.run("tar", "-x", "-f", tarball, "-C", new, "--strip-components=1",
                           "--no-same-owner")
        if code or not (new / "mm/mmu_notifier.c").is_file():
            raise BadKernel(f"{tarball} is not a tarball of Linux")
        cache.protect(machine, new)
