# SPDX-License-Identifier: GPL-2.0
"""What CI systems rely on: panic_on_warn, and each detector by itself.

Boots, one after the other, each into a directory of its own in the results:
  legal         with panic_on_warn: all tests, of which the illegal cases skip; it
                must survive, without one WARN
  panic-CLASS   with panic_on_warn: one illegal failure; it must panic right there
  alone-CLASS   without: the same, seen by each detector; the taint flag is never
                cleared, so that takes a boot for each
Makes of it one report, and detectors.txt: who saw what.
"""
from __future__ import annotations

import dataclasses
import pathlib
import re
import tempfile
import time
import typing
from collections.abc import Iterator

from runner import files, host, judge, klog, programs, progress, report
from runner.errors import FAIL, PASS, writing
from runner.job import Exports, Job
from runner.options import Options
from runner.testbed import Testbed

PROGRAM = "hmm_notifier_detectors"
DETECTORS = ("warn_count", "tracepoint", "taint", "console")
DUE = re.compile(r"hmm_notifier: WARN due at (\S+):(\d+)-(\d+)")
PANIC = re.compile(r"Kernel panic - not syncing: .*panic_on_warn set")
ON = "panic_on_warn=1"

Test = report.Test


def find_classes(found: programs.Programs) -> list[str]:
    """The variants of the detectors' tests are DETECTOR_sees_CLASS."""
    names = "\n".join(found[PROGRAM].tests)
    return sorted(re.findall(r"detector\.console_sees_(\w+)\.", names))


class Boots:
    """legal is the job of the first one."""

    def __init__(self, opt: Options, testbed: Testbed, legal: Job, results: pathlib.Path,
                 tmp: pathlib.Path):
        self.opt, self.testbed, self.legal = opt, testbed, legal
        self.results, self.tmp = results, tmp

    def boot(self, name: str, lines: list[str], expected: list[str], append: str = "",
             exports: Exports = ()) -> judge.Judge:
        """Returns its judge, which has the log and how it ended."""
        host.say(f"booting {name}")
        where = self.results / name
        with writing(where):
            where.mkdir()
        with tempfile.TemporaryDirectory(dir=self.tmp) as tmp:
            job = dataclasses.replace(
                self.legal, directory=pathlib.Path(tmp, "job"), lines=lines,
                expected=expected, exports=(*self.legal.exports, *exports)).write()
            self.testbed.boot(job, where, self.tmp, append=f"{self.opt.append} {append}",
                              boot_timeout=self.opt.boot_timeout,
                              cpus=self.opt.cpus, memory=self.opt.memory,
                              log_limit=self.opt.log_limit,
                              show=progress.Progress(job.directory, self.opt.verbose),
                              snapshot=self.opt.snapshot)
        return judge.Judge(where)

    def detectors(self, name: str, tests: list[str], append: str = "",
                  exports: Exports = ()) -> judge.Judge:
        """Some tests of the program that has the illegal cases"""
        return self.boot(name, [" ".join([PROGRAM, *(f"-r {t}" for t in tests)])],
                         [f"{PROGRAM}:{t}" for t in tests], append, exports)


def result(name: str, why: str) -> Test:
    return {"name": name, "result": "fail" if why else "pass", "reason": why,
            "seconds": None, "log": []}


def kernel_lines(path: pathlib.Path) -> Iterator[str]:
    """The lines that the kernel itself logged, without those written to /dev/kmsg."""
    for raw in files.read_lines(path):
        m = klog.RECORD.fullmatch(raw)
        if m and not int(m[1]) >> 3:
            yield klog.unescape(m[4])


def why_not_legal(run: judge.Judge, tests: list[Test]) -> str:
    lines = list(kernel_lines(run.dir / "kmsg.log"))
    warns = [line for line in lines if line.startswith("WARNING: ")]
    if run.how_it_ended():
        return f"did not survive panic_on_warn: {run.how_it_ended()}"
    if not any("ommand line:" in line and ON in line for line in lines):
        return f"the kernel was not told {ON}"
    if warns:
        return f"{len(warns)} WARNs, the first is {warns[0]}"
    if not any(t["result"] == "pass" for t in tests):
        return "no legal test passed"
    return ""


def why_no_panic(run: judge.Judge) -> str:
    """The WARN that was due must be the first one, and the kernel's last word."""
    console = files.read_text(run.dir / "console.log", files.MAX_LOG)
    if run.boot.get("ended") != "panic":
        return f"survived with panic_on_warn: {run.boot.get('ended')}"
    if not PANIC.search(console):
        return f"panicked of something else: {run.boot.get('detail')}"
    log = max(console.split("Linux version "), key=len)  # all of it, printed at the end
    due = DUE.search(log)
    if not due:
        return "panicked before the failure was due"
    if klog.HEADER.search(log[:due.start()]):
        return "a WARN came before the one that was due"
    warns = klog.HEADER.findall(log[due.end():])
    if not warns:
        return "no WARN is on the console"
    if len(warns) > 1:
        return f"{len(warns)} WARNs, where one was to be the end"
    if warns[0][0] != due[1] or not int(due[2]) <= int(warns[0][1]) <= int(due[3]):
        return f"panicked at {':'.join(warns[0])}, not at {due[0].split()[-1]}"
    return ""


def table(classes: list[str], tests: list[Test]) -> str:
    """One line for each class, one column for each detector."""
    results = {t["name"]: t["result"] for t in tests}
    rows = [["", *DETECTORS, "panic_on_warn"]]
    for c in classes:
        seen = [results.get(f"{PROGRAM}:detector.{d}_sees_{c}.as_one", "-")
                for d in DETECTORS]
        seen.append(results.get(f"panic_on_warn:{c}.panics_at_its_warn", "-"))
        rows.append([c, *({"pass": "seen", "fail": "NOT SEEN"}.get(s, s) for s in seen)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() + "\n"
                   for row in rows)


def run_all(boots: Boots, classes: list[str]) -> tuple[list[Test], klog.Log]:
    """(tests of all boots, the log of the legal one)"""
    legal = boots.boot("legal", boots.legal.lines, boots.legal.expected, ON)
    tests = legal.judge()
    tests.append(result("panic_on_warn:legal.survives", why_not_legal(legal, tests)))

    for c in classes:
        run = boots.detectors(f"panic-{c}", [f"detector.console_sees_{c}.as_one"], ON,
                              [("HMM_NOTIFIER_MAY_PANIC", "1")])
        tests.append(result(f"panic_on_warn:{c}.panics_at_its_warn", why_no_panic(run)))
    for c in classes:
        new = boots.detectors(f"alone-{c}", [f"detector.{d}_sees_{c}.as_one"
                                             for d in DETECTORS]).judge()
        # in the legal boot they could only skip
        tests = [t for t in tests if t["name"] not in {n["name"] for n in new}] + new
    return tests, legal.log


def run(boots: Boots, started: float) -> int:
    """The exit code of the run."""
    opt, to = boots.opt, boots.results
    classes = find_classes(boots.testbed.programs)
    tests, log = run_all(boots, classes)
    failed = any(t["result"] == "fail" or
                 opt.strict and t["result"] == "known_bug" for t in tests)
    seconds = round(time.time() - started, 2)
    ended: dict[str, typing.Any] = {"ended": "power-off", "seconds": seconds,
                                    "wall_s": seconds}
    text = table(classes, tests)
    files.write_text(to / "detectors.txt", text)
    print(text, end="")
    meta = files.read_json(to / "meta.json")
    report.Report(to, opt.strict, False).finish(meta, ended, tests, log,
                                                "fail" if failed else "pass")
    return FAIL if failed else PASS
