# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh judge [--strict] RESULTS - what a run means; reads only that directory.

Writes junit.xml, kcidb.json and kernel-log/, prints the summary, and writes summary.json
last: until then that says "fail".  Exits 0 when all passed (known bugs aside), 1 when
something failed, 4 when nothing was tested, and 70 when there is no verdict because
something is wrong with the judge or its machine.

The verdict is "fail" until everything has said that it's well: each test that was
expected has a result, each program its end, what they say of it agrees, the log is
whole, the guest powered off, the kernel's WARNs are those that the tests account for,
and no splat is without a test that announced it.
"""
from __future__ import annotations

import argparse
import io
import pathlib
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator

from runner import files, given, headline, klog, ktap, parts, report

KNOWN_BUG = "known bug: "
NO_VERDICT = 70  # EX_SOFTWARE

Test = report.Test
T = typing.TypeVar("T")


def options(argv: list[str]) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="run_tests.sh judge")
    p.add_argument("--strict", action="store_true", help="known bugs are failures")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("results", type=pathlib.Path)
    return p.parse_args(argv)


def what_failed(result: ktap.Result) -> str:
    """The lines of a failed test that say why."""
    said = [re.sub(r"^#\s*", "", line) for line in result.log]
    why = [line for line in said if re.search(
        r"Expected |expected |terminated|timeout|hang:|Failed to|exited normally", line)]
    return "; ".join(why[:3]) or result.reason or "failed without a word"


class Judge:
    def __init__(self, directory: pathlib.Path):
        self.dir = directory
        self.damage: list[str] = []
        self.meta: dict[str, typing.Any] = self.read(given.read_meta, {})
        self.boot: dict[str, typing.Any] = self.read(given.read_boot, {})
        self.programs: dict[str, dict[str, typing.Any]] = self.read(given.read_programs, {})
        none: list[str] = []
        self.expected = dict.fromkeys(self.read(given.read_expected, none))
        self.stream = self.read(
            lambda d: ktap.read(files.read_lines(d / "ktap.log")), ktap.Stream())
        self.log = self.read(
            lambda d: klog.read(files.read_lines(d / "kmsg.log"),
                                self.meta.get("warn_sites", {})), klog.Log())
        self.tests: dict[str, Test] = {}

    def read(self, reader: Callable[[pathlib.Path], T], default: T) -> T:
        try:
            return reader(self.dir)
        except files.Damaged as e:
            self.damage.append(str(e))
            return default

    def add(self, name: str, result: str, reason: str, log: Iterable[str] = ()) -> None:
        self.tests[name] = {"name": name, "result": result, "reason": reason,
                            "seconds": None, "log": list(log)}

    def fail(self, name: str, reason: str) -> None:
        """Turns a result into a failure, or adds a failure."""
        test = self.tests.get(name)
        if test and test["result"] == "fail":
            if len(test["reason"]) < 2000:
                test["reason"] += f"; {reason}"
        elif test:
            test.update(result="fail", reason=reason)
        else:
            self.add(name, "fail", reason)

    def has_failed(self, program: str) -> bool:
        return any(t["result"] == "fail" and n.partition(":")[0] == program
                   for n, t in self.tests.items())

    def how_it_ended(self) -> str | None:
        """None, or one sentence on what cut the run off."""
        ended = self.boot.get("ended")
        if ended == "power-off":
            return None
        detail = str(self.boot.get("detail") or "nothing says how the guest ended")
        return f"{headline.NO_BOOT}{detail}" if ended == "no-boot" else detail

    def culprit(self) -> str:
        """The test that ran when the guest stopped, by the log or by the KTAP."""
        if self.log.sections and self.log.sections[-1].end is None:
            return self.log.sections[-1].name
        return self.stream.running

    def can_say(self, program: str, text: str) -> bool:
        """Of two strings that end in the same way, the linker keeps the longer one."""
        return len(text) >= 8 and any(
            s.endswith(text) and not s.removesuffix(text)[-1:].isalnum()
            for s in self.programs.get(program, {}).get("strings", []))

    def classify(self, program: str, result: ktap.Result) -> tuple[str, str]:
        """(pass|fail|skip|known_bug, reason) of one line of KTAP."""
        text, directive = result.reason, result.directive
        if not result.ok:
            return "fail", what_failed(result)
        if result.said != "OK":
            return "fail", f"ok, where the line before says {result.said or 'nothing'}"
        if not directive:
            return "pass", ""
        if directive not in ("SKIP", "XFAIL"):
            return "fail", f"ok, but {directive} {text}"
        if not self.can_say(program, text):
            return "fail", f"{directive} without a reason that {program} can give: {text}"
        if text.startswith(KNOWN_BUG):  # 6.1's harness has no XFAIL
            if text.removeprefix(KNOWN_BUG) in self.meta.get("known_bugs", []):
                return "known_bug", text
            return "fail", f"{text}, which no fix of this kernel's base is for"
        if directive == "XFAIL":
            return "fail", f"XFAIL without a known bug's name: {text}"
        return "skip", text

    def results(self) -> None:
        """All that ran, whether it was asked for or the harness can't select."""
        for p in self.stream.programs:
            all_tests = {f"{p.name}:{t}"
                         for t in self.programs.get(p.name, {}).get("tests", [])}
            for r in p.results:
                if r.name in self.tests:
                    self.fail(r.name, "it has two results")
                elif r.name in self.expected:
                    self.add(r.name, *self.classify(p.name, r), r.log)
                elif r.name not in all_tests:
                    self.fail(r.name, "it has a result, and is no test of this program")
                elif not r.ok:
                    self.add(r.name, "fail", f"not asked for: {what_failed(r)}", r.log)

    def ran(self, p: ktap.Program) -> Iterator[str]:
        """What a program says of itself that contradicts that none of its tests failed."""
        kinds = [r.directive or "PASS" for r in p.results]
        counts = [kinds.count(k) for k in ("PASS", "FAIL", "XFAIL", "XPASS", "SKIP")]
        info = self.programs.get(p.name, {"tests": [], "selects": True})
        should = info["tests"] if not info["selects"] else \
            [n for n in self.expected if n.partition(":")[0] == p.name]
        if p.plan is not None and p.plan != len(should):
            yield f"{p.plan} tests are in its plan, {len(should)} were to run"
        if p.exit is None:
            yield "nothing says how it ended"
        elif p.exit:
            how = f"signal {p.exit - 128}" if 128 < p.exit < 256 else f"exit code {p.exit}"
            yield f"ended with {how}, and no test of it failed"
        if not p.outer:
            yield "its result is missing"
        elif (p.outer[0], p.outer[2]) != ("ok", ""):
            yield f"its result is '{p.outer[0]} {p.outer[2]}', and no test of it failed"
        if p.totals != [*counts, 0]:
            yield f"its totals are {p.totals}, its results {[*counts, 0]}"
        if p.passed != ("PASSED", str(len(kinds)), str(len(kinds))):
            yield f"it says '{p.passed}' of its {len(kinds)} results"

    def reconcile(self) -> None:
        """Reports contradictions, unless the program failed anyway."""
        names = [p.name for p in self.stream.programs]
        wanted = list(dict.fromkeys(n.partition(":")[0] for n in self.expected))
        for p in self.stream.programs:
            if p.name not in wanted:
                self.fail(p.name, "it ran, and was not to run")
            elif names.count(p.name) > 1:
                self.fail(p.name, "it ran more than once")
            elif not p.hang and not self.has_failed(p.name):
                for contradiction in self.ran(p):
                    self.fail(p.name, contradiction)

    def ends(self) -> None:
        cut = self.how_it_ended()
        hangs = [(p.name, p.hang) for p in self.stream.programs if p.hang]
        for name, (test, bound) in hangs:
            before = "before its first test, " if test == "-" else ""
            self.fail(name if before else f"{name}:{test}", f"hangs: {before}{bound}")
        if cut:
            self.fail(self.culprit() or "guest", cut)
        else:
            self.reconcile()
        for name in self.expected:
            if name not in self.tests:
                self.fail(name, f"did not run: {self.why_not(name, cut)}")
        for error in self.stream.errors:
            if not cut and not hangs:
                self.fail("ktap", error)

    def why_not(self, name: str, cut: str | None) -> str:
        program = name.partition(":")[0]
        for p in self.stream.programs:
            if p.name == program and p.hang:
                where = "before its first test" if p.hang[0] == "-" else f"in {p.hang[0]}"
                return f"{program} hung {where}"
            if p.name == program and p.exit is not None and not cut:
                return f"{program} ended with {p.exit} before it"
        return cut or "nothing says why"

    def section(self, s: klog.Section, names: set[str]) -> None:
        test = self.tests.get(s.name)
        if test:
            test["seconds"] = s.seconds()
        if self.programs and s.name not in names:
            self.fail("kernel-log", f"the section of no test: {s.name}")
        elif s.end is None and test and test["result"] in ("pass", "known_bug"):
            self.fail(s.name, "its section of the kernel's log has no end")
        for splat in s.splats:
            self.fail(s.name, f"the kernel reported: {splat}")
        if s.more:
            self.fail(s.name, f"and {s.more} times more")
        for why in s.refused:
            self.fail(s.name, why)
        if test and test["result"] != "fail" and "; ".join(s.result) != test["reason"]:
            self.fail(s.name, f"it says '{test['reason']}' here, and "
                              f"'{'; '.join(s.result)}' in the kernel's log")
        unfinished = s.end is None and self.tests.get(s.name, {}).get("result") == "fail"
        if (why := s.wrong_account()) and not unfinished:
            self.fail(s.name, why)

    def kernel_log(self) -> None:
        names = {f"{p}:{t}" for p, info in self.programs.items() for t in info["tests"]}
        seen: set[str] = set()
        for s in self.log.sections:
            self.section(s, names)
            if s.name in seen:
                self.fail(s.name, "it has two sections of the kernel's log")
            seen.add(s.name)
        for name, test in self.tests.items():
            if test["result"] == "known_bug" and name not in seen:
                self.fail(name, "a known bug, and nothing of it in the kernel's log")
        for place, splat in self.log.strays:
            self.fail("kernel-log", f"with no test to answer for it, {place}: {splat}")
        for place, count in self.log.losses[:klog.SHOWN]:
            self.fail("kernel-log", f"{count} records lost {place}")
        cut = self.how_it_ended()
        for what in self.log.damage[:-1] if cut else self.log.damage:
            self.fail("kernel-log", what)
        if not cut and not self.log.complete:
            self.fail("kernel-log", "the log is cut off: its last line is missing")

    def judge(self) -> list[Test]:
        for what in self.damage:
            self.fail("results", what)
        self.results()
        self.ends()
        self.kernel_log()
        return list(self.tests.values())


