# SPDX-License-Identifier: GPL-2.0
"""Reads ktap.log: what the guest's init, bounded and kselftest_harness.h print, line by
line, in that order and no other.

Not with the kernel's own parser: that is made for well-meant streams, goes on for ever
over a plan that comes late, and drops what has to be compared here: directives with
their reasons, exit codes, totals, and what the harness said before a result.
"""
from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

N = r"(\d{1,9})"
PLAN = re.compile(rf"1\.\.{N}")
PROGRAM = re.compile(r"# hmm_notifier: program (\S+)")
EXIT = re.compile(rf"# hmm_notifier: exit (\S+) {N}")
HANG = re.compile(r"# hmm_notifier: hang: ([^\s:]+):(\S+): (.*)")
NOT_LOADED = re.compile(r"# hmm_notifier: could not load (\S+)")
DONE = re.compile(rf"# hmm_notifier: done {N}")
OUTER = re.compile(rf"(ok|not ok) {N} selftests: mm: (\S+)(?: # (.*))?")
RUN = re.compile(r"#\s+RUN\s+(\S+) \.\.\.")
SAID = re.compile(r"#\s+(OK|FAIL)\s+(\S+)")
INNER = re.compile(rf"(ok|not ok) {N}(?: ([^\s#]\S*))?(?: # (.*))?")
TOTALS = re.compile(rf"# Totals: pass:{N} fail:{N} xfail:{N} xpass:{N} skip:{N} error:{N}")
PASSED = re.compile(rf"# (PASSED|FAILED): {N} / {N} tests passed\.")
# Lines that a KTAP reader may take for a statement, in any spelling; and our own.
STATEMENT = re.compile(
    r"[\s#]*((not\s+)?ok\b|\d+\.\.\d|K?TAP\s+version|Bail\s+out!|"
    r"hmm_notifier: *(program|exit|hang|done|could not load)\b)", re.I)
DIRECTIVE = re.compile(r"(SKIP|XFAIL|XPASS) (.*)")
SHOWN = 20


@dataclasses.dataclass
class Result:
    name: str                   # with its program's
    ok: bool
    directive: str = ""
    reason: str = ""
    said: str = ""              # OK or FAIL, in the line before it
    log: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Program:
    """One run of a program, and what there is of it in the stream."""
    name: str
    plan: int | None = None
    results: list[Result] = dataclasses.field(default_factory=list)
    totals: list[int] | None = None
    passed: tuple[str, ...] | None = None
    exit: int | None = None
    hang: tuple[str, str] | None = None     # the test, why
    outer: tuple[str, int, str] | None = None   # ok or not ok, number, the rest


@dataclasses.dataclass
class Stream:
    """What the KTAP says; errors are sentences about the stream itself."""
    plan: int | None = None
    programs: list[Program] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)
    not_loaded: list[str] = dataclasses.field(default_factory=list)
    begun: bool = False
    running: str = ""   # said that it runs, and has no result
    done: int | None = None


