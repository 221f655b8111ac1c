#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""accel.py VMLINUZ INITRAMFS CACHE - prints kvm or tcg: what can boot this kernel.

A /dev/kvm that opens proves nothing: there are machines where a guest's first
BMI instruction ends in a "KVM internal error".  So the kernel itself is booted,
with an init that powers off.  The answer is kept per host kernel and QEMU.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu  # noqa: E402

FIRST_WORD = 1.3  # seconds in which a guest that runs at all has said something
UP = 20           # seconds in which it then has to get to its init
DEVICE = os.environ.get("KVM_DEVICE", "/dev/kvm")  # tests/ pretend to have one


def host_key(binary):
    text = " ".join(os.uname()) + pathlib.Path("/proc/sys/kernel/osrelease").read_text()
    text += subprocess.run([binary, "--version"], capture_output=True, text=True,
                           check=False).stdout
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def probe(arch, kernel, initrd):
    """None if KVM boots the kernel, or the reason why not."""
    with tempfile.TemporaryDirectory() as tmp:
        console, err = os.path.join(tmp, "console"), os.path.join(tmp, "err")
        cmd = qemu.command(arch, "kvm", kernel, initrd, console,
                           append="earlyprintk=serial rdinit=/probe")
        with open(err, "wb") as errfile:
            vm = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *cmd],
                                  stdin=subprocess.DEVNULL, stdout=errfile,
                                  stderr=errfile)
        try:
            return watch(vm, console, err)
        finally:
            vm.kill()
            vm.wait()


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def began_to_boot(said):
    return b"Linux version" in said or b"early console in extract" in said


def no_device():
    """Why there is nothing to try; this may change, and is not worth keeping."""
    if not os.path.exists(DEVICE):
        return f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"no permission to use {DEVICE}"
    return None


def watch(vm, console, err):
    began = time.monotonic()
    while True:
        ended = vm.poll() is not None
        said, past = read(console), time.monotonic() - began
        if b"hmm_notifier: up" in said:
            return None
        if b"KVM internal error" in read(err):
            return "a guest dies of a KVM internal error"
        if ended:
            return "QEMU with KVM ended before the guest was up"
        if past > UP or (past > FIRST_WORD and not began_to_boot(said)):
            return f"a guest does not boot within {past:.1f} s"
        time.sleep(0.03)


def trial(arch, kernel, initrd, memo):
    """(accelerator, why not kvm), by trying or from the last time."""
    try:
        accel, _, why = memo.read_text().strip().partition(" ")
        if accel in ("kvm", "tcg"):
            return accel, why
    except OSError:
        pass
    why = probe(arch, kernel, initrd)
    accel = "tcg" if why else "kvm"
    tmp = memo.with_suffix(f".{os.getpid()}")
    tmp.write_text(f"{accel} {why or ''}\n")
    tmp.rename(memo)
    return accel, why


def main():
    kernel, initrd, cache = sys.argv[1:4]
    arch = os.uname().machine
    binary = qemu.ARCHES[arch]["binary"]
    why = no_device()
    if why:
        accel = "tcg"
    else:
        accel, why = trial(arch, kernel, initrd,
                           pathlib.Path(cache) / f"accel-{host_key(binary)}")
    if accel == "tcg":
        print(f"KVM is of no use here ({why}): using TCG", file=sys.stderr)
    print(accel)


if __name__ == "__main__":
    main()
