# SPDX-License-Identifier: GPL-2.0
"""Reads kmsg.log: cuts it at the tests' marks, counts the WARNs of mm/mmu_notifier.c by
their site, and finds splats, losses, and whatever else should not be there.

The marks that the tests write, each a line:
    hmm_notifier: begin NAME
    hmm_notifier: expect TEXT       a splat with TEXT in its line is the test's own
    hmm_notifier: accounted release=N interval=N hlist=N range_end=N
    hmm_notifier: result REASON     of a test that neither passed nor failed
    hmm_notifier: end NAME
"""
from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable

from runner import TOP, screen

SITES = ("release", "interval", "hlist", "range_end")
RECORD = re.compile(r"(\d{1,4}),(\d{1,18}),(\d{1,18}),[^;]{0,80};([ -~]*)")
DICTIONARY = re.compile(r" [ -~]*")
END = re.compile(r"end of log, (\d{1,18}) records")
MARK = re.compile(r"hmm_notifier: (begin|end|expect|accounted|result)(?: (.*))?")
ACCOUNTED = re.compile(" ".join(rf"{s}=(\d{{1,9}})" for s in SITES))

# With CONFIG_DEBUG_BUGVERBOSE_DETAILED, of 7.2, the condition stands before the file.
HEADER = re.compile(r"WARNING: (?:\[.*\] )?(?:CPU: \d+ PID: \d+ at )?"
                    r"([^\s\[\]]+):(\d{1,9}) ")
# What kmemleak found, and below it who allocated that: a function, its caller, and so on
LEAK = "kmemleak: unreferenced object "
MADE_BY = re.compile(r"kmemleak: +([\w.]+)\+0x\w+/0x\w+((?: \[\w+\])?)$")
CALLERS = 4  # shown of one leak
KERN_ERR = 3
SHOWN = 20  # of one section's splats; they are counted on

SPLATS = TOP / "lib/core/splats.h"
ROW = re.compile(r'^SPLAT\((REPORT|DETAIL|NO_REPORT), "([^"]+)"\)', re.M)


GRAMMAR = ROW.findall(SPLATS.read_text())
BEGINS = re.compile("|".join(f"({'.*?'.join(map(re.escape, pattern.split('*')))})"
                             for _, pattern in GRAMMAR))


def kind_of(line: str) -> str:
    """REPORT, DETAIL, NO_REPORT, or "" for what is not in lib/core/splats.h"""
    m = BEGINS.match(line)
    return str(GRAMMAR[m.lastindex - 1][0]) if m and m.lastindex else ""


def why_vague(text: str) -> str:
    """Why an announcement of that text would hide more than it says; "" if not."""
    if len(re.sub(r"WARNING: |CPU: \d+|PID: \d+| at |[\W\d]", "", text)) < 10:
        return "it is too short to name a splat"
    if any(text.strip() in pattern for _, pattern in GRAMMAR):
        return "it names a whole class of splats"
    return ""


@dataclasses.dataclass
class Section:
    """The part of the log that belongs to one test."""
    name: str
    begin: float
    end: float | None = None
    lines: list[str] = dataclasses.field(default_factory=list)
    splats: list[str] = dataclasses.field(default_factory=list)
    more: int = 0               # splats that are not shown
    warns: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    accounted: list[str] = dataclasses.field(default_factory=list)
    result: list[str] = dataclasses.field(default_factory=list)
    expect: list[str] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)

    def seconds(self) -> float | None:
        return None if self.end is None else round(self.end - self.begin, 3)

    def report(self, splat: str) -> None:
        if len(self.splats) < SHOWN:
            self.splats.append(splat)
        else:
            self.more += 1

    def wrong_account(self) -> str:
        """How the WARNs that it accounts for differ from those that came; "" if they agree."""
        came = " ".join(f"{s}={self.warns[s]}" for s in SITES)
        if len(self.accounted) > 1:
            return "it accounts for its WARNs twice"
        if not self.accounted:
            return f"it accounts for no WARN, and there came {came}" \
                if sum(self.warns.values()) else ""
        said = ACCOUNTED.fullmatch(self.accounted[0])
        if not said:
            return f"what it accounts for can't be read: {self.accounted[0]}"
        if [int(n) for n in said.groups()] != [self.warns[s] for s in SITES]:
            return f"it accounts for {self.accounted[0]}, and there came {came}"
        return ""


