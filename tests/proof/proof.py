#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""proof.py - what the last make mutants and the last make coverage found, as the tables
of tests/proof/README.  Reads results/ alone.  Exits 2 when neither was run."""
import collections
import json
import pathlib
import sys

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "results"
NONE = "none since the last make clean: make {}"


def rows(results, name):
    try:
        return json.loads((results / name / "table.json").read_text())
    except FileNotFoundError:
        return []


def mutants(found):
    """A line for each kernel"""
    if not found:
        return NONE.format("mutants")
    specs = collections.defaultdict(list)
    for row in found:
        specs[row["spec"]].append(row)
    lines = [f"{'':14} mutants   killed   not killed"]
    for spec, its in specs.items():
        killed = sum(bool(row["killers"]) for row in its)
        lines.append(f"{spec:14} {len(its):7} {killed:8} {len(its) - killed:12}")
    return "\n".join(lines)


def coverage(found):
    """The line of the whole file"""
    if not found:
        return NONE.format("coverage")
    last = found[-1]
    keys = [key for key in last if key not in ("function", "spec")]
    return "\n".join([f"{last['spec']}, {last['function']}",
                      *(f"    {key:20} {last[key]}" for key in keys)])


def main(results=RESULTS):
    """The exit code"""
    found = [rows(results, name) for name in ("mutants", "coverage")]
    print(mutants(found[0]), coverage(found[1]), sep="\n\n")
    return 0 if any(found) else 2


if __name__ == "__main__":
    sys.exit(main())
