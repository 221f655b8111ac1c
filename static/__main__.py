# SPDX-License-Identifier: GPL-2.0
"""python3 -m static KDIR [--file FILE]... - checks the MMU-notifier callbacks of a kernel
tree, and who starts invalidations, without running them."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import sys
import time
from collections import defaultdict

from . import callers, known, tree
from .check import Check, Finding, Result
from .clang import Step
from .find import Found, Ops, find
from .source import Failed

# clang's own words that say nothing of the kernel's code
NOISE = re.compile("&Element{|Entered call from|Returning from|Loop body"
                   "|'mmu_notifier_range_(blockable|init)'|field 'owner' is non-null")
WORDS = {"Memory is allocated": "the invalidation is started",
         "Memory is released": "the invalidation is ended"}


def options(argv: list[str]) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="make static", description=__doc__)
    p.add_argument("kdir", type=pathlib.Path, help="the source of a kernel")
    p.add_argument("--file", action="append", default=[], metavar="FILE",
                   help="check what is in this file only; it may lie outside of the tree")
    p.add_argument("--headers", type=pathlib.Path, metavar="DIR",
                   help="a build directory that has the generated headers already")
    p.add_argument("--verbose", "-v", action="store_true",
                   help="print also which functions were not looked into")
    p.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1)
    return p.parse_args(argv)


def code(step: Step) -> str:
    """Its line in the source"""
    try:
        lines = pathlib.Path(step.file).read_text(errors="replace").splitlines()
        return lines[step.line - 1].strip()
    except (OSError, IndexError):
        return ""


def words(step: Step) -> str:
    """What clang says, with the code where it names none, or a macro's variable"""
    if "the condition" in step.text or "__UNIQUE_ID" in step.text:
        said = re.sub(r"'__UNIQUE_ID_([a-z]+)_*\d+'", r"\1", step.text)
        return f"{said}: {code(step)}"
    return WORDS.get(step.text, step.text)


def report(f: Finding, t: tree.Tree) -> None:
    print(f"{f.file}:{f.line}: {f.text}")
    last = ""
    for step in f.path:
        if not step.text or NOISE.search(step.text) or not step.file.endswith(".c"):
            continue
        said = f"    {t.name(step.file)}:{step.line}: {words(step)}"
        if said != last:
            print(said)
        last = said
    if entry := known.known(f, t.version):
        print(f"  known, {entry.verdict}: {entry.why}")


def grouped(findings: list[Finding]) -> list[Finding]:
    """One report for a function that sleeps in many places: the first on its path"""
    out: dict[tuple[str, str, str], Finding] = {}
    for f in sorted(findings, key=lambda f: len(f.path)):
        key = (f.function, f.rule, "" if f.rule == "sleeps" else f.text)
        if key in out and f.what not in out[key].text:
            old = out[key]
            joint = f"{old.text}, also {f.what}()" if "also" not in old.text \
                else f"{old.text}, {f.what}()"
            out[key] = Finding(old.rule, old.what, old.function, old.file, old.line, joint,
                               old.path)
        out.setdefault(key, f)
    return list(out.values())


def work(t: tree.Tree, found: Found, files: list[str],
         jobs: int) -> tuple[list[Result], list[Result]]:
    by_file = defaultdict(list)
    for c in callers.find_callers(t, files):
        by_file[c.file].append(c)
    ops = defaultdict(list)
    for o in found.ops:
        ops[o.file].append(o)
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        checks = [pool.submit(callbacks, t, os_) for os_ in ops.values()]
        called = [pool.submit(callers.check, t, f, cs) for f, cs in by_file.items()]
        return [r for c in checks for r in c.result()], \
            [r for c in called for r in c.result()]


def callbacks(t: tree.Tree, ops: list[Ops]) -> list[Result]:
    """Those of a file; the second pass is checked with the first."""
    return [one(t, o, op) for o in ops for op in o.checked if op != "invalidate_finish"]


def one(t: tree.Tree, ops: Ops, op: str) -> Result:
    try:
        return Check(t, ops, op).run()
    except (Failed, OSError, ValueError) as e:
        return Result(ops.callbacks[op], ops.file, [], str(e))


def summary(t: tree.Tree, found: Found, results: list[Result], called: list[Result],
            files: list[str]) -> bool:
    """Prints what was looked at; true when that was all."""
    checked = [fn for o in found.ops for fn in o.checked.values()]
    failed = [r for r in results + called if r.failed]
    starts = sum(c.starts for c in callers.find_callers(t, files))
    seen = callers.count(t, files)
    for r in failed:
        print(f"{r.file}: NOT ANALYSED: {r.function}(): {r.failed}")
    odd = found.disagreements()
    if starts != seen:
        odd.append(f"{seen} starts in the text, {starts} of them in functions that were found")
    for line in odd:
        print(f"NOT COUNTED: {line}")
    nr = sum(not r.failed for r in results)
    print(f"Linux {t.version}: {len(found.ops)} notifiers, "
          f"{sum(bool(o.checked) for o in found.ops)} of them with callbacks for ranges; "
          f"{len(checked)} callbacks by ops, {len(found.signatures)} by signature; "
          f"{nr} of {len(results)} analysed"
          f"{', a second pass with its first' * (len(checked) > len(results))}, "
          f"{len(called) - sum(bool(r.failed) for r in called)} of {len(called)} callers "
          f"with {seen} starts")
    return not failed and not odd


def main(argv: list[str]) -> int:
    args = options(argv)
    began = time.monotonic()
    try:
        t = tree.Tree(args.kdir.resolve(), args.headers.resolve()) if args.headers \
            else tree.prepare(args.kdir)
    except tree.Unusable as e:
        print(f"make static: {e}", file=sys.stderr)
        return 2
    files = [f if (t.source / f).is_file() else os.path.abspath(f) for f in args.file]
    found = find(t, files)
    results, called = work(t, found, files, args.jobs)
    findings = grouped([f for r in results + called for f in r.findings])
    for f in sorted(findings, key=lambda f: (f.file, f.line, f.text)):
        report(f, t)
    if args.verbose:
        for r in results:
            print(f"{r.file}: {r.function}(): with {', '.join(r.files)}; not looked into: "
                  f"{', '.join(r.assumed) or 'nothing'}")
    whole = summary(t, found, results, called, files)
    verdicts = [k.verdict if (k := known.known(f, t.version)) else "new" for f in findings]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("new", *known.VERDICTS)
                       if v in verdicts)
    print(f"{len(findings)} reports{': ' if counts else ''}{counts}; "
          f"{time.monotonic() - began:.0f} s")
    if not found.ops and not called:
        print("make static: nothing to check there", file=sys.stderr)
        return 2
    return int(not whole or any(v != "false" for v in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
