# SPDX-License-Identifier: GPL-2.0
"""Boots a kernel in QEMU, runs a job in it, and never waits for ever.

Into the results directory go ktap.log, kmsg.log, console.log, qemu-command and
boot.json, which says how it ended; the judge makes of that what it means.
"""
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import time
import typing

from runner import host, initrd, progress, qemu, results, snapshot, stopped
from runner.errors import NOT_UP, Interrupted, OurFault, why
from runner.tail import Stream, Tail

LOGS = ("ktap", "kmsg", "console")
LOOK = 1.0  # seconds between two checks that are slow
END_OF_IT = {"stopped", "no-space"}  # the machine's fault, not the guest's

Cmd = typing.List[str]
How = typing.Tuple[str, str]  # how it ended, a line that says more
READY = "ready", ""           # it waits for a job


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
    machine: str = ""      # more options of QEMU's machine
    xen: typing.Optional[pathlib.Path] = None   # the hypervisor of which this is domain 0
    memory: int = 1024
    cpus: int = 2
    boot_timeout: float = 120  # until the guest has to say its first word
    timeout: float = 600       # for everything after that
    silence: float = 90        # in which the guest has to say something
    log_limit: int = 64        # of any one log
    snapshot: bool = True      # whether the guest may go on from one
    started: float = dataclasses.field(default_factory=time.time)
    show: typing.Optional[progress.Progress] = None    # one for several guests at once


class Guest:
    program = "QEMU"

    def __init__(self, boot: Boot, machine: host.Host):
        self.boot, self.machine = boot, machine
        self.show = boot.show or progress.Progress(boot.job, False, quiet=True)
        self.times: typing.Dict[str, float] = {}
        self.logs = {n: Tail(boot.results / f"{n}.log") for n in LOGS}
        self.ktap_done = self.ready = False
        self.clock = stopped.Clock()
        self.began: typing.Optional[float] = None
        self.looked = 0.0

    def qemu(self, initramfs: pathlib.Path, port: typing.Sequence[str] = ()) -> Cmd:
        boot = self.boot
        ports = [(n, boot.results / f"{n}.log") for n in ("ktap", "kmsg")]
        return qemu.command(boot.arch, boot.accel, boot.kernel, initramfs,
                            boot.results / "console.log", ports, boot.append, boot.memory,
                            boot.cpus, boot.machine, port, boot.xen)

    def command(self, tmp: pathlib.Path) -> Cmd:
        """The job is a part of its initramfs."""
        path = tmp / "initramfs.cpio"
        initrd.join([self.boot.initramfs, self.job], path)
        return self.qemu(path)

    @property
    def job(self) -> pathlib.Path:
        return self.boot.results / "job.cpio"

    def write_command(self) -> None:
        """A script that boots the same guest once more."""
        script = self.boot.results / "qemu-command"
        script.write_text("#!/bin/sh\n# The logs go where they went; see -chardev.\n" +
                          self.script(), errors="surrogateescape")
        script.chmod(0o755)

    def script(self) -> str:
        """The initrd is gone by then."""
        # it may stand at the end of a word in quotes
        text = re.sub("INITRD('?)", r'\1"$initrd"',
                      shlex.join(self.qemu(pathlib.Path("INITRD"))))
        return (
            "initrd=$(mktemp) && trap 'rm -f \"$initrd\"' EXIT\n"
            f"cat {shlex.quote(os.path.realpath(self.boot.initramfs))} "
            f"{shlex.quote(str(self.boot.results / 'job.cpio'))} >\"$initrd\"\n{text}\n")

    def run(self, cmd: Cmd, then: typing.Callable[[], None] = lambda: None,
            fds: typing.Sequence[int] = ()) -> How:
        """then is done when the guest is ready for a job, while it waits for one; fds are
        QEMU's."""
        try:
            with self.machine.started(cmd, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, pass_fds=fds) as vm:
                self.vm, self.err = vm, Stream(vm.stderr)
                self.began = self.clock.now()
                self.machine.mark("qemu")
                how = self.watch()
                if how == READY:
                    then()
                return how
        except Interrupted:
            return "interrupted", "interrupted"
        finally:
            self.show.close()
            self.machine.mark("guest")

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
        if line == snapshot.READY:
            self.ready = True
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
            if self.ready:
                return READY
            how = self.look() or self.died() or self.too_long(heard) or self.too_much(now)
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

    def died(self) -> typing.Optional[How]:
        """KVM that can't go on pauses the guest, and QEMU waits for ever."""
        if qemu.INTERNAL_ERROR not in self.err.kept:
            return None
        how = "killed" if "first" in self.times else "no-boot"
        return how, f"QEMU says: {self.err.line_of(qemu.INTERNAL_ERROR)}"

    def qemu_says(self) -> str:
        said = self.err.last_line()
        return f"; QEMU says: {said}" if said else ""

    def too_long(self, heard: float) -> typing.Optional[How]:
        boot = self.boot
        if "first" not in self.times:
            if self.past() > boot.boot_timeout:
                return "no-boot", (f"the guest did not get to its init within "
                                   f"{boot.boot_timeout:.0f} s{self.qemu_says()}")
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
            return ("panic" if "first" in self.times else "no-boot",
                    panic[-1][panic[-1].index("Kernel panic"):].rstrip())
        if code < 0:
            return "killed", f"QEMU was killed by {host.signal_name(-code)}"
        if code > 0 and self.is_failure(code):
            return "qemu-error", (f"{self.program} exited with {code}: "
                                  f"{self.err.last_line()}")
        if "first" not in self.times:
            return "no-boot", ("the guest ended before it got to its init" +
                               self.qemu_says())
        if not self.ktap_done:
            return "early-end", "the guest ended before the tests were done"
        return "power-off", ""

    def is_failure(self, _code: int) -> bool:
        """Of the program"""
        return True

    def record(self, how: str, detail: str) -> None:
        results.write_json(self.boot.results / "boot.json", {
            "ended": how, "detail": detail, "seconds": round(self.past(), 2),
            "wall_s": round(time.time() - self.boot.started, 2),
            "times": {k: round(v, 2) for k, v in self.times.items()}})


