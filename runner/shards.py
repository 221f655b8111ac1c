# SPDX-License-Identifier: GPL-2.0
"""--shard I/N: the part I of N of the tests that were chosen, of about the same time each.

The times are those of this table, not what this machine measured last: the parts run
anywhere, and each has to find the others' tests where the others are sure to have them.
"""
from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Sequence

from runner import programs
from runner.errors import BadUsage, NoTest

Part = typing.Tuple[int, int]
# Seconds, of --all on 6.12 under TCG, where four runs took 200 s in the median; what
# matches none takes less than a second. The first that matches counts.
SLOW = (
    ("overlap:*.unregistering_waits_for_the_walk", 11.0), ("oom", 0.35), ("stress", 4.0),
    ("register:*.interrupted_leaves_nothing", 2.3), ("errno:sweep.*", 0.8),
    ("overlap", 0.35), ("mmap:*.*_second_*", 0.2),
)
OTHERS = 0.1
# All victims of a stage are killed at once, by the first test that asks, and the last of its
# tests looks at what happened beside.
TOGETHER = ("oom",)
# Each ends with lockdep's report, and lockdep reports once: in a guest each.
ALONE = ("with_lockdep:mutex.held_*", "with_lockdep:callback")


def parse(text: str) -> Part:
    """I/N, with 1 as the first"""
    found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text, re.A)
    if not found or int(found[1]) > int(found[2]):
        raise BadUsage(f"--shard {text}: I/N, as 1/4 to 4/4")
    return int(found[1]), int(found[2])


def seconds(full: str) -> float:
    return next((s for glob, s in SLOW if programs.selected(full, [glob])), OTHERS)


def units(found: programs.Programs, expected: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What runs together or not at all: a test, or all of a program that can't run a part of
    its tests, or is in TOGETHER."""
    whole: dict[str, list[str]] = {}
    for full in expected:
        name = full.partition(":")[0]
        if found[name].selects and not programs.selected(full, TOGETHER):
            yield (full,)
        else:
            whole.setdefault(name, []).append(full)
    yield from (tuple(tests) for tests in whole.values())


def split(found: programs.Programs, expected: Sequence[str], n: int) -> list[list[str]]:
    """The longest first, each to the part that has least to do"""
    load, parts = [0.0] * n, [set[str]() for _ in range(n)]
    weighed = [(-sum(map(seconds, unit)), unit) for unit in units(found, expected)]
    for weight, unit in sorted(weighed):
        i = load.index(min(load))
        load[i] -= weight
        parts[i] |= set(unit)
    return [[full for full in expected if full in part] for part in parts]


def guests(found: programs.Programs, expected: Sequence[str], n: int,
           lockdep: bool) -> list[list[str]]:
    """What each guest of one run has to do, in N guests and those of ALONE"""
    alone = [full for full in expected if lockdep and programs.selected(full, ALONE)
             and found[full.partition(":")[0]].selects]
    rest = [full for full in expected if full not in alone]
    return [part for part in (*split(found, rest, n), *([full] for full in alone)) if part]


def select(found: programs.Programs, expected: Sequence[str],
           part: Part) -> tuple[list[str], list[str]]:
    """As programs.lines(), of that part"""
    wanted = split(found, expected, part[1])[part[0] - 1]
    if not wanted:
        raise NoTest(f"--shard {part[0]}/{part[1]}: no test is left for it; there are "
                     f"{len(expected)}")
    return programs.lines(found, set(wanted))