@dataclasses.dataclass
class Log:
    sections: list[Section] = dataclasses.field(default_factory=list)
    strays: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    losses: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    damage: list[str] = dataclasses.field(default_factory=list)
    complete: bool = False
    records: int = 0


def unescape(text: str) -> str:
    return text if "\\" not in text else re.sub(
        r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)


class Reader:
    def __init__(self, sites: dict[str, list[int]]):
        self.sites, self.log = sites, Log()
        self.section: Section | None = None
        self.last, self.seq = "", -1
        self.leaks = False          # the last stray is an object of kmemleak's

    def where(self) -> str:
        if self.section:
            return f"in {self.section.name}"
        return f"after {self.last}" if self.last else "before the first test"

    def damaged(self, what: str) -> None:
        if len(self.log.damage) < SHOWN:
            self.log.damage.append(f"{self.where()}: {what}")

    def site(self, line: str) -> str:
        """Which of the four WARNs of mm/mmu_notifier.c this is; "" for none."""
        m = HEADER.match(line)
        if not m or m[1] != "mm/mmu_notifier.c":
            return ""
        for site, lines in self.sites.items():
            if any(first <= int(m[2]) <= last
                   for first, last in zip(lines[::2], lines[1::2])):
                return site
        return ""

    def mark(self, kind: str, text: str, when: float) -> None:
        section = self.section
        if kind == "begin":
            self.section = Section(text, when)
            self.log.sections.append(self.section)
        elif not section:
            self.damaged(f"outside of any test: {kind} {text}")
        elif kind == "accounted":
            section.accounted.append(text)
        elif kind == "result":
            section.result.append(text)
        elif kind == "expect":
            vague = why_vague(text)
            if vague:
                section.refused.append(f"it may not expect '{text}': {vague}")
            else:
                section.expect.append(text)
        elif section.name == text:
            section.end = when
            self.last, self.section = text, None
        else:
            self.damaged(f"the end of another test, {text}")

    def stray(self, line: str) -> None:
        shown = len(self.log.strays) < SHOWN
        self.leaks = shown and line.startswith(LEAK)
        if shown:
            self.log.strays.append((self.where(), line))

    def kernel_line(self, line: str, level: int) -> None:
        section, kind = self.section, kind_of(line)
        if kind == "REPORT":
            if not section:
                self.stray(line)
            elif site := self.site(line):
                section.warns[site] += 1
            elif not any(e in line for e in section.expect):
                section.report(line)
        elif self.leaks and (made := MADE_BY.match(line)):
            where, leak = self.log.strays[-1]
            if leak.count(" from ") < CALLERS:
                self.log.strays[-1] = (where, f"{leak} from {made[1]}{made[2]}")
        elif section and not kind and level <= KERN_ERR and line.strip() and \
                not any(e in line for e in section.expect):
            section.report(f"{line} (KERN_ERR or worse)")

    def record(self, prio: int, number: int, when: float, text: str) -> None:
        self.log.records += 1
        if number != self.seq + 1:
            self.log.losses.append((self.where(), number - self.seq - 1))
        self.seq = number
        lines = [line.strip() for line in text.split("\n")]
        before = self.section
        mark = MARK.fullmatch(lines[0]) if prio >> 3 else None
        if mark:
            self.mark(mark[1], mark[2] or "", when)
        elif not prio >> 3:  # what a program wrote to /dev/kmsg is no splat
            for line in lines:
                self.kernel_line(line, prio)
        # a mark belongs to its test, the last one too
        if owner := self.section or before:
            owner.lines += [f"[{when:12.6f}] {screen.plain(line)}"
                            for line in text.split("\n")]

    def line(self, raw: str) -> None:
        if self.log.complete:
            self.damaged(f"after the last line: {raw[:80]}")
        elif m := RECORD.fullmatch(raw):
            self.record(int(m[1]), int(m[2]), int(m[3]) / 1e6, unescape(m[4]))
        elif m := END.fullmatch(raw):
            self.log.complete = int(m[1]) == self.log.records
            if not self.log.complete:
                self.damaged(f"{m[1]} records were written, {self.log.records} are there")
        elif not DICTIONARY.fullmatch(raw):
            self.damaged(f"no record: {raw[:80]}")


def read(lines: Iterable[str], sites: dict[str, list[int]]) -> Log:
    reader = Reader(sites)
    for line in lines:
        reader.line(line)
    return reader.log
