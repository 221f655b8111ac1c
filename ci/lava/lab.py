# SPDX-License-Identifier: GPL-2.0
"""make lava-lab [WORKERS=2] [KERNELS=...] [MUTANTS=...]: the matrix of kernels as jobs of a
LAVA server of our own, submitted at once and spread over its workers, a QEMU each.

The server, its PostgreSQL and the workers are Debian's packages, unpacked into the cache and
run in namespaces of their own by lab.sh: nothing of them is installed, and nothing is left.
Each job's test cases are compared with what the judge says of the same guest, and that with
what run_tests.sh's own boot of the same says. Exits 0 when all of it agrees, and each mutant
failed a test.
"""
from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import time
import typing

from ci.lava import job as jobs, told
from runner import TOP, apt, cache, files, host, job, judge, options
from runner.errors import FAIL, PASS, BadHost, OurFault
from runner.linux.request import Extras
from runner.run import Run

sys.path.insert(0, str(TOP / "tests/proof"))
import mutants  # type: ignore  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ("lava-server", "lava-dispatcher", "lavacli", "postgresql")
KERNELS = ("debian:6.1", "debian:6.12", "source:6.1", "source:6.12", "source:7.2")
MUTATED = "source:6.12"
MUTANTS = ("hlist-warn-deleted", "hlist-warn-twice", "hlist-ret-swallowed",
           "hlist-called-twice", "interval-warn-deleted", "range-end-warn-deleted",
           "end-hlist-missing", "start-hlist-first", "nonblock-swallowed", "flag-lost")
SHOWN = 5   # differences of a job; differ has all
# Seconds: a program's, its silence, all, and what a guest has to come up beside the others
BOUNDS, BOOT = (600, 300, 3000), 900


@dataclasses.dataclass
class Entry:
    """A job of the matrix."""
    name: str
    run: Run
    job: job.Job
    to: pathlib.Path    # its results; own/ are those of run_tests.sh's own boot
    shown: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    lava: list[told.Line] = dataclasses.field(default_factory=list)
    differ: list[str] = dataclasses.field(default_factory=list)

    @property
    def own(self) -> pathlib.Path:
        return self.to / "own"


# The packages

def wanted(machine: host.Host) -> list[str]:
    """The names of the files of those that this machine does not have"""
    code, said = machine.output("apt-get", "install", "-y", "--no-install-recommends",
                                "--print-uris", *PACKAGES)
    if code:
        raise BadHost(f"apt does not know {' '.join(PACKAGES)} here")
    return sorted(re.findall(r"^'\S+' (\S+\.deb) ", said, re.M))


def unpacked(machine: host.Host) -> pathlib.Path:
    """The directory that has them; its parts lie over the machine's in the lab."""
    key = hashlib.sha256("\n".join(wanted(machine)).encode()).hexdigest()[:16]
    final = machine.cache() / "lava-lab" / key
    with cache.locked(machine, "lava-lab"):
        if not final.is_dir():
            shutil.rmtree(final.parent, ignore_errors=True)
            with cache.new_directory(final) as new:
                unpack(machine, new)
    return final


def unpack(machine: host.Host, new: pathlib.Path) -> None:
    debs = new / "debs"
    (debs / "partial").mkdir(parents=True)
    host.say(f"downloading {' '.join(PACKAGES)} and what they need")
    get = ("apt-get", "install", "-y", "-d", "--no-install-recommends",
           "-o", "APT::Sandbox::User=root", "-o", f"Dir::Cache::archives={debs}", *PACKAGES)
    if machine.logged(new / "log", *get):
        apt.Apt(machine).update()
        if machine.logged(new / "log", *get):
            apt.tail(new / "log")
            raise BadHost("could not download the packages of the lab")
    for name in ("bin", "sbin", "lib", "lib64"):    # as the machine has them
        (new / "usr" / name).mkdir(parents=True)
        (new / name).symlink_to(f"usr/{name}")
    for name in ("etc", "var/lib", "var/log"):
        (new / name).mkdir(parents=True)
    for deb in sorted(debs.glob("*.deb")):
        apt.extract(machine, deb, new, "--keep-directory-symlink")
    shutil.rmtree(debs)


