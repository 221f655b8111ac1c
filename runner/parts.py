# SPDX-License-Identifier: GPL-2.0
"""--jobs N: the tests of one run in N guests at once, split as for --shard; and in guests of
their own those that can't follow each other (shards.ALONE). The results of each guest are a
run's of their own, in part-1 and up, and what the judge says of them all is the run's;
meta.json says how many there must be."""
from __future__ import annotations

import concurrent.futures
import dataclasses
import pathlib
import typing
from collections.abc import Callable, Iterable, Sequence

from runner import host, ktap, klog
from runner.errors import writing
from runner.job import Job

Test = typing.Dict[str, typing.Any]


def name(i: int) -> str:
    return f"part-{i}"


def count(meta: typing.Mapping[str, typing.Any]) -> int:
    """Of the parts of a run; 0 if it is one by itself"""
    said = str(meta.get("jobs", ""))
    return int(said) if said.isdecimal() and len(said) < 3 else 0


def write(job: Job, i: int, tmp: pathlib.Path, lines: list[str], expected: list[str]) -> Job:
    """The job of that part. Its directory is named job, too."""
    where = tmp / name(i)
    with writing(where):
        where.mkdir()
    return dataclasses.replace(job, directory=where / "job", lines=lines,
                               expected=expected).write()


def run(machine: host.Host, boots: Sequence[Callable[[], str]], at_once: int) -> list[str]:
    """How each of them ended; when one is not the guest's fault, all end."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        done = [pool.submit(boot) for boot in boots]
        try:
            for future in concurrent.futures.as_completed(done):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            machine.end_all()
            raise
    return [future.result() for future in done]


@dataclasses.dataclass
class Whole:
    """What the judge has of one guest, of all of them"""
    meta: dict[str, typing.Any]
    boot: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    log: klog.Log = dataclasses.field(default_factory=klog.Log)
    stream: ktap.Stream = dataclasses.field(default_factory=ktap.Stream)
    tests: dict[str, Test] = dataclasses.field(default_factory=dict)

    def add_boot(self, boot: dict[str, typing.Any]) -> None:
        """The one that ended badly; the longest, of those that ended well"""
        def rank(b: dict[str, typing.Any]) -> tuple[bool, float]:
            return b.get("ended") != "power-off", b.get("seconds", 0)

        if not self.boot or rank(boot) > rank(self.boot):
            self.boot = boot

    def add_test(self, test: Test, part: str) -> None:
        """What is no test, as the kernel's log, may have failed in several parts."""
        known = self.tests.setdefault(test["name"], test)
        if known is test:
            return
        why = [t["reason"] for t in (known, test) if t["result"] == "fail"]
        known.update(result="fail", reason="; ".join(dict.fromkeys(
            why or [f"it has a result in {part}, too"])))

    def add(self, part: str, boot: dict[str, typing.Any], log: klog.Log,
            stream: ktap.Stream, tests: Iterable[Test]) -> None:
        self.add_boot(boot)
        self.log.sections += log.sections
        self.stream.begun |= stream.begun
        self.stream.not_loaded += [ko for ko in stream.not_loaded
                                   if ko not in self.stream.not_loaded]
        for test in tests:
            self.add_test(test, part)

    def judge(self, expected: Iterable[str], damage: Iterable[str]) -> list[Test]:
        """damage: of what is not in a part"""
        failed = [(full, "did not run: no part of the run has it") for full in expected
                  if full not in self.tests]
        for full, why in [*failed, *(("results", what) for what in damage)]:
            self.add_test({"name": full, "result": "fail", "seconds": None, "log": [],
                           "reason": why}, "")
        return list(self.tests.values())
