# SPDX-License-Identifier: GPL-2.0
"""How far the build of a kernel is: by its objects, and those of the last whole build of
that kind."""
from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from time import time as now

from runner import screen

GUESS = 1200  # 6.12 with runner/config/base.config has 1188


def times(build: pathlib.Path) -> Iterator[float]:
    """When each object there was made"""
    for where, _, names in os.walk(build):
        for name in names:
            if name.endswith(".o"):
                try:
                    yield os.stat(os.path.join(where, name)).st_mtime
                except FileNotFoundError:
                    continue  # make replaces it


def left(done: int, total: int, seconds: float) -> str:
    """In words; nothing before there is something to go by"""
    if done < 20 or done >= total:
        return ""
    return f", {seconds * (total - done) / done:.0f} s left"


class Objects:
    """build is where make works, kept the file with their number the last time."""

    def __init__(self, what: str, build: pathlib.Path, kept: pathlib.Path):
        self.what, self.build, self.kept = what, build, kept
        self.line, self.began = screen.Line(), now()
        self.whole = not any(True for _ in times(build))

    def total(self) -> int:
        try:
            return int(self.kept.read_text())
        except (OSError, ValueError):
            return GUESS

    def tick(self) -> None:
        if not self.line.tty:
            return
        done = sum(when >= self.began for when in times(self.build))
        seconds = now() - self.began
        # how much of a build must be made again, make alone knows
        of = f" of about {self.total()}" if self.whole else ""
        rest = left(done, self.total(), seconds) if self.whole else ""
        self.line.show(f"{self.what}: {done}{of} objects, {seconds:.0f} s{rest}")

    def close(self, good: bool) -> None:
        self.line.clear()
        if good:
            self.kept.write_text(f"{sum(1 for _ in times(self.build))}\n")