def judged(directory: pathlib.Path) -> tuple[list[Test], Judge | parts.Whole]:
    judge = Judge(directory)
    jobs = parts.count(judge.meta)
    if not jobs:
        return judge.judge(), judge
    whole = parts.Whole(judge.meta)
    for name in map(parts.name, range(1, jobs + 1)):
        one = Judge(directory / name)
        whole.add(name, one.boot, one.log, one.stream, one.judge())
    return whole.judge(judge.expected, judge.damage), whole


def verdict(tests: list[Test], stream: ktap.Stream, strict: bool) -> tuple[str, int]:
    """(verdict, exit code)"""
    count = {r: sum(t["result"] == r for t in tests)
             for r in ("pass", "fail", "skip", "known_bug")}
    if count["fail"] or (strict and count["known_bug"]):
        # a run that never came to a test is a failure, but not one of a test
        return "fail", 1 if stream.begun else 4
    if stream.not_loaded:  # without the device, what passed is not what was to be tested
        return "nothing", 4
    if count["pass"] or count["known_bug"]:
        return "pass", 0
    return "nothing", 4


def run(opt: argparse.Namespace) -> int:
    out = report.Report(opt.results, opt.strict, opt.verbose)
    out.write({"verdict": "fail", "reason": "the judge did not come to an end"})
    tests, judge = judged(opt.results)
    what, code = verdict(tests, judge.stream, opt.strict)
    out.finish(judge.meta, judge.boot, tests, judge.log, what,
               [f"could not load {ko}" for ko in judge.stream.not_loaded])
    return code


def main(argv: list[str]) -> int:
    """Exits with a code of its own when there is no verdict."""
    opt = options(argv)
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        return run(opt)
    except OSError as e:
        what = f"{e.filename}: {e.strerror}" if e.filename else str(e.strerror or e)
        print(f"judge.py: no verdict: {what}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
        print("judge.py: no verdict: the judge itself is at fault", file=sys.stderr)
    return NO_VERDICT
