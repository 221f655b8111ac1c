# SPDX-License-Identifier: GPL-2.0
"""kvm or tcg: what can boot this kernel.

A /dev/kvm that opens proves nothing: there are machines where a guest's first
BMI instruction ends in a "KVM internal error".  So the kernel itself is booted,
with an init that powers off.  What cannot change is kept per host kernel and QEMU: that
it boots, or that internal error.  That it takes too long may be the load of this machine,
and is kept for ten minutes: to see it takes longer than most tests.  What else may be over
the next time is tried again.
"""
import hashlib
import os
import pathlib
import subprocess
import tempfile
import time
import typing

from runner import host, qemu
from runner.errors import writing
from runner.tail import Stream

FIRST_WORD = 1.3  # seconds in which a guest that runs at all has said something
UP = 20           # seconds in which it then has to get to its init
KEPT = 600        # seconds for which one that is too slow is not tried again
TOO_SLOW = "a guest does not boot within"
DEVICE = "/dev/kvm"


class Why(typing.NamedTuple):
    """A reason not to use KVM."""
    text: str
    lasts: bool = False


class Kvm:
    """Whether KVM boots this kernel, and where the answer is kept."""

    def __init__(self, machine: host.Host, arch: str, kernel: pathlib.Path,
                 initramfs: pathlib.Path, cache: pathlib.Path, device: str = DEVICE):
        self.machine, self.arch, self.device = machine, arch, device
        self.kernel, self.initramfs = kernel, initramfs
        self.memo = cache / f"accel-{self.key()}"

    def key(self) -> str:
        text = " ".join(os.uname()) + self.machine.version_of(qemu.ARCHES[self.arch]["binary"])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def choose(self) -> str:
        why = self.no_device() or self.tried()
        if not why:
            return "kvm"
        again = f"; rm {self.memo} to try again" if why.lasts else ""
        host.say(f"KVM is of no use here ({why.text}{again}): using TCG")
        return "tcg"

    def no_device(self) -> typing.Optional[Why]:
        if not os.path.exists(self.device):
            return Why(f"there is no {self.device}")
        if not os.access(self.device, os.R_OK | os.W_OK):
            return Why(f"no permission to use {self.device}")
        return None

    def tried(self) -> typing.Optional[Why]:
        """Why KVM can't be used: what the last trial found, or a new trial."""
        try:
            accel, _, text = self.memo.read_text().strip().partition(" ")
            if accel == "kvm":
                return None
            age = time.time() - self.memo.stat().st_mtime
            if accel == "tcg" and (qemu.INTERNAL_ERROR.decode() in text or
                                   (TOO_SLOW in text and 0 <= age < KEPT)):
                return Why(text, lasts=True)
        except OSError:
            pass
        why = self.probe()
        if not why or why.lasts:
            new = self.memo.with_suffix(f".{os.getpid()}")
            with writing(self.memo):
                new.write_text(f"tcg {why.text}\n" if why else "kvm\n")
                new.replace(self.memo)
        return why

    def forget(self) -> None:
        self.memo.unlink(missing_ok=True)

    def probe(self) -> typing.Optional[Why]:
        with tempfile.TemporaryDirectory(dir=self.machine.env.get("TMPDIR")) as tmp:
            console = pathlib.Path(tmp, "console")
            cmd = qemu.command(self.arch, "kvm", self.kernel, self.initramfs, console,
                               append="earlyprintk=serial rdinit=/probe")
            with self.machine.started(cmd, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE) as vm:
                return self.watch(vm, console, Stream(vm.stderr))

    @staticmethod
    def watch(vm: "subprocess.Popen[bytes]", console: pathlib.Path,
              err: Stream) -> typing.Optional[Why]:
        began = time.monotonic()
        while True:
            ended = vm.poll() is not None
            said = console.read_bytes() if console.exists() else b""
            past = time.monotonic() - began
            err.read()
            if b"hmm_notifier: up" in said:
                return None
            if qemu.INTERNAL_ERROR in err.kept:
                return Why("a guest dies of a KVM internal error", lasts=True)
            if ended:
                return Why(f"QEMU with KVM ended before the guest was up: {err.last_line()}"
                           .rstrip(": "))
            if past > UP or (past > FIRST_WORD and not began_to_boot(said)):
                return Why(f"{TOO_SLOW} {past:.1f} s", lasts=True)
            time.sleep(0.03)


def began_to_boot(said: bytes) -> bool:
    return b"Linux version" in said or b"early console in extract" in said