class Reader:
    def __init__(self) -> None:
        self.stream = Stream()
        self.program: Program | None = None     # its lines come now
        self.test, self.said = "", ""
        self.log: list[str] = []
        self.version = False

    def error(self, what: str) -> None:
        if len(self.stream.errors) < SHOWN:
            self.stream.errors.append(what)

    def misplaced(self, line: str) -> None:
        where = f"{self.program.name}: " if self.program else ""
        self.error(f"{where}not in its place: {line[:80]}")

    def once(self, owner: object, field: str, value: object, line: str) -> None:
        if getattr(owner, field) is None:
            setattr(owner, field, value)
        else:
            self.misplaced(line)

    def line(self, line: str) -> None:
        p = self.program
        if self.stream.done is not None:
            self.misplaced(line)
        elif p and p.exit is None and line.startswith("# ") and \
                not line.startswith("# hmm_notifier: "):
            self.inner(p, line[2:])
        elif not self.version and line == "KTAP version 1":
            self.version = True
        elif m := PLAN.fullmatch(line):
            if self.stream.programs:
                self.misplaced(line)
            else:
                self.once(self.stream, "plan", int(m[1]), line)
        elif m := NOT_LOADED.fullmatch(line):
            self.stream.not_loaded.append(m[1])
        elif m := PROGRAM.fullmatch(line):
            self.begin(m[1], line)
        elif m := DONE.fullmatch(line):
            self.stream.done = int(m[1])
        elif not (p and self.end(p, line)) and STATEMENT.match(line):
            self.misplaced(line)

    def begin(self, name: str, line: str) -> None:
        if self.program:
            self.misplaced(line)
        self.program = Program(name)
        self.stream.programs.append(self.program)
        self.test = ""

    def end(self, p: Program, line: str) -> bool:
        """Whether that belongs to the end of the program."""
        if (m := HANG.fullmatch(line)) and m[1] == p.name:
            self.once(p, "hang", (m[2], m[3]), line)
        elif (m := EXIT.fullmatch(line)) and m[1] == p.name:
            self.once(p, "exit", int(m[2]), line)
        elif (m := OUTER.fullmatch(line)) and m[3] == p.name:
            p.outer = (m[1], int(m[2]), m[4] or "")
            self.program = None
        else:
            return False
        return True

    def inner(self, p: Program, line: str) -> None:
        if m := RUN.fullmatch(line):
            if self.test:
                self.error(f"{p.name}: {self.test} has no result")
            self.test, self.said, self.log = m[1], "", []
            self.stream.running, self.stream.begun = f"{p.name}:{m[1]}", True
        elif (m := SAID.fullmatch(line)) and m[2] == self.test:
            self.said = m[1]
        elif m := TOTALS.fullmatch(line):
            self.once(p, "totals", [int(n) for n in m.groups()], line)
        elif m := PASSED.fullmatch(line):
            self.once(p, "passed", m.groups(), line)
        elif line == "TAP version 13" and p.plan is None:
            pass
        elif (m := PLAN.fullmatch(line)) and not p.results and not self.test:
            self.once(p, "plan", int(m[1]), line)
        elif m := INNER.fullmatch(line):
            self.result(p, m, line)
        elif STATEMENT.match(line):
            self.misplaced(line)
        elif self.test:
            self.log.append(line)

    def result(self, p: Program, m: re.Match[str], line: str) -> None:
        name, rest = m[3] or self.test, m[4] or ""  # 6.1 gives a skipped test no name
        if int(m[2]) != len(p.results) + 1:
            self.error(f"{p.name}: result {len(p.results) + 1} has another number: "
                       f"{line[:80]}")
        if name != self.test:
            self.error(f"{p.name}: the result of a test that does not run: {line[:80]}")
        result = Result(f"{p.name}:{name}", m[1] == "ok", said=self.said, log=self.log)
        if d := DIRECTIVE.fullmatch(rest):
            result.directive, result.reason = d[1], d[2]
        elif rest:
            result.directive, result.reason = "?", rest.strip()
        p.results.append(result)
        self.test, self.said, self.log = "", "", []
        self.stream.running = ""


def check(stream: Stream) -> None:
    """What is missing in the stream, and where it contradicts itself."""
    if stream.plan is None:
        stream.errors.append("the plan of the whole run is missing")
    elif stream.plan != len(stream.programs):
        stream.errors.append(f"{stream.plan} programs are in the plan of the whole run, "
                             f"{len(stream.programs)} ran, the others are missing")
    if stream.done is None:
        stream.errors.append("the KTAP is cut off: its last line is missing")
    elif stream.done != len(stream.programs):
        stream.errors.append(f"{stream.done} programs are done, and "
                             f"{len(stream.programs)} ran")
    for number, p in enumerate(stream.programs, 1):
        if p.plan is None:
            stream.errors.append(f"{p.name}: the plan is missing")
        elif p.plan != len(p.results) and p.exit in (0, 1):
            stream.errors.append(f"{p.name}: {p.plan} tests are in its plan, "
                                 f"{len(p.results)} have a result, the others are missing")
        if p.outer and p.outer[1] != number:
            stream.errors.append(f"{p.name}: it is number {number}, its result says "
                                 f"{p.outer[1]}")


def read(lines: Iterable[str]) -> Stream:
    reader = Reader()
    for line in lines:
        reader.line(line)
    stream = reader.stream
    if not reader.version:
        stream.errors = ["there is no KTAP in the guest's output"]
    else:
        check(stream)
    return stream
