# SPDX-License-Identifier: GPL-2.0
"""The smallest config that runs everything, and nothing lost of it."""
from __future__ import annotations

import pathlib
import re

from runner import TOP, host
from runner.linux.request import Extras

CONFIGS = TOP / "runner/config"


def request(arch: str, extras: Extras) -> str:
    """The requested options, in the order in which later ones win."""
    names = ["base", arch, "optional", *([extras.variant] if extras.variant else [])]
    found = [CONFIGS / f"{name}.config" for name in names]
    return "".join(f.read_text() for f in [*found, *([extras.config] if extras.config else [])]
                   if f.exists())


def symbol(line: str) -> str:
    return (line.split()[1] if line.startswith("#") else line).partition("=")[0]


def differing(requested: str, config: str) -> list[str]:
    """Options that were asked for and are not so in the .config, whatever for."""
    asked = re.findall(r"^(?:CONFIG_\w+=|# CONFIG_\w+ is not set).*", requested, re.M)
    wanted = {symbol(line): line for line in asked}
    got = {symbol(line): line for line in re.findall(r"^CONFIG_\w+=.*", config, re.M)}
    return sorted(line for sym, line in wanted.items()
                  if (sym in got if line.startswith("#") else got.get(sym) != line))


def is_known(machine: host.Host, tree: pathlib.Path, sym: str) -> bool:
    """To Kconfig"""
    return machine.output("grep", "-rqE", "--include=Kconfig*",
                          f"^(menu)?config {sym.removeprefix('CONFIG_')}$", tree)[0] == 0


def lost(machine: host.Host, tree: pathlib.Path, requested: str, config: str) -> list[str]:
    """One of optional.config may be missing where Kconfig does not know it."""
    optional = (CONFIGS / "optional.config").read_text().splitlines()
    found = []
    for line in differing(requested, config):
        sym = symbol(line)
        if line not in optional or is_known(machine, tree, sym):
            got = re.findall(rf"^(?:# )?{sym}[= ].*", config, re.M)
            found.append(f"{line} (got: {' '.join(got) or 'nothing'})")
    return found
