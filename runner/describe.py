# SPDX-License-Identifier: GPL-2.0
"""What the judge needs to know of a kernel beside the logs; given.py reads it.

  meta.json   "kernel", "base", "origin" of the kernel directory; "selected", whether not
              all tests run; "left_out", {why: how many do not}; "warn_sites", {site: [first
              line, last line]} in its mm/mmu_notifier.c; "known_bugs", the subjects of the
              fixes of its base, none if they are in; and what the testbed adds: "spec",
              "arch", "accel", "backend", "suite", "qemu", "choice" (chosen.py), "shard",
              "jobs" (parts.py), and "again", "stress" and "seed", of the command line
              that runs one of the tests alone
"""
from __future__ import annotations

import email.parser
import pathlib
import re
import typing

from runner import TOP, host, klog
from runner.errors import OurFault
from runner.kernel import Kernel
from runner.linux import series

SITE_NAMES = dict(zip(("INTERVAL_RELEASE", "INTERVAL", "HLIST", "HLIST_END"), klog.SITES))


def warn_sites(machine: host.Host, source: pathlib.Path) -> dict[str, list[int]]:
    """A site that the source has more than once has more than one pair of lines."""
    code, out = machine.output(TOP / "lib/core/warn-sites.sh", source)
    if code:
        raise OurFault(f"the WARNs in {source} can't be found")
    sites: dict[str, list[int]] = {}
    for name, first, last in re.findall(r"\{ RULE_SITE_(\w+), (\d+), (\d+) \}", out):
        sites.setdefault(SITE_NAMES[name], []).extend((int(first), int(last)))
    return sites


def known_bugs(base: str, spec: str) -> list[str]:
    """The subjects of the patches that change mm/."""
    path = TOP / "kernel-patches" / base
    bugs = []
    for line in (path / "series").read_text().splitlines():
        name = line.partition("#")[0].strip()
        if not name or spec.endswith("+fixes"):
            continue
        subject = email.parser.HeaderParser().parsestr((path / name).read_text())["Subject"]
        if series.kind(path / name) == "fixes":
            bugs.append(re.sub(r"^\[PATCH[^]]*\]\s*", "", " ".join(subject.split())))
    return bugs


def meta(machine: host.Host, kernel: Kernel, spec: str) -> dict[str, typing.Any]:
    return {"kernel": kernel.release, "origin": kernel.says("origin"),
            "base": kernel.says("base"), "warn_sites": warn_sites(machine, kernel.source),
            "known_bugs": known_bugs(kernel.says("base"), spec)}
