# SPDX-License-Identifier: GPL-2.0
"""Reads ktap.log with the kernel's own parser, tools/testing/kunit/kunit_parser.py
of the kernel under test."""
import contextlib
import dataclasses
import importlib
import inspect
import io
import re
import sys

PROGRAM = re.compile(r"# hmm_notifier: program (\S+)")
EXIT = re.compile(r"# hmm_notifier: exit (\S+) (\d+)")
HANG = re.compile(r"# hmm_notifier: hang: ([^\s:]+):(\S+): (.*)")
DONE = re.compile(r"# hmm_notifier: done \d+$")
OUTER = re.compile(r"(ok|not ok) (\d+) selftests: mm: (\S+)(.*)")
RUN = re.compile(r"#\s+RUN\s+(\S+)")
NAMELESS = re.compile(r"(ok|not ok) (\d+) # (SKIP .*)")
DIRECTIVE = re.compile(r"(?:ok|not ok) \d+ (\S+) # +(SKIP|XFAIL|XPASS)?\s*(.*)")


@dataclasses.dataclass
class Result:
    name: str
    ok: bool
    directive: str = ""
    reason: str = ""
    log: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Stream:
    """What the KTAP says; errors are sentences about the stream itself."""
    results: list = dataclasses.field(default_factory=list)
    errors: list = dataclasses.field(default_factory=list)
    exits: dict = dataclasses.field(default_factory=dict)
    hangs: dict = dataclasses.field(default_factory=dict)
    begun: list = dataclasses.field(default_factory=list)
    running: str = ""   # said that it runs, and has no result
    done: bool = False


class Reader:
    """Turns kselftest's nesting, "# ", into that of the parser, two blanks, and
    picks up what the parser drops: directives with their reasons."""

    def __init__(self):
        self.stream, self.directives, self.program, self.last = Stream(), {}, "", ""

    def outer(self, line):
        s = self.stream
        if m := PROGRAM.match(line):
            self.program = m[1]
        elif m := EXIT.match(line):
            s.exits[m[1]] = int(m[2])
        elif m := HANG.match(line):
            s.hangs[m[1]] = (m[2], m[3])
        elif DONE.match(line):
            s.done = True
        elif m := OUTER.match(line):
            self.program = ""
            return [f"{m[1]} {m[2]} {m[3]}{m[4]}"]
        return [line]

    def inner(self, line):
        s = self.stream
        if m := RUN.match(line):
            self.last = m[1]
            s.running = f"{self.program}:{m[1]}"
            s.begun.append(s.running)
        elif re.match(r"(K?TAP) version", line):
            # named at its beginning, a suite is named also when it is cut off
            return [f"  {line}", f"  # Subtest: {self.program}"]
        elif line.startswith(("ok ", "not ok ")):
            # 6.1's harness gives a skipped test no name
            line = NAMELESS.sub(rf"\1 \2 {self.last} # \3", line)
            if m := DIRECTIVE.match(line):
                self.directives[f"{self.program}:{m[1]}"] = (m[2] or "", m[3])
            s.running = ""
        return [f"  {line}"]

    def lines(self, text):
        for line in text.splitlines():
            if self.program and line.startswith("# ") and \
                    not line.startswith("# hmm_notifier: "):
                yield from self.inner(line[2:])
            else:
                yield from self.outer(line)


def kunit_parse(kunit_dir, lines):
    """Returns the parser's tree, and what it printed about errors."""
    out = io.StringIO()
    sys.path.insert(0, str(kunit_dir))
    try:
        with contextlib.redirect_stdout(out):
            parser = importlib.import_module("kunit_parser")
            printer = importlib.import_module("kunit_printer")
            args = [lines]
            if "printer" in inspect.signature(parser.parse_run_tests).parameters:
                args.append(printer.Printer(out))
            tree = parser.parse_run_tests(*args)
    finally:
        sys.path.remove(str(kunit_dir))
    errors = re.findall(r"\[ERROR\] Test:? ?(.*)", out.getvalue())
    return tree, errors


def read(text, kunit_dir):
    reader = Reader()
    lines = list(reader.lines(text))
    stream = reader.stream
    if not any(line.startswith("KTAP version") for line in lines):
        stream.errors.append("there is no KTAP in the guest's output")
        return stream
    tree, stream.errors = kunit_parse(kunit_dir, lines)
    if tree.expected_count is None:
        stream.errors.append("the plan of the whole run is missing")
    for suite in tree.subtests:
        if not suite.subtests and not suite.expected_count:
            continue
        if suite.expected_count is None:
            stream.errors.append(f"{suite.name}: the plan is missing")
        for test in suite.subtests:
            if not test.name:
                continue  # the parser's stand-in for a test that is missing
            name = f"{suite.name}:{test.name.strip()}"
            directive, reason = reader.directives.get(name, ("", ""))
            ok = test.status.name in ("SUCCESS", "SKIPPED")
            log = [re.sub(r"^  ", "", line) for line in test.log]
            stream.results.append(Result(name, ok, directive, reason, log))
    return stream
