# SPDX-License-Identifier: GPL-2.0
"""A guest that is up, saved in a file, from which any number of runs go on.

Most of a short run is the guest's boot. So it is booted once, up to where it has loaded its
modules and waits for a job (see guest/init), and QEMU migrates it into a file of the cache.
The file's name is a key of all that the guest is made of: the kernel, its initramfs, QEMU
and its command line, and this machine since it was booted, for its clock. What is no longer
whole is made again; a guest that can't be saved, or does not go on, is booted.
"""
from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shlex
import socket
import time
import typing

from runner import cache, host, qemu, results
from runner.errors import OurFault

Cmd = typing.List[str]
READY = "# hmm_notifier: ready"  # said by a guest that waits for its job
MOST = 6           # of about 150 MB each; the oldest one goes
ROOM = 2 << 30     # bytes that have to be free
SAVED = 60         # seconds in which one is saved
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


class CannotGoOn(Exception):
    """Why this guest can't be saved, or does not go on"""


class Monitor:
    """QEMU's, of a guest whose command line has arguments(), and which is given fd"""

    def __init__(self) -> None:
        self.ours, self.its = socket.socketpair()
        self.ours.settimeout(SAVED)
        self.fd = self.its.fileno()

    def arguments(self) -> Cmd:
        return ["-chardev", f"socket,id=monitor,fd={self.fd}",
                "-mon", "chardev=monitor,mode=control"]

    def save(self, to: pathlib.Path) -> None:
        try:
            with self.ours, self.its, self.ours.makefile("rw", encoding="utf-8") as self.file:
                self.migrate(to)
        except (OSError, ValueError) as e:
            raise CannotGoOn(f"QEMU's monitor: {e}") from e

    def ask(self, what: str, **arguments: typing.Any) -> typing.Any:
        self.file.write(json.dumps({"execute": what, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:  # events come in between
            said = json.loads(self.file.readline())
            if "error" in said:
                raise CannotGoOn(f"{what}: {said['error'].get('desc')}")
            if "return" in said:
                return said["return"]

    def migrate(self, to: pathlib.Path) -> None:
        self.file.readline()  # its greeting
        self.ask("qmp_capabilities")
        # by default it is slow, for the sake of a network
        self.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.ask("migrate", uri=f"exec:cat >{shlex.quote(os.fspath(to))}")
        until = time.monotonic() + SAVED
        while (state := self.ask("query-migrate")).get("status") != "completed":
            if state.get("status") in ("failed", "cancelled"):
                raise CannotGoOn(state.get("error-desc", "QEMU does not say why"))
            if time.monotonic() > until:
                raise CannotGoOn(f"that takes more than {SAVED} s")
            time.sleep(0.01)


class Snapshot:
    """Of the guest that cmd boots; parts are the files that it is made of."""

    def __init__(self, machine: host.Host, cmd: typing.Sequence[str],
                 parts: typing.Iterable[pathlib.Path]):
        self.machine = machine
        digest = hashlib.sha256(BOOT_ID.read_bytes())
        # measured each time, it is never quite the same
        digest.update(re.sub(r"tsc_early_khz=\d+ ", "", "\0".join(cmd)).encode())
        digest.update(machine.version_of(cmd[0]).encode())
        for part in parts:
            digest.update(cache.sum_of(part).encode())
        self.key = digest.hexdigest()[:16]
        self.path = machine.cache() / "snapshots" / self.key
        self.sums = self.path.with_name(f"{self.key}.sum")
        self.why_not = self.path.with_name(f"{self.key}.not")

    def locked(self) -> typing.ContextManager[None]:
        return cache.locked(self.machine, f"snapshot-{self.key}")

    def is_possible(self) -> bool:
        """Unless an earlier run could not use it, or the disk is nearly full"""
        self.path.parent.mkdir(exist_ok=True)
        return not self.why_not.exists() and \
            (self.path.exists() or results.free(self.path.parent) >= ROOM)

    def is_whole(self) -> bool:
        lost = cache.damaged(self.sums)
        if lost and self.path.exists():
            host.say(f"{self.path} is damaged: booting once more")
        if not lost:
            os.utime(self.path)
        return not lost

    def save(self, monitor: Monitor) -> None:
        new = self.path.with_name(f".{self.key}")
        try:
            monitor.save(new)
            new.replace(self.path)
            cache.write_sums(self.sums, [self.path])
        finally:
            new.unlink(missing_ok=True)
        self.remove_old()

    def remove_old(self) -> None:
        saved = [p for p in self.path.parent.iterdir() if not p.suffix and p.name[0] != "."]
        for old in sorted(saved, key=lambda p: p.stat().st_mtime)[:-MOST]:
            old.with_name(f"{old.name}.sum").unlink(missing_ok=True)
            old.unlink(missing_ok=True)

    def refuse(self, why: str) -> None:
        """Never again, with this guest."""
        host.say(f"the guest can't go on from a snapshot ({why}): booting it each time")
        self.sums.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.why_not.write_text(f"{why}\n")

    def arguments(self) -> Cmd:
        return ["-incoming", f"exec:cat {shlex.quote(os.fspath(self.path))}"]


def port(job: typing.Optional[pathlib.Path]) -> Cmd:
    """The port that the guest reads its job from: nothing as long as it is to be saved, and
    then this cpio archive."""
    source = "file,id=job,path=/dev/null"
    if job:
        # of a "pipe", QEMU reads one file and writes the other
        source = f"pipe,id=job,path={qemu.quote(job)}"
        try:
            job.with_name(f"{job.name}.in").unlink(missing_ok=True)
            job.with_name(f"{job.name}.in").symlink_to(job.resolve())
            job.with_name(f"{job.name}.out").write_bytes(b"")
        except OSError as e:
            raise OurFault(f"cannot write to {job.parent}: {e.strerror}") from e
    return ["-chardev", source, "-device", "virtserialport,chardev=job,name=job"]
