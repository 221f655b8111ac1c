# SPDX-License-Identifier: GPL-2.0
"""What the campaigns have in common: a kernel with its guest, boots, and how they end."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = TOP / "tests/proof"
sys.path[:0] = [str(TOP)]
from runner import accel as kvm, build, host, kernel, testbed, workdir  # noqa: E402
from runner.errors import Interrupted, Stop  # noqa: E402
from runner.job import Job  # noqa: E402

# 7.2's has a benchmark of up to two minutes, which the others do not have.
UPSTREAM = {"hmm-tests": "-T benchmark_thp_migration", "mrelease_test": ""}
# Upstream's tests have no bound of their own against a task in state D.
UPSTREAM_SECONDS, UPSTREAM_SILENCE = 40, 15
UPSTREAM_JOB = [f"../bin/bounded {UPSTREAM_SECONDS} {UPSTREAM_SILENCE} /job/{p} {args}"
                for p, args in UPSTREAM.items()]


class Void(Stop):
    """This run says nothing about a mutant."""


def run(*cmd, **kwargs):
    """The standard output of a command that must succeed."""
    done = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE, text=True,
                          check=False, **kwargs)
    if done.returncode:
        raise Void(f"{pathlib.Path(cmd[0]).name} failed")
    return done.stdout.strip()


def main(work):
    """Returns what work(machine, tmp) does, or 2 if it came to nothing."""
    machine = host.Host()
    host.end_at_signals()
    try:
        with workdir.made(machine) as tmp:
            return work(machine, tmp)
    except Interrupted as e:
        return e.code
    except Stop as e:
        print(f"{pathlib.Path(sys.argv[0]).name}: void: {e}", file=sys.stderr)
        return 2


class Kernel:
    """A kernel directory with what goes into its guest, and its boots."""

    def __init__(self, machine, directory, tmp, results, accel, upstream=True):
        self.machine, self.results, self.tmp = machine, results, tmp
        self.lock, self.count = threading.Lock(), 0
        tested = kernel.Kernel(directory, directory / "vmlinuz")
        built = build.build(machine, tested)
        self.dir, self.out = directory, built.directory
        if upstream:
            run(HERE / "upstream.sh", self.dir, tmp / "upstream")
        self.upstream = [tmp / "upstream" / p for p in UPSTREAM]
        arch = os.uname().machine
        accel = accel or kvm.Kvm(machine, arch, tested.image, built.initramfs,
                                 machine.cache()).choose()
        self.testbed = testbed.Testbed(machine, tested, built, arch, accel, {})
        self.names = set(self.job([])[1])

    def job(self, globs):
        """(lines for /job/tests, the names of the tests)"""
        return self.testbed.select(globs)

    def new_results(self, name):
        with self.lock:
            self.count += 1
            to = self.results / f"{self.count:03}-{name}"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        return to

    def boot(self, name, lines, expected, more=(), append="", settings=(),
             bounds=(240, 45, 400)):
        """Returns the results. The bounds are seconds: a program's, its silence, all."""
        to = self.new_results(name)
        with tempfile.TemporaryDirectory(dir=self.tmp) as tmp:
            tmp = pathlib.Path(tmp)
            job = Job(tmp / "job", lines, expected, (), *bounds, settings=settings).write(more)
            self.testbed.boot(job, to, tmp, silence=bounds[1] + 25, append=append)
        return to


def upstream_says(ktap):
    """{program: pass, hang or the tests that failed}"""
    said, program, failed = {}, None, []
    programs = list(UPSTREAM)
    for line in ktap.splitlines():
        if line.startswith("# hmm_notifier: program ../bin/bounded"):
            program, failed = programs[len(said)], []
            said[program] = "no end"
        elif program and (m := re.match(r"# # not ok \d+ (\S+)", line)):
            failed.append(m[1])
        elif program and (m := re.match(r"# hmm_notifier: exit \S+ (\d+)", line)):
            said[program] = {"0": "pass", "4": "skip", "124": "hang"}.get(
                m[1], " ".join(failed) or f"exit {m[1]}")
            program = None
    return said
