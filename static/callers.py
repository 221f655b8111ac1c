# SPDX-License-Identifier: GPL-2.0
"""Checks who starts an invalidation: each start that succeeded is ended once on each path,
and what was not started, or failed to, is not ended."""
from __future__ import annotations

import dataclasses
import re

from . import clang, source
from .check import Finding, Result, unit
from .find import mentioning, without_comments
from .tree import Tree

CHECKERS = "unix.Malloc", "debug.ExprInspection"
# The start and the end are in the function itself: what it calls only costs time.
OPTIONS = "-analyzer-config", "ipa=none"
# It leaves a loop of a hundred rounds, and then knows less.
WIDEN = *OPTIONS, "-analyzer-config", "widen-loops=true"
START = re.compile(r"\bmmu_notifier_invalidate_range_start(?:_nonblock)?\s*\(")
# with a range that outlives the function, by its name in whatever has it
KEPT = re.compile(r"\bmmu_notifier_invalidate_range_(start|end)\s*\(&?\s*\w+->(\w+)\)")
DIRECTIVE = re.compile(r"^[ \t]*#(?:.*\\\n)*.*$", re.M)
# what wants a path of its own to the file that is compiled for it
NOT_CALLERS = ("mm/mmu_notifier.c", "include/", "tools/", "Documentation/")


@dataclasses.dataclass(frozen=True)
class Caller:
    file: str
    function: str
    starts: int


def functions(text: str) -> list[tuple[str, int, int]]:
    """The functions of a file: name, and where the body begins and ends"""
    out, depth, start = [], 0, 0
    text = DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    head = re.compile(r"\b(\w+)\s*\(")
    last = 0
    for m in re.finditer(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|[{}]|;', text):
        if m[0] == "{":
            if not depth:
                start = m.start()
            depth += 1
        elif m[0] == "}":
            depth -= 1
            if not depth:
                names = head.findall(text[last:start])
                names = [n for n in names if not n.startswith("__attr")]
                if names and "=" not in text[last:start]:
                    out.append((names[0], start, m.end()))
                last = m.end()
        elif m[0] == ";" and not depth:
            last = m.end()
    return out


def find_callers(tree: Tree, files: list[str]) -> list[Caller]:
    out = []
    for name in files or mentioning(tree, "mmu_notifier_invalidate_range_start"):
        if name.startswith(NOT_CALLERS):
            continue
        text = without_comments((tree.source / name).read_text(errors="replace"))
        calls = [m.start() for m in START.finditer(text)]
        for function, start, end in functions(text):
            if nr := sum(start < c < end for c in calls):
                out.append(Caller(name, function, nr))
    return out


def count(tree: Tree, files: list[str]) -> int:
    """The starts, counted by lines: what find_callers() has not seen is missing there."""
    names = [n for n in files or mentioning(tree, "mmu_notifier_invalidate_range_start")
             if not n.startswith(NOT_CALLERS)]
    return sum(len(START.findall(without_comments(
        (tree.source / n).read_text(errors="replace")))) for n in names)


def _finding(m: clang.Message, caller: Caller, tree: Tree) -> Finding | None:
    name = caller.function
    if "leak" in m.text and "owner" in m.text:
        at = next((s for s in reversed(m.path) if "allocated" in s.text), m)
        rule, what, text = "start", "lost", (f"returns without an end of the invalidation "
                                             f"that it started in line {at.line}")
    elif "static_never" in m.text:
        rule, what, text = "end", "not started", ("ends an invalidation that was not "
                                                  "started, or whose start failed")
    elif "released memory" in m.text or "after it is freed" in m.text:
        if "range_end" not in _line(tree, m):
            return None
        rule, what, text = "end", "twice", "ends an invalidation twice"
    else:
        return None
    return Finding(rule, what, name, tree.name(m.file), m.line, f"{name}() {text}", m.path)


def _line(tree: Tree, m: clang.Message) -> str:
    lines = (tree.source / m.file).read_text(errors="replace").splitlines()
    return " ".join(lines[max(0, m.line - 2):m.line + 1])


def check(tree: Tree, file: str, callers: list[Caller]) -> list[Result]:
    """All callers of a file"""
    try:
        text = unit(tree, (file,)).text
    except source.Failed as e:
        return [Result(c.function, file, [], str(e)) for c in callers]
    return [_check(tree, c, text) for c in callers]


def _started(run: clang.Analysis) -> int:
    return len({(m.file, m.line) for m in run.messages if m.text == "started"})


def _ended_elsewhere(tree: Tree, caller: Caller) -> bool:
    """It keeps what it starts in something that another function of the file ends."""
    text = without_comments((tree.source / caller.file).read_text(errors="replace"))
    names: dict[str, set[str]] = {"start": set(), "end": set()}
    for function, start, end in functions(text):
        for what, name in KEPT.findall(text, start, end):
            if (what == "start") == (function == caller.function):
                names[what].add(name)
    return bool(names["start"]) and names["start"] <= names["end"]


def _check(tree: Tree, caller: Caller, text: str) -> Result:
    result = Result(caller.function, caller.file, [], files=(caller.file,))
    try:
        run = clang.analyze(text, [], CHECKERS, caller.function, OPTIONS)
        if _started(run) < caller.starts:
            run = clang.analyze(text, [], CHECKERS, caller.function, WIDEN)
    except source.Failed as e:
        result.failed = str(e)
        return result
    result.findings = [f for m in run.messages if (f := _finding(m, caller, tree))]
    if (nr := _started(run)) < caller.starts:
        result.failed = f"{nr} of its {caller.starts} starts were reached"
    elif not result.findings and all(m.text != "ended" for m in run.messages) and \
            not _ended_elsewhere(tree, caller):
        result.failed = "no end was reached"
    return result
