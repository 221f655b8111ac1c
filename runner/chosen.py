# SPDX-License-Identifier: GPL-2.0
"""Which tests run when nobody names them, and what is told of those that don't.

The default has each claim, a test by the name of its fixture and its own, and each place
in the kernel that starts an invalidation, on at least one variant; all variants of what
has the rule itself. What it has not is in LEFT_OUT, with the reason.
"""
from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence

from runner import programs

QUICK = ("contract", "device", "errno", "some_fail")
DEFAULT = (
    *QUICK, "device_memory", "look", "mrelease", "put", "with_lockdep",
    "edges:*.of_munmap", "edges:*.of_dontneed", "edges:edges.pud",
    "hugetlb:giant.shared_dontneed",
    # Every change of an address space, so every call site: an hlist notifier that counts
    # starts and ends, beside a mirror that has to drop its entries.
    "mmap:each_callsite_has_a_change", "mmap:change.*_end_0", "mmap:ending.*_interval_false",
    "mmap:reap.second_interval_false",
    "detectors:detector.*_sees_blockable_errno",
    "window:held.dontneed_*", "window:parallel.dontneed", "window:numa_balancing_keeps_off",
    "overlap:held.not_met", "overlap:edges.all", "overlap:two",
    "register:registration.hlist", "register_locked:locked.hlist_eagain_beside_hlist",
)
LEFT_OUT = (
    ("oom", "OOM kills"), ("oom_exit", "OOM kills"),
    ("stress", "random operations"),
    ("overlap:held.*.unregistering_waits_for_the_walk", "a wait of 10 s"),
)
MORE = "more variants of what runs"
WHOLE = "what this kernel's harness can't run a part of"
OTHERS = "others"


def claim(full: str) -> tuple[str, str, str]:
    """Of a test the program, its fixture and its own name: all but the variant."""
    program, _, rest = full.partition(":")
    return program, rest.partition(".")[0], rest.rpartition(".")[2]


def is_default(full: str) -> bool:
    return programs.selected(full, DEFAULT) and \
        not programs.selected(full, [glob for glob, _ in LEFT_OUT])


def fits(found: programs.Programs) -> Iterator[str]:
    """The default of these programs. A harness that can't select runs all of a program;
    that takes too long when only a part of it was meant."""
    for name, program in found.items():
        all_of_it = [f"{name}:{test}" for test in program.tests]
        chosen = [full for full in all_of_it if is_default(full)]
        if program.selects or chosen == all_of_it:
            yield from chosen


def select(found: programs.Programs, choice: str,
           globs: Sequence[str]) -> tuple[list[str], list[str]]:
    """As programs.select(); choice is how the user chose: "default", or "quick", "all" and
    "test", of which globs say all."""
    if choice != "default":
        return programs.select(found, globs)
    return programs.lines(found, set(fits(found)))


def why_not(full: str, choice: str, selects: bool, claims: set[tuple[str, str, str]]) -> str:
    if choice != "default":
        return {"quick": "--quick"}.get(choice, "not asked for")
    for glob, why in LEFT_OUT:
        if programs.selected(full, [glob]):
            return why
    if claim(full) in claims:
        return MORE
    return OTHERS if selects else WHOLE


def left_out(found: programs.Programs, expected: Iterable[str],
             choice: str) -> dict[str, int]:
    """{why: how many tests}"""
    ran = set(expected)
    claims = {claim(full) for full in ran}
    return dict(collections.Counter(
        why_not(full, choice, program.selects, claims)
        for name, program in found.items()
        for full in (f"{name}:{test}" for test in program.tests) if full not in ran))
