# SPDX-License-Identifier: GPL-2.0
"""Boots a kernel in QEMU, runs a job in it, and never waits for ever.

Into the results directory go ktap.log, kmsg.log, console.log, qemu-command and
boot.json, which says how it ended; the judge makes of that what it means.
"""
import dataclasses
import os
import pathlib
import shlex
import subprocess
import tempfile
import time
import typing

from runner import host, initrd, progress, qemu, results, stopped
from runner.errors import Interrupted, OurFault, why
from runner.tail import Stream, Tail

LOGS = ("ktap", "kmsg", "console")
LOOK = 1.0  # seconds between two checks that are slow
END_OF_IT = {"stopped", "no-space"}  # the machine's fault, not the guest's

How = typing.Tuple[str, str]  # how it ended, a line that says more


@dataclasses.dataclass(frozen=True)
class Boot:
    """What is to be booted, and in which bounds: seconds, and MiB."""
    kernel: pathlib.Path
    initramfs: pathlib.Path
    job: pathlib.Path      # a directory named job: goes to /job in the guest
    results: pathlib.Path
    accel: str
    arch: str
    append: str = ""
    memory: int = 1024
    boot_timeout: float = 120  # until the guest has to say its first word
    timeout: float = 600       # for everything after that
    silence: float = 90        # in which the guest has to say something
    log_limit: int = 64        # of any one log
    started: float = dataclasses.field(default_factory=time.time)
    verbose: bool = False
    quiet: bool = False


class Guest:
    def __init__(self, boot: Boot, machine: host.Host):
        self.boot, self.machine = boot, machine
        self.show = progress.Progress(boot.job, boot.verbose, boot.quiet)
        self.times: typing.Dict[str, float] = {}
        self.logs = {n: Tail(boot.results / f"{n}.log") for n in LOGS}
        self.ktap_done = False
        self.clock = stopped.Clock()
        self.began: typing.Optional[float] = None
        self.looked = 0.0

    def command(self, tmp: pathlib.Path) -> typing.List[str]:
        boot, path = self.boot, tmp / "initramfs.cpio"
        initrd.make(boot.initramfs, boot.job, boot.results / "job.cpio", path)
        ports = [(n, boot.results / f"{n}.log") for n in ("ktap", "kmsg")]
        cmd = qemu.command(boot.arch, boot.accel, boot.kernel, path,
                           boot.results / "console.log", ports, boot.append, boot.memory)
        self.write_command(cmd, str(path))
        return cmd

    def write_command(self, cmd: typing.List[str], path: str) -> None:
        """A script that boots the same guest once more, when its initrd is gone."""
        text = shlex.join(cmd).replace(shlex.quote(path), '"$initrd"')
        script = self.boot.results / "qemu-command"
        script.write_text(
            "#!/bin/sh\n# The logs go where they went; see -chardev.\n"
            "initrd=$(mktemp) && trap 'rm -f \"$initrd\"' EXIT\n"
            f"cat {shlex.quote(os.path.realpath(self.boot.initramfs))} "
            f"{shlex.quote(str(self.boot.results / 'job.cpio'))} >\"$initrd\"\n{text}\n",
            errors="surrogateescape")
        script.chmod(0o755)

    def run(self, tmp: pathlib.Path) -> How:
        cmd = self.command(tmp)
        try:
            with self.machine.started(cmd, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE) as vm:
                self.vm, self.err = vm, Stream(vm.stderr)
                self.began = self.clock.now()
                return self.watch()
        except Interrupted:
            return "interrupted", "interrupted"
        finally:
            self.show.close()

    def past(self) -> float:
        return 0 if self.began is None else self.clock.now() - self.began

    def note(self, line: str) -> None:
        """Notes the times that the bench shows, and shows the progress."""
        if "first" not in self.times:
            self.times["first"] = self.past()
        if line.startswith("# hmm_notifier: program "):
            self.times.setdefault("tests", self.past())
        if line.startswith("# hmm_notifier: exit "):
            self.times["tested"] = self.past()
        if line.startswith("# hmm_notifier: done"):
            self.ktap_done = True
            self.times["done"] = self.past()
        self.show.line(line)

    def watch(self) -> How:
        heard, sizes = self.clock.now(), [0] * len(LOGS)
        while True:
            ended = self.vm.poll() is not None
            self.clock.tick()
            self.err.read()
            for line in self.logs["ktap"].lines():
                self.note(line)
            now = [log.size() for log in self.logs.values()]
            if now != sizes:
                heard, sizes = self.clock.now(), now
            if ended:
                return self.how_it_exited()
            how = self.look() or self.too_long(heard) or self.too_much(now)
            if how:
                return how
            self.show.tick()
            time.sleep(0.05)

    def look(self) -> typing.Optional[How]:
        """Is the machine still as a run needs it?"""
        if time.monotonic() - self.looked < LOOK:
            return None
        self.looked = time.monotonic()
        if results.free(self.boot.results) < results.ROOM:
            return "no-space", f"{self.boot.results}: No space left on device"
        seconds = self.clock.stopped(self.vm.pid)
        if seconds > stopped.LIMIT:
            return "stopped", (f"QEMU was stopped for {seconds:.0f} s: its guest's clock went "
                               "on, so what timed out there means nothing")
        return None

    def too_long(self, heard: float) -> typing.Optional[How]:
        boot = self.boot
        if "first" not in self.times:
            if self.past() > boot.boot_timeout:
                return "no-boot", (f"the guest did not get to its init within "
                                   f"{boot.boot_timeout:.0f} s")
        elif self.past() - self.times["first"] > boot.timeout:
            return "timeout", f"the guest ran for more than {boot.timeout:.0f} s"
        elif self.clock.now() - heard > boot.silence:
            return "silent", f"the guest said nothing for {boot.silence:.0f} s"
        return None

    def too_much(self, sizes: typing.List[int]) -> typing.Optional[How]:
        limit = self.boot.log_limit
        for name, size in zip(LOGS, sizes):
            if size > limit << 20:
                return "flood", f"{name}.log grew past {limit} MiB: the guest floods its log"
        return None

    def how_it_exited(self) -> How:
        code = self.vm.returncode
        panic = [line for line in self.logs["console"].lines() if "Kernel panic" in line]
        if panic:
            return "panic", panic[-1][panic[-1].index("Kernel panic"):]
        if code < 0:
            return "killed", f"QEMU was killed by {host.signal_name(-code)}"
        if code > 0:
            return "qemu-error", f"QEMU exited with {code}: {self.err.last_line()}"
        if "first" not in self.times:
            return "no-boot", "the guest ended before it got to its init"
        if not self.ktap_done:
            return "early-end", "the guest ended before the tests were done"
        return "power-off", ""

    def record(self, how: str, detail: str) -> None:
        results.write_json(self.boot.results / "boot.json", {
            "ended": how, "detail": detail, "seconds": round(self.past(), 2),
            "wall_s": round(time.time() - self.boot.started, 2),
            "times": {k: round(v, 2) for k, v in self.times.items()}})


def run(boot: Boot, machine: host.Host, tmp: pathlib.Path) -> str:
    """How it ended. Raises what is not the guest's fault."""
    try:
        guest = Guest(boot, machine)
        with tempfile.TemporaryDirectory(prefix="boot-", dir=tmp) as where:
            how, detail = guest.run(pathlib.Path(where))
        guest.record(how, detail)
    except OSError as e:
        raise OurFault(f"cannot boot: {why(e)}") from e
    if how == "interrupted":
        raise Interrupted
    if how in END_OF_IT:
        raise OurFault(detail)
    return how
