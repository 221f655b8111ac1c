#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""engines.py RESULTS ENGINE=FILE... - do the engines that run the tests agree?

RESULTS is a run of run_tests.sh. FILE is what another engine said of the same kernel: KTAP,
as kselftest prints it, a dmesg with KUnit's, LAVA's log (lava.log), or a summary.json, of
--kunit or of any other backend. Each test that both have is compared. One that skips there
because what it does to a machine, or huge pages, is not asked for is no difference; nor is a
known bug that an engine without such a word has as passed.

Exits 0 when they agree, 1 when not or when there is nothing to compare.
"""
from __future__ import annotations

import argparse
import collections
import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP)]
from ci.lava import told  # noqa: E402
from runner.page import is_test  # noqa: E402

NOT_ASKED = re.compile(r"not asked for|kernel\.(panic_on_warn|warn_limit|traceoff_on_warning)|"
                       # our own guest has these; who asks for no victim has none to look at
                       r"no free huge pages|no victim was killed so")
# In the selftests' names of one notifier alone, its kind stands first.
ALONE = r"(hlist_end|hlist|interval|two_pass)_(nonblock|block)_(\w+)"
SAME, CONSENT = "the same", "not asked for"
SHOWN = 5
Verdicts = dict[str, tuple[str, str]]   # {test: (result, reason)}


def read_ktap(text: str) -> Verdicts:
    """A test's line has no program; the program's own comes after them. KUnit's names stand
    in what they are part of."""
    found: Verdicts = {}
    tests: Verdicts = {}
    within: dict[str, str] = {}   # {indentation: what the lines there are part of}
    for line in text.splitlines():
        if m := re.match(r"\[[ .\d]+\] ( {4}| {8})(?:# Subtest: (\w+)|(not )?ok \d+ (\w+)"
                         r"(?: +# *(.*))?)$", line):
            if m[2]:
                within[m[1]] = m[2]
            elif len(m[1]) == 8 and len(within) == 2:
                suite, case = within[" " * 4], within[m[1]]
                found[f"kunit:{suite}.{m[4]}.{case}"] = result(bool(m[3]), m[5] or "")
            continue
        m = re.match(r"(?:# )*(not )?ok \d+ ([\w.]+)(?: +# *(.*))?$", line)
        if m and m[2].startswith("hmm_notifier_"):
            found.update({f"{m[2]}:{test}": said for test, said in tests.items()})
            tests = {}
        elif m and "." in m[2]:
            tests[m[2]] = result(bool(m[1]), m[3] or "")
    return found


def result(failed: bool, directive: str) -> tuple[str, str]:
    word, _, reason = directive.partition(" ")
    if failed:
        return "fail", reason
    if reason.startswith("known bug: "):
        return "known_bug", reason
    return ("skip" if word == "SKIP" else "pass"), reason


def read_summary(text: str) -> Verdicts:
    return {t["name"]: (t["result"], t["reason"]) for t in json.loads(text)["tests"]
            if is_test(t["name"])}


def read(path: pathlib.Path) -> Verdicts:
    if path.name == "lava.log":
        return {name: (said, "") for name, said in told.cases(told.read_log(path)).items()
                if is_test(name)}
    text = path.read_text(errors="replace")
    return read_summary(text) if path.suffix == ".json" else read_ktap(text)


def in_kunit(name: str) -> str:
    """KUnit's name of the same case: the context stands first, and a success is not said."""
    _, _, test = name.partition(":")
    fixture, variant, *_ = f"{test}..".split(".")
    if m := re.fullmatch(ALONE, variant):
        value = "" if m[3] in ("0", "true") else f"_{m[3]}"
        variant = f"{m[2]}_{m[1].removeprefix('hlist_')}{value}"
    elif fixture == "release":
        variant = f"release_{re.sub('^(?=true|false)', 'interval_', variant)}"
        variant = variant.removesuffix("_true")
    return f"kunit:mmu_notifier.{variant}.holds"


def compare(ours: Verdicts, theirs: Verdicts) -> dict[str, list[str]]:
    """{same, not asked for, or how it differs: tests}"""
    found: dict[str, list[str]] = collections.defaultdict(list)
    kunit = any(name.startswith("kunit:") for name in theirs)
    for name, (said, _) in ours.items():
        other, reason = theirs.get(in_kunit(name) if kunit else name, ("", ""))
        if not other:
            continue
        if told.SAYS[said] == told.SAYS.get(other, other):
            found[SAME].append(name)
        elif other == "skip" and NOT_ASKED.search(reason):
            found[CONSENT].append(name)
        else:
            found[f"{said}, there {other}{f' ({reason})' if reason else ''}"].append(name)
    return found


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(prog="engines.py", description=__doc__)
    p.add_argument("results", type=pathlib.Path)
    p.add_argument("engines", metavar="ENGINE=FILE", nargs="+")
    opt = p.parse_args(argv)
    ours, wrong = read(opt.results / "summary.json"), False
    print(f"{'engine':24} tests  in both  the same  not asked for  differ")
    for engine, _, path in (word.partition("=") for word in opt.engines):
        theirs = read(pathlib.Path(path))
        found = compare(ours, theirs)
        differ = {how: tests for how, tests in found.items() if how not in (SAME, CONSENT)}
        print(f"{engine:24} {len(theirs):5} {sum(map(len, found.values())):8} "
              f"{len(found[SAME]):9} {len(found[CONSENT]):14} "
              f"{sum(map(len, differ.values())):7}")
        for how, tests in differ.items():
            more = f" and {len(tests) - SHOWN} more" if tests[SHOWN:] else ""
            print(f"    {how}: {' '.join(tests[:SHOWN])}{more}")
        wrong |= bool(differ) or not found[SAME]
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