# The matrix

def of_kernel(spec: str, args: list[str], to: pathlib.Path, tmp: pathlib.Path) -> Entry:
    run = Run(options.parse([f"--kernel={spec}", *args]))
    run.testbed = run.make_testbed()
    run.testbed.accel = run.choose_accel()
    lines, expected = run.testbed.choose(run.opt.choice, run.opt.globs)
    return entry(spec, run, to, tmp, lines, expected)


def entry(name: str, run: Run, to: pathlib.Path, tmp: pathlib.Path, lines: list[str],
          expected: list[str], settings: typing.Sequence[str] = ()) -> Entry:
    slug = re.sub(r"\W+", "-", name)
    made = job.Job(tmp / slug / "job", lines, expected, (), *BOUNDS, settings=settings)
    (tmp / slug).mkdir()
    (to / slug / "own").mkdir(parents=True)
    return Entry(name, run, made.write(), to / slug)


def of_mutants(names: typing.Sequence[str], args: list[str], to: pathlib.Path,
               tmp: pathlib.Path) -> list[Entry]:
    """The same kernel for all, that is told which it is; see tests/proof/mutants.py."""
    run = Run(options.parse([f"--kernel={MUTATED}", *args]))
    globs = run.opt.globs if run.opt.choice == "test" else mutants.WHOLE
    plain = mutants.kernels.get(run.machine, MUTATED).directory
    known = mutants.read_mutants((plain / "base").read_text().strip())
    patch = mutants.merged_patch((plain / "src").resolve(), known, tmp)
    built = mutants.kernels.get(run.machine, MUTATED, Extras(
        patches=(patch,), config=None, name="mutantsplain")).directory
    directory = mutants.with_source_of(plain, built)
    run.testbed = mutants.guest.Kernel(run.machine, directory, tmp, to, None,
                                       upstream=False).testbed
    numbers = {m.name: m.number for m in known}
    return [entry(f"mutant {name}", run, to, tmp, *run.testbed.select(globs),
                  settings=[f"{mutants.MM_MUTANT} {numbers[name]}"]) for name in names]


# The lab

def write(each: Entry) -> None:
    each.run.testbed.describe(each.job, each.to)
    jobs.write(each.run.testbed, each.job, each.to, each.job.directory.parent,
               name=f"hmm-notifier {each.name}", boot=BOOT)


def work(machine: host.Host, matrix: list[Entry], workers: int, logs: pathlib.Path) -> None:
    logs.mkdir()
    host.say(f"{len(matrix)} jobs for a LAVA server with {workers} workers; it says what it "
             f"does in {logs}")
    code = machine.run(HERE / "lab.sh", unpacked(machine), str(workers), logs,
                       "/usr/bin/python3", "-B", "-m", "ci.lava.submit",
                       *(each.to for each in matrix))
    if code:
        raise OurFault(f"the lab ended with {code}; see {logs}")


def read(each: Entry, own: bool) -> None:
    """What the server has of a job, and what the judge says of its guest"""
    each.shown = json.loads((each.to / "job.json").read_text())
    each.lava = told.read_log(each.to / "lava.log")
    (each.to / "console.log").write_text("".join(f"{s}\n" for s in told.console(each.lava)))
    how, detail = told.how_it_ended(each.lava, each.to)
    files.write_json(each.to / "boot.json", {"ended": how, "detail": detail,
                                             "seconds": ran(each), "times": {}})
    judged = judge.Judge(each.to).judge()
    rows = json.loads((each.to / "lava.json").read_text())
    each.differ = told.stored(rows, each.lava) + \
        told.differences(judged, each.lava, told.beside(each.to))
    if own:
        each.differ += from_own(each, judged)
    (each.to / "differ").write_text("".join(f"{what}\n" for what in each.differ))


