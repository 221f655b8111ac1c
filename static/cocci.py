# SPDX-License-Identifier: GPL-2.0
"""python3 -m static.cocci KDIR [FILE]... - the semantic patch over each file that has a
callback or starts an invalidation.  A callback or a caller that coccinelle can't parse,
and would silently drop, is an error."""
from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

from .callers import find_callers, functions
from .find import find
from .tree import Tree

PATCH = pathlib.Path(__file__).resolve().parent.parent / \
    "kernel-patches/cocci/mmu_notifier.cocci"
# a piece of a file that was skipped, for one line in it
BAD = re.compile(r"(?:^(?:bad: |BAD:!!!!!).*\n)+", re.M)


def spatch(*args: str | pathlib.Path) -> str:
    return subprocess.run(["spatch", *args], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace", check=False).stdout


def dropped(file: pathlib.Path) -> set[str]:
    """The functions of a file that coccinelle doesn't see"""
    text = file.read_text(errors="replace")
    lines = [(nr, line.strip()) for nr, line in enumerate(text.splitlines(), 1)
             if line.strip()]
    said = [line for _, line in lines]
    numbers = set()
    for block in BAD.findall(spatch("--parse-c", file)):
        bad = [b for line in block.splitlines()
               if (b := line.removeprefix("bad:").removeprefix("BAD:!!!!!").strip())]
        numbers |= {nr for i in range(len(said)) if said[i:i + len(bad)] == bad
                    for nr, _ in lines[i:i + len(bad)]}
    # a piece may begin with the last line of the function before
    return {name for name, start, _ in functions(text)
            if text.count("\n", 0, start) + 1 in numbers}


def reports(file: pathlib.Path) -> list[str]:
    out = spatch("-D", "report", "--very-quiet", "--no-show-diff", "--no-includes",
                 "--include-headers", "--cocci-file", PATCH, file)
    return sorted(set(out.splitlines()))


def main(argv: list[str]) -> int:
    tree = Tree(pathlib.Path(argv[0]).resolve(), pathlib.Path(argv[0]).resolve())
    files = [f if (tree.source / f).is_file() else os.path.abspath(f) for f in argv[1:]]
    found, callers = find(tree, files), find_callers(tree, files)
    matters: dict[str, set[str]] = {}
    for function, file in found.signatures.items():
        matters.setdefault(file, set()).add(function)
    for c in callers:
        matters.setdefault(c.file, set()).add(c.function)
    bad = nr = 0
    for file, names in sorted(matters.items()):
        said = reports(tree.source / file)
        lost = dropped(tree.source / file) & names
        print(*said, *(f"{file}: NOT PARSED: {f}()" for f in sorted(lost)), sep="\n",
              end="\n" if said or lost else "")
        nr += len(said)
        bad += len(lost)
    print(f"coccinelle: {nr} reports in {len(matters)} files, {bad} functions not parsed")
    return int(bool(nr or bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
