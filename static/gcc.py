# SPDX-License-Identifier: GPL-2.0
"""python3 -m static.gcc KDIR [FILE]... - gcc's analyzer as a second opinion, over the units
and marks of clang's: what each says of a callback, rule by rule."""
from __future__ import annotations

import argparse
import os
import pathlib
import re
import sys

from . import rewrite, source, tree
from .check import HERE, Check, entry
from .find import Ops, find

# The analyzer does not begin at functions of this name, only walk into them.
PREFIX = "__analyzer_"
OPTIONS = """-fanalyzer -S -o /dev/null -Wno-analyzer-too-complex -fno-diagnostics-show-caret
    -fdiagnostics-path-format=none -ftrack-macro-expansion=2 -x c -""".split()
PATH = re.compile(r"^<stdin>:(\d+):\d+: note: path$", re.M)
MARK = re.compile(r"clang_analyzer_dump\((?:\"(\w+)[^\"]*\"(?: #f)?|ret)\)")
RULES = {"sleeps": "sleeps", "fails": "has-end", "false": "returns", None: "returns"}


def unit(t: tree.Tree, ops: Ops, op: str, files: tuple[str, ...]) -> tuple[str, list[str]]:
    """The text, and the lines of marks.h that it begins with"""
    marked = rewrite.mark(source.preprocess(t, [t.source / f for f in files], "gcc"))
    marks = (HERE / "marks.h").read_text()
    head = MARK.sub(f"{PREFIX}dump_path()", marks).replace(
        "clang_analyzer_dump()", f"{PREFIX}dump_path(void)")
    names = "".join(f"#define {f} {PREFIX}{f}\n" for f in sorted(marked.defined)
                    if not f.startswith("__builtin"))
    return f"{head}\n{names}{marked.text}{entry(ops, op)}", marks.splitlines()


def seen(text: str, marks: list[str], defines: list[str]) -> set[str]:
    """The marks that gcc reaches: legal, or a rule"""
    flags = [f for f in source.FLAGS if f != "-w"]
    out = source.run(["gcc", *flags, *defines, *OPTIONS], text)[1]
    words = {m[1] for nr in PATH.findall(out) for m in MARK.finditer(marks[int(nr) - 1])}
    return {RULES.get(w, w) for w in words}


def compare(t: tree.Tree, ops: Ops, op: str) -> dict[str, str]:
    """What breaks the rule in one callback, and who says so"""
    clang = Check(t, ops, op).run()
    if clang.failed:
        return {clang.failed: "clang"}
    try:
        text, marks = unit(t, ops, op, clang.files)
        runs = seen(text, marks, []), seen(text, marks, [
            "-DSTATIC_NONBLOCK", f"-DSTATIC_EVENT={t.event}"])
    except source.Failed as e:
        return {f"not analysed: {e}": "gcc"}
    theirs = set().union(*runs) - {"legal", "finished"}
    if not all(runs):
        theirs.add("sees no path to its end")
    ours = {f.rule for f in clang.findings}
    return {rule: "both" if rule in ours & theirs else "clang" if rule in ours else "gcc"
            for rule in sorted(ours | theirs)} or {"nothing": "both"}


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(prog="make static-gcc", description=__doc__)
    p.add_argument("kdir", type=pathlib.Path)
    p.add_argument("file", nargs="*")
    p.add_argument("--headers", type=pathlib.Path, metavar="DIR")
    args = p.parse_intermixed_args(argv)
    kdir = args.kdir.resolve()
    t = tree.Tree(kdir, args.headers.resolve()) if args.headers else tree.prepare(kdir)
    files = [f if (t.source / f).is_file() else os.path.abspath(f) for f in args.file]
    nr = same = 0
    for o in find(t, files).ops:
        for op in o.checked:
            if op == "invalidate_finish":
                continue
            said = compare(t, o, op)
            for rule, who in said.items():
                print(f"{o.file}: {o.callbacks[op]}(): {rule}: {who}", flush=True)
            nr += 1
            same += set(said.values()) == {"both"}
    print(f"gcc: {nr} callbacks, {same} as clang says")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
