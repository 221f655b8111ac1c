# SPDX-License-Identifier: GPL-2.0
"""Finds the notifiers of a tree: by their ops, and in a second way by what their
callbacks look like, because whoever counts in one way only doesn't see what he misses."""
from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import subprocess
from collections.abc import Iterable

from .tree import Tree

# which of the ops are given a range, or are run for one
CALLBACKS = ("invalidate_range_start", "invalidate_range_end", "invalidate",
             "invalidate_start", "invalidate_finish")
OPS = re.compile(r"\bstruct\s+(mmu_(?:interval_)?notifier_ops)\s+(\w+)\s*(?:\[[^]]*\]\s*)?"
                 r"(?:__\w+\s*)*=\s*\{(.*?)\}\s*;", re.S)
FIELD = re.compile(r"\.\s*(\w+)\s*=\s*&?\s*(\w+)")
# a definition: its parameters, then a brace
SIGNATURE = re.compile(
    r"\b(\w+)\s*\(\s*struct\s+mmu_(interval_)?notifier\s*\*\s*\w*\s*,"
    r"\s*const\s+struct\s+mmu_notifier_range\s*\*[^)]*\)\s*\{", re.S)
FINISH = re.compile(r"\b(\w+)\s*\(\s*struct\s+mmu_interval_notifier_finish\s*\*"
                    r"\s*\w+\s*\)\s*\{")
# those that call callbacks, and what is only a tool
NOT_DRIVERS = ("mm/mmu_notifier.c", "tools/", "samples/", "Documentation/")


@dataclasses.dataclass(frozen=True)
class Ops:
    file: str  # as it is called in the tree
    line: int
    name: str
    callbacks: dict[str, str]

    @property
    def checked(self) -> dict[str, str]:
        return {op: fn for op, fn in self.callbacks.items() if op in CALLBACKS}


@dataclasses.dataclass(frozen=True)
class Found:
    ops: list[Ops]
    signatures: dict[str, str]  # callback -> file, of the second way
    files: list[str]

    def disagreements(self) -> list[str]:
        """What one of the two ways has found and the other has not"""
        named = {fn: o for o in self.ops for fn in o.checked.values()}
        out = [f"{file}: {fn}() looks like a notifier callback, and no ops have it"
               for fn, file in self.signatures.items() if fn not in named]
        out += [f"{o.file}:{o.line}: {fn}() of {o.name} is defined nowhere"
                for fn, o in named.items() if fn not in self.signatures]
        return sorted(out)


def without_comments(text: str) -> str:
    """The same text, line for line"""
    def blank(m: re.Match[str]) -> str:
        return m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|/\*.*?\*/|//[^\n]*',
                  blank, text, flags=re.S)


def mentioning(tree: Tree, what: str) -> list[str]:
    """The C files of a tree that have this text"""
    done = subprocess.run(["grep", "-rlE", "--include=*.[ch]", what, "."], cwd=tree.source,
                          stdout=subprocess.PIPE, text=True, check=False)
    names = sorted(n.removeprefix("./") for n in done.stdout.splitlines())
    return [n for n in names if not n.startswith(NOT_DRIVERS)]


def find(tree: Tree, files: Iterable[str] = ()) -> Found:
    """In these files, or in all of the tree"""
    names = list(files) or mentioning(
        tree, "mmu_notifier_range|mmu_(interval_)?notifier_ops|mmu_interval_notifier_finish")
    ops, signatures = [], {}
    for name in names:
        text = without_comments((tree.source / name).read_text(errors="replace"))
        for m in OPS.finditer(text):
            line = text.count("\n", 0, m.start()) + 1
            # the elements of an array, or the one
            ops += [Ops(name, line, m[2], dict(FIELD.findall(body)))
                    for body in re.findall(r"\{([^{}]*)\}", m[3]) or [m[3]]]
        for m in (*SIGNATURE.finditer(text), *FINISH.finditer(text)):
            signatures[m[1]] = name
    return Found(ops, signatures, names)


@functools.cache
def definition(tree: Tree, function: str, near: str) -> str | None:
    """The file that defines a function: of the same directory or the next ones above it"""
    pattern = rf"^([a-z_][^;=()]*[ *])?{function}\(([^;]*|[^;]*\).*\{{)$"
    where = pathlib.PurePath(near).parent
    for directory in (where, *where.parents):
        if directory != where and (len(directory.parts) < 2 or where.is_absolute()):
            return None
        done = subprocess.run(["grep", "-rlE", "--include=*.c", pattern, str(directory)],
                              cwd=tree.source, stdout=subprocess.PIPE, text=True, check=False)
        if done.stdout:
            return done.stdout.splitlines()[0]
    return None
