# SPDX-License-Identifier: GPL-2.0
"""What mutants.py and coverage.py have in common: a kernel with its guest, and boots."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = TOP / "tests/proof"
sys.path[:0] = [str(TOP / "vm"), str(TOP)]
import describe  # noqa: E402
import files  # noqa: E402
import tests as selection  # noqa: E402
from runner import initrd  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                     "hmm-notifier-tests")
# 7.2's has a benchmark of up to two minutes, which the others do not have.
UPSTREAM = {"hmm-tests": "-T benchmark_thp_migration", "mrelease_test": ""}
# Upstream's tests have no bound of their own against a task in state D.
UPSTREAM_SECONDS, UPSTREAM_SILENCE = 40, 15
UPSTREAM_JOB = "".join(f"../bin/bounded {UPSTREAM_SECONDS} {UPSTREAM_SILENCE} /job/{p} {args}\n"
                       for p, args in UPSTREAM.items())


class Void(Exception):
    """There is nothing to be learned from this run."""


def run(*cmd, **kwargs):
    """The standard output of what must succeed."""
    done = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE, text=True,
                          check=False, **kwargs)
    if done.returncode:
        raise Void(f"{pathlib.Path(cmd[0]).name} failed")
    return done.stdout.strip()


class Kernel:
    """A kernel directory with what goes into its guest, and its boots."""

    def __init__(self, directory, tmp, results, accel, upstream=True):
        self.dir, self.out, self.results = pathlib.Path(directory), tmp / "out", results
        self.lock, self.count = threading.Lock(), 0
        run(TOP / "vm/build.sh", self.dir, self.out)
        run(TOP / "vm/initramfs.sh", self.dir, self.out)
        self.root = tmp / "root"
        self.root.mkdir()
        with open(self.out / "initramfs.cpio", "rb") as f:
            run("cpio", "-idm", "--quiet", cwd=self.root, stdin=f)
        if upstream:
            run(HERE / "upstream.sh", self.dir, tmp / "upstream")
        self.upstream = [tmp / "upstream" / p for p in UPSTREAM]
        self.programs = selection.programs(self.out / "tests")
        self.names = set(selection.job(self.programs, [])[1])
        # what the judge has to know, once for all boots
        self.meta = describe.meta(self.dir, {}, selected=True)
        self.told = describe.programs(self.out, sorted(self.names))
        self.accel = accel or run(
            TOP / "vm/accel.py", self.dir / "vmlinuz", self.out / "initramfs.cpio", CACHE)

    def job(self, globs):
        """(lines for /job/tests, the names of the tests)"""
        lines, expected = selection.job(self.programs, globs)
        return "".join(f"{line}\n" for line in lines), expected

    def initramfs(self, lines, to):
        """Without the programs that these lines don't run: most of it is those, and to
        unpack them takes an eighth of a boot's time."""
        unused = {f"./tests/{p}" for p in self.programs if p not in lines.split()}
        files = run("find", ".", cwd=self.root).splitlines()
        initrd.pack(sorted(set(files) - unused), self.root, to)

    def new_results(self, name):
        with self.lock:
            self.count += 1
            to = self.results / f"{self.count:03}-{name}"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        return to

    def boot(self, name, lines, expected, more=(), append="", bounds=(240, 45, 400),
             memory=1024):
        """Returns the results. The bounds are seconds: a program's, its silence, all."""
        to = self.new_results(name)
        (to / "expected").write_text("\n".join(expected))
        wanted = {name.partition(":")[0] for name in expected}
        files.write_json(to / "meta.json", self.meta)
        files.write_json(to / "programs.json",
                         {p: told for p, told in self.told.items() if p in wanted})
        with tempfile.TemporaryDirectory() as tmp:
            job = pathlib.Path(tmp, "job")
            job.mkdir()
            for f in more:
                shutil.copy(f, job)
            (job / "tests").write_text(lines)
            (job / "expected").write_text("\n".join(expected))
            (job / "env").write_text(f"TIMEOUT={bounds[0]}\nSILENCE={bounds[1]}\n"
                                     "export HMM_NOTIFIER_VM=1\n")
            initramfs = pathlib.Path(tmp, "initramfs.cpio")
            self.initramfs(lines, initramfs)
            done = subprocess.run(
                [TOP / "vm/boot.py", "--kernel", self.dir / "vmlinuz",
                 "--initramfs", initramfs, "--job", job,
                 "--results", to, "--accel", self.accel, "--timeout", str(bounds[2]),
                 "--silence", str(bounds[1] + 25), "--started", str(time.time()),
                 "--append", append, "--memory", str(memory)], stderr=subprocess.DEVNULL, check=False)
            # the whole one does as well, and stays
            command = to / "qemu-command"
            if command.exists():
                command.write_text(command.read_text().replace(
                    os.path.realpath(initramfs), str((self.out / "initramfs.cpio").resolve())))
        if done.returncode not in (0, 1):
            raise Void(f"boot.py failed for {name}")
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
