# SPDX-License-Identifier: GPL-2.0
"""The job: which tests run in the guest, and in which bounds. It differs from run to
run, so it goes to the guest beside the initramfs."""
import dataclasses
import pathlib
import shlex
import typing

from runner import VM, host, kernel
from runner.errors import NoTest, OurFault, writing
from runner.options import Options


def tests(machine: host.Host, built: kernel.Built, what: str,
          globs: typing.Sequence[str]) -> typing.List[str]:
    """list: the names that match; job: a line for each program that runs them."""
    code, out = machine.output(*host.PYTHON, VM / "tests.py", built.directory / "tests",
                               what, *globs)
    if code not in (0, NoTest.code):
        raise OurFault("the names of the tests can't be read")
    if not out:
        raise NoTest(f"no test matches {' '.join(globs)}")
    return out.splitlines()


@dataclasses.dataclass(frozen=True)
class Job:
    """directory is named job and holds tests, expected and env, which init reads."""
    directory: pathlib.Path
    programs: int
    expected: typing.List[str]
    total: int  # seconds for all of it


def make(opt: Options, machine: host.Host, built: kernel.Built, tmp: pathlib.Path) -> Job:
    lines = tests(machine, built, "job", opt.globs)
    expected = tests(machine, built, "list", opt.globs)
    directory = tmp / "job"
    with writing(directory):
        directory.mkdir()
        for name, text in (("tests", lines), ("expected", expected), ("env", env(opt))):
            (directory / name).write_text("".join(f"{line}\n" for line in text))
    return Job(directory, len(lines), expected, (opt.timeout + 10) * len(lines) + 60)


def env(opt: Options) -> typing.List[str]:
    exports = [("HMM_NOTIFIER_VM", "1"), ("HMM_NOTIFIER_STRESS_SECONDS", str(opt.stress)),
               ("HMM_NOTIFIER_SEED", opt.seed), *opt.guest_env]
    # The harness itself gives up a test after 30 s; longer silence is a hang.
    return [f"TIMEOUT={opt.timeout}", f"SILENCE={min(opt.timeout, 45)}",
            *(f"export {name}={shlex.quote(value)}" for name, value in exports)]
