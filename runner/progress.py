# SPDX-License-Identifier: GPL-2.0
"""What the user sees while the guest runs, or several: one line that changes on a terminal;
plain lines, of failures only, when piped."""
import pathlib
import re
import sys
import threading
import time
import typing

from runner import screen

RESULT = re.compile(r"# (ok|not ok) \d+ (\S+)")
FAILURES = 10  # that are named while tests run; the report has them all
RUNS = re.compile(r"# #\s+RUN\s+(\S+)")


class Progress:
    def __init__(self, job: typing.Union[str, pathlib.Path], verbose: bool,
                 quiet: bool = False):
        expected = pathlib.Path(job, "expected")
        self.total = len(expected.read_text().split()) if expected.exists() else 0
        self.quiet = quiet
        self.screen = screen.Line(quiet)
        self.tty = self.screen.tty
        self.verbose, self.done, self.now, self.began = verbose, 0, "", time.monotonic()
        self.failed = 0
        self.lock = threading.Lock()

    def line(self, line: str) -> None:
        with self.lock:
            if self.verbose:
                self.print(line)
            if m := RUNS.match(line):
                self.now = m[1]
            if m := RESULT.match(line):
                self.done += 1
                if not self.verbose and m[1] == "not ok":
                    self.fail(m[2])
            self.show()

    def fail(self, name: str) -> None:
        self.failed += 1
        if self.failed <= FAILURES:
            self.print(f"  FAIL {name}")
        elif self.failed == FAILURES + 1:
            self.print("  more tests fail; the report will have them all")

    def print(self, text: str) -> None:
        if self.quiet:
            return
        self.screen.clear()
        print(screen.plain(text), file=sys.stderr, flush=True)

    def tick(self) -> None:
        with self.lock:
            self.show()

    def show(self) -> None:
        if not self.tty:
            return
        what = self.now if self.now else "booting"
        failed = f", {self.failed} failed" if self.failed else ""
        seconds = time.monotonic() - self.began
        self.screen.show(f"[{self.done}/{self.total}{failed}] {seconds:3.0f} s  {what}")

    def close(self) -> None:
        with self.lock:
            self.screen.clear()