def from_own(each: Entry, judged: list[judge.Test]) -> list[str]:
    """What differs when it is booted as run_tests.sh does"""
    tmp = each.job.directory.parent
    each.run.testbed.boot(each.job, each.own, tmp, boot_timeout=BOOT)
    own = {t["name"]: t["result"] for t in judge.Judge(each.own).judge()}
    here = {t["name"]: t["result"] for t in judged}
    return [f"{name}: {here.get(name)} in LAVA's guest, {own.get(name)} in our own"
            for name in sorted(here.keys() | own.keys()) if here.get(name) != own.get(name)]


# The table

def seconds(shown: dict[str, typing.Any], a: str, b: str) -> float:
    begin, end = (datetime.datetime.strptime(shown[k], "%Y%m%dT%H:%M:%S") for k in (a, b))
    return (end - begin).total_seconds()


def ran(each: Entry) -> float:
    return seconds(each.shown, "start_time", "end_time")


def line(each: Entry) -> str:
    said = list(told.cases(each.lava).values())
    return (f"{each.name:32} {each.shown['device']:8} "
            f"{seconds(each.shown, 'submit_time', 'start_time'):6.0f} {ran(each):5.0f} "
            f"{said.count('pass'):5} {said.count('fail'):5} {said.count('skip'):5} "
            f"{len(each.differ):7}")


def report(matrix: list[Entry], workers: int) -> int:
    """Prints it; the exit code."""
    print(f"{'':32} {'device':8} waited   ran  pass  fail  skip  differ")
    for each in matrix:
        print(line(each))
    for each in matrix:
        for what in each.differ[:SHOWN]:
            print(f"DIFFERS {each.name}: {what}")
    deaf = [each.name for each in matrix if each.name.startswith("mutant ")
            and "fail" not in told.cases(each.lava).values()]
    first = min(each.shown["submit_time"] for each in matrix)
    last = max(each.shown["end_time"] for each in matrix)
    took = seconds({"a": first, "b": last}, "a", "b")
    total = sum(map(ran, matrix))
    print(f"{workers} workers: {len(matrix)} jobs in {took:.0f} s, that ran {total:.0f} s: "
          f"{total / took:.2f} at once; {sum(len(e.differ) for e in matrix)} differences")
    for name in deaf:
        print(f"NOT NOTICED {name}")
    return FAIL if deaf or any(each.differ for each in matrix) else PASS


def run_all(opt: argparse.Namespace, machine: host.Host, tmp: pathlib.Path) -> int:
    if os.geteuid():
        raise BadHost("the lab has namespaces of its own, and wants to be root for that")
    to = opt.results / time.strftime("lava-lab-%Y%m%d-%H%M%S")
    to.mkdir(parents=True)
    matrix = [of_kernel(spec, opt.args, to, tmp) for spec in opt.kernels.split()]
    if opt.mutants:
        matrix += of_mutants(opt.mutants.split(), opt.args, to, tmp)
    for each in matrix:
        write(each)
    work(machine, matrix, opt.workers, to / "logs")
    for each in matrix:
        read(each, not opt.no_own)
    return report(matrix, opt.workers)


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(prog="make lava-lab", description=__doc__)
    p.add_argument("--workers", type=options.number, default=2)
    p.add_argument("--kernels", default=" ".join(KERNELS))
    p.add_argument("--mutants", default=" ".join(MUTANTS))
    p.add_argument("--no-own", action="store_true",
                   help="leave out run_tests.sh's own boots of the same")
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results")
    p.add_argument("args", nargs="*", help="for run_tests.sh, of each kernel, behind --")
    opt = p.parse_args(argv)
    code: int = mutants.guest.main(lambda machine, tmp: run_all(opt, machine, tmp))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
