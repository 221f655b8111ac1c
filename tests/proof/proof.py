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
    """A line for each kernel; that of the unmutated one is no mutant, and one killed for
    another reason than its own is not killed."""
    if not found:
        return NONE.format("mutants")
    specs = collections.defaultdict(collections.Counter)
    for row in found:
        if row["name"] != "(unmutated)":
            specs[row["spec"]][row["what"]] += 1
    lines = [f"{'':14} mutants   killed   can't be observed   not killed"]
    for spec, its in specs.items():
        killed, proven = its["killed"], its["can't be observed"]
        left = its.total() - killed - proven
        lines.append(f"{spec:14} {its.total():7} {killed:8} {proven:19} {left:12}")
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
