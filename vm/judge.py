#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""judge.py [--strict] RESULTS - what a run means; reads only that directory.

Writes summary.json, junit.xml and kernel-log/, prints the summary.  Exits 0 when
all passed (known bugs aside), 1 when something failed, 4 when nothing was tested.
The verdict is "fail" until everything has said that it's well: each test that was
expected has a result, each program its end, the log is whole, the guest powered
off, and no splat is unaccounted for.
"""
import argparse
import json
import pathlib
import re
import sys

import klog
import ktap
import report

KNOWN_BUG = "known bug: "


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--strict", action="store_true", help="known bugs are failures")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("results", type=pathlib.Path)
    return p.parse_args()


def read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def read_json(path):
    try:
        return json.loads(read(path))
    except ValueError:
        return {}


def what_failed(result):
    """The lines of a failed test that say why."""
    said = [re.sub(r"^#\s*", "", line) for line in result.log]
    why = [line for line in said if re.search(
        r"Expected |expected |terminated|timeout|hang:|Failed to|exited normally", line)]
    return "; ".join(why[:3]) or result.reason or "failed without a word"


def classify(result):
    """(pass|fail|skip|known_bug, reason) of one line of KTAP."""
    if not result.ok:
        return "fail", what_failed(result)
    if result.reason.startswith(KNOWN_BUG) and result.directive in ("XFAIL", "SKIP"):
        return "known_bug", result.reason  # 6.1's harness has no XFAIL
    if result.directive == "SKIP":
        return "skip", result.reason
    if result.directive:
        return "fail", f"{result.directive} without a known bug's name: {result.reason}"
    return "pass", ""


class Judge:
    def __init__(self, directory):
        self.dir = directory
        self.meta = read_json(directory / "meta.json")
        self.boot = read_json(directory / "boot.json")
        self.stream = ktap.read(read(directory / "ktap.log"), directory / "kunit")
        self.log = klog.read(read(directory / "kmsg.log"))
        self.expected = read(directory / "expected").split()
        self.tests = {}

    def add(self, name, result, reason, log=()):
        self.tests[name] = {"name": name, "result": result, "reason": reason,
                            "seconds": None, "log": list(log)}

    def fail(self, name, reason):
        """Makes a failure of what was something else, or adds one."""
        test = self.tests.get(name)
        if test and test["result"] == "fail":
            test["reason"] += f"; {reason}"
        elif test:
            test.update(result="fail", reason=reason)
        else:
            self.add(name, "fail", reason)

    def how_it_ended(self):
        """None, or one sentence on what cut the run off."""
        ended = self.boot.get("ended")
        if ended == "power-off":
            return None
        detail = self.boot.get("detail") or "nothing says how the guest ended"
        return {"panic": detail, "no-boot": f"the kernel did not boot: {detail}",
                }.get(ended, detail)

    def culprit(self):
        """The test that ran when the guest stopped, by the log or by the KTAP."""
        if self.log.sections and self.log.sections[-1].end is None:
            return self.log.sections[-1].name
        return self.stream.running

    def results(self):
        selected = self.meta.get("selected")
        for result in self.stream.results:
            if selected and result.name not in self.expected:
                continue  # a harness that can't select ran it as well
            if result.name in self.tests:
                self.fail(result.name, "it has two results")
            else:
                self.add(result.name, *classify(result), result.log)

    def ends(self):
        cut = self.how_it_ended()
        for program, (test, why) in self.stream.hangs.items():
            self.fail(f"{program}:{test}", f"hangs: {why}")
        if cut:
            self.fail(self.culprit() or "guest", cut)
        for error in self.stream.errors:
            if not cut and not self.stream.hangs:
                self.fail("ktap", error)
        if not cut and not self.stream.done:
            self.fail("ktap", "the KTAP is cut off: its last line is missing")
        for program, code in self.stream.exits.items():
            failed = any(n.startswith(f"{program}:") and t["result"] == "fail"
                         for n, t in self.tests.items())
            if code not in (0, 4) and not failed:
                how = f"signal {code - 128}" if code > 128 else f"exit code {code}"
                self.fail(program, f"ended with {how}, and no test of it failed")
        for name in self.expected:
            if name not in self.tests:
                self.fail(name, f"did not run: {self.why_not(name, cut)}")

    def why_not(self, name, cut):
        program = name.partition(":")[0]
        if program in self.stream.hangs:
            return f"{program} hung in {self.stream.hangs[program][0]}"
        if cut:
            return cut
        if program in self.stream.exits:
            return f"{program} ended with {self.stream.exits[program]} before it"
        return "nothing says why"

    def kernel_log(self):
        for section in self.log.sections:
            if section.name in self.tests:
                self.tests[section.name]["seconds"] = section.seconds()
            for splat in section.splats:
                self.fail(section.name, f"the kernel reported: {splat}")
        for place, splat in self.log.strays:
            self.fail("kernel-log", f"with no test to answer for it, {place}: {splat}")
        for place, count in self.log.losses:
            self.fail("kernel-log", f"{count} records lost {place}")
        if not self.how_it_ended() and not self.log.complete:
            self.fail("kernel-log", "the log is cut off: its last line is missing")

    def judge(self):
        self.results()
        self.ends()
        self.kernel_log()
        return list(self.tests.values())


def verdict(tests, stream, strict):
    """(verdict, exit code)"""
    count = {r: sum(t["result"] == r for t in tests)
             for r in ("pass", "fail", "skip", "known_bug")}
    if count["fail"] or (strict and count["known_bug"]):
        # a run that never came to a test is a failure, but not one of a test
        return "fail", 1 if stream.begun else 4
    if count["pass"] or count["known_bug"]:
        return "pass", 0
    return "nothing", 4


def main():
    opt = options()
    out = report.Report(opt.results, opt.strict, opt.verbose)
    out.write({"verdict": "fail", "reason": "the judge did not come to an end"})
    judge = Judge(opt.results)
    tests = judge.judge()
    what, code = verdict(tests, judge.stream, opt.strict)
    out.finish(judge.meta, judge.boot, tests, judge.log, what)
    return code


if __name__ == "__main__":
    sys.exit(main())