Ended = typing.Tuple[Guest, How]


def save(guest: Guest, cmd: Cmd, shot: snapshot.Snapshot) -> How:
    monitor = snapshot.Monitor()
    began = time.monotonic()
    how = guest.run(cmd + monitor.arguments(), lambda: shot.save(monitor), [monitor.fd])
    guest.times["saved"] = time.monotonic() - began
    return how


def go_on(first: Guest) -> typing.Optional[Ended]:
    """From a snapshot of this guest, which is made if there is none; None if that can't
    be done."""
    boot, machine = first.boot, first.machine
    cmd = first.qemu(boot.initramfs, snapshot.port(None))
    parts = [boot.kernel, boot.initramfs]
    shot = snapshot.Snapshot(machine, [w.replace(qemu.quote(boot.results), "") for w in cmd
                                       if w not in map(str, parts)], parts)
    if not shot.is_possible():
        return None
    try:
        with shot.locked():
            how = READY if shot.is_whole() else save(first, cmd, shot)
        if how != READY:
            return first, how  # so would any other boot of it
        guest = Guest(boot, machine)  # with new logs
        how = guest.run(guest.qemu(boot.initramfs, snapshot.port(guest.job)) +
                        shot.arguments())
        if "first" not in guest.times and how[0] in NOT_UP:
            raise snapshot.CannotGoOn(how[1])
    except snapshot.CannotGoOn as e:
        shot.refuse(str(e))
        return None
    guest.times["saved"] = first.times.get("saved", 0)
    return guest, how


def run(boot: Boot, machine: host.Host, tmp: pathlib.Path,
        kind: typing.Type[Guest] = Guest) -> str:
    """How it ended. Raises what is not the guest's fault."""
    try:
        guest = kind(boot, machine)
        initrd.pack_job(boot.job, guest.job)
        guest.write_command()
        with tempfile.TemporaryDirectory(prefix="boot-", dir=tmp) as directory:
            where = pathlib.Path(directory)
            ended = go_on(guest) if boot.snapshot else None
            if not ended:
                guest = kind(boot, machine)  # whose clock begins now
                ended = guest, guest.run(guest.command(where))
        guest, (how, detail) = ended
        guest.record(how, detail)
    except OSError as e:
        raise OurFault(f"cannot boot: {why(e)}") from e
    if how == "interrupted":
        raise Interrupted
    if how in END_OF_IT:
        raise OurFault(detail)
    return how
