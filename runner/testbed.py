# SPDX-License-Identifier: GPL-2.0
"""What a job runs on: a kernel, its guest, and an accelerator. Each boot of any job, of
normal runs as of panic_on_warn, mutants and coverage, is made here; before it begins,
all that the judge reads beside the logs is in its results:

  expected       what is to run, a test a line
  programs.json  of each program in there: "tests", all that it holds; "selects", whether
                 its harness can run some of them; "strings", what it can say
  meta.json      of the kernel and its machine: see describe.py
"""
from __future__ import annotations

import functools
import pathlib
import typing

from runner import boot, chosen, describe, files, host, programs, shards
from runner.errors import writing
from runner.job import Job
from runner.kernel import Built, Kernel

STRESS = "HMM_NOTIFIER_STRESS_SECONDS"  # what a program with random operations reads
OTHER_SHARDS = "other shards"
GRACE = 45  # seconds more than the guest itself allows a program to be silent


class Testbed:
    """told is for meta.json: text, by its key."""

    def __init__(self, machine: host.Host, kernel: Kernel, built: Built, arch: str,
                 accel: str, told: typing.Mapping[str, str]):
        self.machine, self.kernel, self.built = machine, kernel, built
        self.arch, self.accel, self.told = arch, accel, told
        self.programs = programs.read(machine, built.directory / "tests",
                                      told.get("choice") == "subject")
        self.kept: dict[str, list[str]] = {}
        self.elsewhere: set[str] = set()    # what was chosen and runs in other shards
        self.guest = boot.Guest     # what boots it

    def select(self, globs: typing.Sequence[str]) -> tuple[list[str], list[str]]:
        """(the lines that run what is selected, the full names of it)"""
        return programs.select(self.programs, globs)

    def choose(self, choice: str, globs: typing.Sequence[str]) -> tuple[list[str], list[str]]:
        """The same, as chosen.py has it"""
        return chosen.select(self.programs, choice, globs)

    def shard(self, expected: list[str], part: shards.Part) -> tuple[list[str], list[str]]:
        """The same, of that part of what was chosen"""
        lines, ours = shards.select(self.programs, expected, part)
        self.elsewhere = set(expected) - set(ours)
        return lines, ours

    def left_out(self, job: Job) -> dict[str, int]:
        """{why: how many tests}"""
        out = chosen.left_out(self.programs, [*job.expected, *self.elsewhere],
                              self.told.get("choice", "test"))
        return {**out, OTHER_SHARDS: len(self.elsewhere)} if self.elsewhere else out

    @property
    def count(self) -> int:
        """Of all tests"""
        return sum(len(p.tests) for p in self.programs.values())

    def are_stressed(self, tests: typing.Iterable[str]) -> bool:
        """Whether one of them makes random operations"""
        return any(STRESS in self.strings(name)
                   for name in {test.partition(":")[0] for test in tests})

    @functools.cached_property
    def common(self) -> set[str]:
        """Strings of the C library, which every static program has: no test's own."""
        found: set[str] = set()
        for path in (self.built.directory / "bin").iterdir():
            found |= programs.strings(self.machine, path)
        return found

    @functools.cached_property
    def meta(self) -> dict[str, typing.Any]:
        return {**describe.meta(self.machine, self.kernel, self.told.get("spec", "")),
                **self.told}

    def strings(self, name: str) -> list[str]:
        if name not in self.kept:
            said = programs.strings(self.machine, self.programs[name].path)
            self.kept[name] = sorted(said - self.common)
        return self.kept[name]

    def describe(self, job: Job, to: pathlib.Path, **more: str) -> None:
        """more is for meta.json, too."""
        wanted = dict.fromkeys(test.partition(":")[0] for test in job.expected)
        held = {name: self.programs[name] for name in wanted}
        with writing(to):
            files.write_text(to / "expected", "".join(f"{test}\n" for test in job.expected))
            files.write_json(to / "programs.json", {
                name: {"tests": p.tests, "selects": p.selects, "strings": self.strings(name)}
                for name, p in held.items()})
            files.write_json(to / "meta.json", {
                **self.meta, **more, "accel": self.accel,
                "selected": len(job.expected) < self.count,
                "left_out": self.left_out(job)})

    def boot(self, job: Job, to: pathlib.Path, tmp: pathlib.Path,
             **more: typing.Any) -> str:
        """How it ended. more is for boot.Boot."""
        self.describe(job, to)
        self.machine.mark("described")
        bounds: dict[str, typing.Any] = {"timeout": job.total, "silence": job.silence + GRACE}
        return boot.run(boot.Boot(
            kernel=self.kernel.image, initramfs=self.built.initramfs, job=job.directory,
            results=to, accel=self.accel, arch=self.arch, **{**bounds, **more}),
            self.machine, tmp, self.guest)
