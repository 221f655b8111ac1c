# SPDX-License-Identifier: GPL-2.0
"""Checks one callback: which results does it reach in which context, and does it sleep?"""
from __future__ import annotations

import dataclasses
import errno
import functools
import pathlib
import re

from . import clang, rewrite, source
from .find import Ops, definition
from .tree import ARCH, Tree

HERE = pathlib.Path(__file__).resolve().parent
MAX_FILES = 5
CONTEXT = {True: "blockable", False: "non-blockable"}


@dataclasses.dataclass(frozen=True)
class Finding:
    rule: str  # returns, sleeps, has-end, start, end
    what: str  # the value, or the function that sleeps
    function: str  # the callback or the caller
    file: str
    line: int
    text: str
    path: tuple[clang.Step, ...]


@dataclasses.dataclass
class Result:
    function: str
    file: str
    findings: list[Finding]
    failed: str = ""  # why it was not analysed
    assumed: tuple[str, ...] = ()  # what was called and not looked into
    files: tuple[str, ...] = ()


@functools.lru_cache(maxsize=4)
def unit(tree: Tree, files: tuple[str, ...]) -> rewrite.Marked:
    marked = rewrite.mark(source.preprocess(tree, [tree.source / f for f in files]))
    marked.text = f"{(HERE / 'marks.h').read_text()}\n{marked.text}"
    return marked


def entry(ops: Ops, op: str) -> str:
    args = ops.callbacks[op]
    if op == "invalidate_range_start":
        args += f", {int('invalidate_range_end' in ops.callbacks)}"
    if op == "invalidate_start":
        args += f", {ops.callbacks.get('invalidate_finish', '(void)')}"
    return f"\nSTATIC_{op.upper()}({args})\n"


def value(text: str) -> str:
    """A value as the analyzer prints it"""
    m = re.fullmatch(r"(-?\d+) [SU]\d+b", text)
    if not m:
        return "a value that depends on what it calls"
    name = errno.errorcode.get(-int(m[1]))
    return f"-{name}" if name else m[1]


def _finding(m: clang.Message, ops: Ops, function: str, blockable: bool,
             tree: Tree) -> Finding | None:
    where = f"in {CONTEXT[blockable]} context"
    # the deepest place that is in no header, nor in the entry
    here = clang.Step(m.file, m.line, m.text)
    at = next((s for s in (here, *reversed(m.path)) if s.file.endswith(".c")), here)
    if m.text.startswith("sleeps "):
        callee = m.text.removeprefix("sleeps ")
        rule, what, text = "sleeps", callee, f"may sleep {where}: it calls {callee}()"
    elif m.text in ("legal", "finished"):
        return None
    else:
        if m.text == "fails, has end":
            rule, what = "has-end", "-EAGAIN"
            text = (f"returns -EAGAIN {where}, but {ops.name} has an invalidate_range_end, "
                    f"which would be called though the start failed")
        else:
            rule, what = "returns", "false" if m.text == "false" else value(m.text)
            text = f"returns {what} {where}"
    return Finding(rule, what, function, tree.name(at.file), at.line,
                   f"{function}() {text}", m.path)


class Check:
    """What is known of one callback while files are added to it"""

    def __init__(self, tree: Tree, ops: Ops, op: str):
        self.tree, self.ops, self.op = tree, ops, op
        self.function = ops.callbacks[op]
        self.left: set[str] = set()  # files that don't go together with the others

    def _run(self, files: list[str], blockable: clang.Analysis | None = None
             ) -> tuple[rewrite.Marked, dict[bool, clang.Analysis]]:
        """What was legal whatever the unknown files do stays so with one file more."""
        marked = unit(self.tree, tuple(files))
        text = marked.text + entry(self.ops, self.op)
        if blockable and self._found({True: blockable}):
            blockable = None
        return marked, {
            True: blockable or clang.analyze(text, []),
            False: clang.analyze(text, ["-DSTATIC_NONBLOCK",
                                        f"-DSTATIC_EVENT={self.tree.event}"])}

    def _found(self, runs: dict[bool, clang.Analysis]) -> list[Finding]:
        all_of = (_finding(m, self.ops, self.function, context, self.tree)
                  for context, run in runs.items() for m in run.messages)
        return [f for f in all_of if f]

    def _more(self, marked: rewrite.Marked, runs: dict[bool, clang.Analysis],
              files: list[str]) -> tuple[list[str], list[str]]:
        """The files that define what was called, as many as there is room for, and the
        functions that are left"""
        called = set(runs[False].called)
        if any(m.text not in ("legal", "finished") for m in runs[True].messages):
            called |= runs[True].called
        called -= marked.defined | rewrite.sleeping()
        near = [self.ops.file]
        if self.ops.file.startswith("virt/"):
            near.append(self.ops.file.replace("virt/", f"arch/{ARCH}/", 1))
        found = (definition(self.tree, function, file)
                 for function in sorted(called) for file in near)
        new = dict.fromkeys(f for f in found if f and f not in files and f not in self.left)
        return list(new)[:MAX_FILES - len(files)], sorted(called)

    def run(self) -> Result:
        result = Result(self.function, self.ops.file, [])
        files = [self.ops.file]
        try:
            if home := self._elsewhere():
                files.append(home)
            marked, runs = self._run(files)
        except source.Failed as e:
            result.failed = str(e)
            return result
        more, assumed = self._more(marked, runs, files)
        while more:
            try:
                marked, runs = self._run([*files, *more], runs[True])
                files += more
            except source.Failed:
                if len(more) > 1:  # which of them is it?
                    more = more[:1]
                    continue
                self.left.add(more[0])
            more, assumed = self._more(marked, runs, files)
        result.findings = self._found(runs)
        result.assumed = (*assumed, *sorted(runs[False].pointers),
                          *(f"{f}, which doesn't compile with the others"
                            for f in sorted(self.left)))
        result.files = tuple(files)
        result.failed = self._not_reached(runs)
        return result

    def _elsewhere(self) -> str | None:
        """The file of a callback that the file of its ops doesn't define"""
        text = (self.tree.source / self.ops.file).read_text(errors="replace")
        if re.search(rf"\b{self.function}\s*\([^;{{]*\)\s*\{{", text):
            return None
        return definition(self.tree, self.function, self.ops.file)

    def _not_reached(self, runs: dict[bool, clang.Analysis]) -> str:
        reached = {c: {m.text for m in run.messages} for c, run in runs.items()}
        for context, seen in reached.items():
            if "legal" not in seen and not self._found({context: runs[context]}):
                return f"no path to its end was seen in {CONTEXT[context]} context"
        if self.op == "invalidate_start" and "finished" not in reached[True]:
            return f"{self.ops.callbacks.get('invalidate_finish')}() was never reached"
        return ""
