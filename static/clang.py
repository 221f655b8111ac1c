# SPDX-License-Identifier: GPL-2.0
"""Runs clang's static analyzer on one entry of a unit."""
import bisect
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import plistlib
import re
import tempfile

from .source import FLAGS, run
from .tree import cache

# Without these the analyzer gives up in a deep callback, or takes a function that it finds
# too large for one that may return anything.
# What is included is a header to it.
OPTIONS = """-analyzer-disable-retry-exhausted -analyzer-max-loop 3
    -analyzer-opt-analyze-headers
    -analyzer-inline-max-stack-depth 20
    -analyzer-config max-inlinable-size=2000
    -analyzer-config max-times-inline-large=1000
    -analyzer-config max-nodes=600000
    -analyzer-config suppress-null-return-paths=false
    -analyzer-config prune-paths=false""".split()
CHECKERS = "debug.ExprInspection", "debug.DumpCalls"
MARKER = re.compile(r'^# (\d+) "([^"]*)"', re.M)
# in what debug.DumpCalls prints: calls, and calls by pointer
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\(")
POINTER = re.compile(r"(?<![\w.>])(\w+(?:(?:->|\.)\w+)+)\(")


@dataclasses.dataclass(frozen=True)
class Step:
    file: str
    line: int
    text: str


@dataclasses.dataclass(frozen=True)
class Message:
    text: str  # of the mark, or a value
    file: str
    line: int
    path: tuple[Step, ...]
    function: str


@dataclasses.dataclass(frozen=True)
class Analysis:
    messages: tuple[Message, ...]
    called: frozenset[str]  # the functions that were entered or passed over
    pointers: frozenset[str]  # calls of what only the running kernel knows


class Lines:
    """Where a line of a preprocessed file comes from"""

    def __init__(self, text: str):
        self.at, self.of = [0], [("unit", 0)]
        line, last = 1, 0
        for m in MARKER.finditer(text):
            line += text.count("\n", last, m.start())
            last = m.start()
            self.at.append(line)
            self.of.append((m[2], int(m[1])))

    def __call__(self, line: int) -> tuple[str, int]:
        i = bisect.bisect_right(self.at, line) - 1
        file, first = self.of[i]
        return file, first + line - self.at[i] - 1


@functools.cache
def version() -> str:
    return run(["clang", "--version"])[0].splitlines()[0]


def _messages(plist: bytes, lines: Lines) -> tuple[Message, ...]:
    out = []
    for d in plistlib.loads(plist)["diagnostics"]:
        # an event has words, a control piece only says where the path goes
        steps = tuple(Step(*lines(p["location"]["line"]), p["message"])
                      if p["kind"] == "event" else
                      Step(*lines(p["edges"][-1]["end"][0]["line"]), "")
                      for p in d["path"] if p["kind"] in ("event", "control"))
        string = re.search(r'Element\{"(.*)",0 S64b', d["description"])
        out.append(Message(string[1] if string else d["description"],
                           *lines(d["location"]["line"]), steps[:-1],
                           d.get("issue_context", "")))
    return tuple(out)


def _analyze(text: str, defines: list[str], checkers: tuple[str, ...], entry: str,
             options: tuple[str, ...]) -> Analysis:
    with tempfile.TemporaryDirectory() as tmp:
        unit, plist = pathlib.Path(tmp) / "unit.c", pathlib.Path(tmp) / "out.plist"
        unit.write_text(text)
        cc1 = [w for o in (*OPTIONS, *options) for w in ("-Xclang", o)]
        cc1 += [w for c in checkers for w in ("-Xclang", f"-analyzer-checker={c}")]
        out, _ = run(["clang", "--analyze", "--analyzer-no-default-checks",
                      *FLAGS, *defines, *cc1, "-Xclang", f"-analyze-function={entry}",
                      "--analyzer-output", "plist", "-o", str(plist), str(unit)])
        found = _messages(plist.read_bytes(), Lines(text))
    names = {n for n in CALL.findall(out)
             if not n.startswith(("clang_analyzer", "static_", "__builtin_"))}
    return Analysis(found, frozenset(names), frozenset(POINTER.findall(out)))


def analyze(text: str, defines: list[str], checkers: tuple[str, ...] = CHECKERS,
            entry: str = "static_entry", options: tuple[str, ...] = ()) -> Analysis:
    """The same text is analyzed once."""
    key = hashlib.sha256("\0".join(
        [version(), entry, *OPTIONS, *options, *FLAGS, *defines, *checkers, text,
         pathlib.Path(__file__).read_text()]).encode()).hexdigest()
    store = cache() / "analyses" / key[:32]
    if store.exists():
        kept = json.loads(store.read_text())
        return Analysis(tuple(Message(text, file, line, tuple(Step(*s) for s in path), name)
                              for text, file, line, path, name in kept[0]),
                        frozenset(kept[1]), frozenset(kept[2]))
    got = _analyze(text, defines, checkers, entry, options)
    store.parent.mkdir(exist_ok=True)
    new = store.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps([[[m.text, m.file, m.line,
                                 [dataclasses.astuple(s) for s in m.path], m.function]
                                for m in got.messages], sorted(got.called),
                               sorted(got.pointers)]))
    new.replace(store)
    return got
