# SPDX-License-Identifier: GPL-2.0
"""The job: which tests run in the guest, and in which bounds. It differs from boot to
boot, so it goes to the guest beside the initramfs."""
from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
import typing

from runner import subject
from runner.errors import writing
from runner.options import Options

Exports = typing.Iterable[typing.Tuple[str, str]]
QUIET = 45  # The harness itself gives up a test after 30 s; longer silence is a hang.


@dataclasses.dataclass(frozen=True)
class Job:
    """directory is named job and holds what init reads. Of the seconds timeout and silence
    bound one program, total all of them."""
    directory: pathlib.Path
    lines: list[str]        # a program each, with its arguments
    expected: list[str]     # the full names of the tests
    exports: Exports        # what the programs find in their environment
    timeout: int
    silence: int
    total: int
    modules: typing.Sequence[str] = ()  # that go with it, with their parameters
    settings: typing.Sequence[str] = ()     # files of /sys, each with what goes into it

    def write(self, more: typing.Iterable[pathlib.Path] = ()) -> Job:
        """more: files that go with it"""
        texts = {"tests": self.lines, "expected": self.expected, "env": self.env(),
                 "modules": self.modules, "settings": self.settings}
        with writing(self.directory):
            self.directory.mkdir()
            for name, text in texts.items():
                (self.directory / name).write_text("".join(f"{line}\n" for line in text))
            for f in more:
                shutil.copy(f, self.directory)
        return self

    def env(self) -> list[str]:
        return [f"TIMEOUT={self.timeout}", f"SILENCE={self.silence}",
                *(f"export {name}={shlex.quote(value)}"
                  for name, value in (("HMM_NOTIFIER_VM", "1"), *self.exports))]


def of(opt: Options, lines: list[str], expected: list[str], tmp: pathlib.Path,
       stressed: bool) -> Job:
    """The job that the command line asks for. With stressed, random operations are among
    its tests: they take their time, and a failure takes as long again to shrink."""
    slower = subject.slower(opt.subject)
    timeout = opt.timeout * slower + (2 * opt.stress if stressed else 0)
    exports = (("HMM_NOTIFIER_STRESS_SECONDS", str(opt.stress)),
               ("HMM_NOTIFIER_SEED", opt.seed), *opt.guest_env)
    return Job(tmp / "job", lines, expected, exports, timeout, min(timeout, QUIET * slower),
               (timeout + 10) * len(lines) + 60)
