# SPDX-License-Identifier: GPL-2.0
"""Writes and prints what the judge found."""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys
import typing
from collections.abc import Sequence

from runner import files, junit, klog, page, screen

COUNTS = (("passed", "pass"), ("failed", "fail"), ("skipped", "skip"),
          ("known_bugs", "known_bug"))
Test = typing.Dict[str, typing.Any]
Facts = typing.Mapping[str, typing.Any]
LOG_LINES = 40  # of one test's kernel log on the screen; the file has it all


def say(text: str) -> None:
    print("\n".join(map(screen.plain, text.split("\n"))))


class Report:
    def __init__(self, directory: pathlib.Path, strict: bool, verbose: bool):
        self.dir, self.strict, self.verbose = directory, strict, verbose
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and \
            os.environ.get("TERM") != "dumb"

    def paint(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def write(self, summary: Facts) -> None:
        files.write_summary(self.dir, summary)

    def finish(self, meta: Facts, boot: Facts, tests: list[Test], log: klog.Log,
               verdict: str, notes: Sequence[str] = ()) -> None:
        counts = {name: sum(t["result"] == r for t in tests) for name, r in COUNTS}
        sections = {s.name: s for s in log.sections}
        self.kernel_logs(log.sections)
        summary = {
            "kernel": meta.get("kernel"), "arch": meta.get("arch"),
            "accel": meta.get("accel"), **counts, "wall_s": boot.get("wall_s"),
            "verdict": verdict, "strict": self.strict, "ended": boot.get("ended"),
            "times": boot.get("times", {}), "meta": meta,
            "tests": [{k: t[k] for k in ("name", "result", "reason", "seconds")}
                      for t in tests],
        }
        junit.write(self.dir / "junit.xml", meta, boot, tests, sections, self.strict)
        no_page = page.write(self.dir, summary, tests, sections, self.log_file)
        try:
            for note in [*notes, no_page] if no_page else notes:
                say(note)
            self.show(summary, tests, sections)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self.write(summary)

    def kernel_logs(self, sections: list[klog.Section]) -> None:
        where = self.dir / "kernel-log"
        if where.is_symlink():
            where.unlink()
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        for s in sections:
            with open(self.log_file(s.name), "a", encoding="utf-8") as f:
                f.write("\n".join(s.lines) + "\n")

    def log_file(self, name: str) -> pathlib.Path:
        """A name without what artifact uploads refuse, as a colon."""
        safe = re.sub(r"[^\w.+-]", "_", name, flags=re.A)[:200]
        return self.dir / "kernel-log" / f"{safe}.log"

    def show(self, summary: Facts, tests: list[Test],
             sections: dict[str, klog.Section]) -> None:
        def of(result: str) -> list[Test]:
            return [t for t in tests if t["result"] == result]

        self.show_reasons("skipped", of("skip"))
        self.show_reasons("known bugs of this kernel", of("known_bug"))
        idle = [t for t in of("fail") if t["reason"].startswith("did not run: ")]
        for t in of("fail"):
            if t not in idle:
                self.show_failure(t, sections.get(t["name"]))
        if idle:
            say(f"{len(idle)} tests did not run, the first is {idle[0]['name']}: "
                f"{idle[0]['reason'].removeprefix('did not run: ')}")
        counts = ", ".join(f"{summary[n]} {n.replace('_', ' ')}" for n, _ in COUNTS)
        colour = {"pass": 32, "fail": 31}.get(summary["verdict"], 33)
        print(self.paint(colour, summary["verdict"].upper()) + screen.plain(
            f": {counts}; kernel {summary['kernel']}, {summary['accel']}, "
            f"{summary['wall_s']} s"))
        say(f"results: {self.dir}")

    def show_reasons(self, title: str, tests: list[Test]) -> None:
        """Each reason once, with its tests."""
        if tests:
            say(f"{title}:")
        reasons: dict[str, list[str]] = {}
        for t in tests:
            reasons.setdefault(t["reason"], []).append(t["name"])
        for reason, names in reasons.items():
            say(f"  {reason.removeprefix('known bug: ')}: {len(names)} test"
                f"{'s'[:len(names) > 1]}")
            if self.verbose or self.strict or len(names) <= 3:
                say("\n".join(f"    {n}" for n in names))

    def show_failure(self, test: Test, section: klog.Section | None) -> None:
        print(self.paint(31, "FAIL"), screen.plain(test["name"]))
        say(f"    {test['reason']}")
        for line in test["log"]:
            if not re.match(r"#\s+(RUN|OK|FAIL)\s", line):
                say(f"    {re.sub(r'^# ?', '', line)}")
        if section and section.lines:
            say("    the kernel's log of this test:")
            say("\n".join(f"      {line}" for line in section.lines[:LOG_LINES]))
            if len(section.lines) > LOG_LINES:
                say(f"      ... {len(section.lines) - LOG_LINES} lines more in "
                    f"{self.log_file(test['name'])}")
        if re.fullmatch(r"[\w.-]+:[\w.-]+", test["name"], re.A):
            say(f"    alone: ./run_tests.sh --test '{test['name']}'")
