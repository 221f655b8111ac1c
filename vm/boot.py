#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""boot.py - boots a kernel in QEMU, runs a job in it, and never waits for ever.

Into the results directory go ktap.log, kmsg.log, console.log, qemu-command and
boot.json, which says how it ended; judge.py makes of that what it means.
Exits 0 when the guest powered off by itself, 1 when it ended otherwise, 2 when it
could not be started or the results not be written, 130 when interrupted.
"""
import argparse
import errno
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import progress  # noqa: E402
import qemu  # noqa: E402


class Interrupted(Exception):
    pass


def on_signal(_sig, _frame):
    raise Interrupted


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", required=True, help="the kernel image")
    p.add_argument("--initramfs", required=True)
    p.add_argument("--job", required=True, help="a directory named job: goes to /job in the guest")
    p.add_argument("--results", required=True)
    p.add_argument("--accel", required=True, choices=("kvm", "tcg"))
    p.add_argument("--arch", default=os.uname().machine)
    p.add_argument("--append", default="", help="more kernel parameters")
    p.add_argument("--memory", type=int, default=1024, help="MiB in the guest")
    p.add_argument("--boot-timeout", type=float, default=120,
                   help="seconds until the guest has to say its first word")
    p.add_argument("--timeout", type=float, default=600,
                   help="seconds for everything after that")
    p.add_argument("--silence", type=float, default=90,
                   help="seconds in which the guest has to say something")
    p.add_argument("--log-limit", type=int, default=64, help="MiB of any one log")
    p.add_argument("--started", type=float, default=time.time(),
                   help="when the run began; wall_s counts from there")
    p.add_argument("--verbose", action="store_true")
    return p.parse_args()


def pack(names, directory, out):
    """A cpio archive of these files in it, all of them root's."""
    with open(out, "wb") as f:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], stdout=f,
                       input="\n".join(names).encode(), cwd=directory, check=True)


def make_initrd(base, job, job_cpio, out):
    """The kernel unpacks cpio archives one after the other: the job goes last."""
    job = pathlib.Path(job)
    names = ["job", *(f"job/{p.name}" for p in sorted(job.iterdir()))]
    pack(names, job.parent, job_cpio)
    pathlib.Path(out).write_bytes(pathlib.Path(base).read_bytes() +
                                  pathlib.Path(job_cpio).read_bytes())


class Tail:
    """A log that grows: its size, and the lines that came since the last look."""

    def __init__(self, path):
        self.path, self.pos, self.rest = path, 0, b""
        self.path.write_bytes(b"")

    def size(self):
        return self.path.stat().st_size

    def lines(self):
        with open(self.path, "rb") as f:
            f.seek(self.pos)
            data = f.read(1 << 20)
        self.pos += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


class Guest:
    def __init__(self, opt, show):
        self.opt, self.show = opt, show
        self.dir = pathlib.Path(opt.results)
        self.times = {}
        self.logs = {n: Tail(self.dir / f"{n}.log") for n in ("ktap", "kmsg", "console")}
        self.ktap_done = False

    def start(self, initrd):
        cmd = qemu.command(self.opt.arch, self.opt.accel, self.opt.kernel, initrd,
                           self.dir / "console.log",
                           [(n, self.dir / f"{n}.log") for n in ("ktap", "kmsg")],
                           self.opt.append, self.opt.memory)
        self.write_command(cmd, initrd)
        self.began = time.monotonic()
        # QEMU leads a group of its own, so that ctrl-C comes to us alone, and dies
        # with us whatever we die of
        self.vm = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *cmd], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.set_blocking(self.vm.stderr.fileno(), False)

    def write_command(self, cmd, initrd):
        """A script that boots the same guest once more, when initrd is gone."""
        text = shlex.join(cmd).replace(shlex.quote(initrd), '"$initrd"')
        path = self.dir / "qemu-command"
        path.write_text(
            "#!/bin/sh\n# The logs go where they went; see -chardev.\n"
            "initrd=$(mktemp) && trap 'rm -f \"$initrd\"' EXIT\n"
            f"cat {shlex.quote(os.path.realpath(self.opt.initramfs))} "
            f"{shlex.quote(str(self.dir / 'job.cpio'))} >\"$initrd\"\n{text}\n")
        path.chmod(0o755)

    def past(self):
        return time.monotonic() - self.began

    def stop(self):
        if self.vm.poll() is None:
            self.vm.kill()
        self.vm.wait()

    def note(self, line):
        """Notes the times of what the bench shows; shows how far it is."""
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

    def watch(self):
        """Returns (how it ended, a line that says more)."""
        heard, sizes = self.began, None
        while True:
            ended = self.vm.poll() is not None
            for line in self.logs["ktap"].lines():
                self.note(line)
            now = [log.size() for log in self.logs.values()]
            if now != sizes:
                heard, sizes = time.monotonic(), now
            if ended:
                return self.how_it_exited()
            if max(now) > self.opt.log_limit << 20:
                name = max(self.logs, key=lambda n: self.logs[n].size())
                return "flood", (f"{name}.log grew past {self.opt.log_limit} MiB: "
                                 "the guest floods its log")
            if "first" not in self.times:
                if self.past() > self.opt.boot_timeout:
                    return "no-boot", (f"the guest did not get to its init within "
                                       f"{self.opt.boot_timeout:.0f} s")
            elif self.past() - self.times["first"] > self.opt.timeout:
                return "timeout", f"the guest ran for more than {self.opt.timeout:.0f} s"
            elif time.monotonic() - heard > self.opt.silence:
                return "silent", f"the guest said nothing for {self.opt.silence:.0f} s"
            self.show.tick()
            time.sleep(0.05)

    def how_it_exited(self):
        code = self.vm.returncode
        err = (self.vm.stderr.read() or b"").decode(errors="replace").strip()
        last = err.splitlines()[-1] if err else ""
        panic = [line for line in self.logs["console"].lines() if "Kernel panic" in line]
        if panic:
            return "panic", panic[-1].partition("Kernel panic")[1] + \
                panic[-1].partition("Kernel panic")[2]
        if code < 0:
            return "killed", f"QEMU was killed by {signal.Signals(-code).name}"
        if code > 0:
            return "qemu-error", f"QEMU exited with {code}: {last}"
        if "first" not in self.times:
            return "no-boot", "the guest ended before it got to its init"
        if not self.ktap_done:
            return "early-end", "the guest ended before the tests were done"
        return "power-off", ""


def run(opt, guest):
    with tempfile.TemporaryDirectory(prefix="hmm-notifier-") as tmp:
        initrd = os.path.join(tmp, "initramfs.cpio")
        make_initrd(opt.initramfs, opt.job, guest.dir / "job.cpio", initrd)
        try:
            guest.start(initrd)
            return guest.watch()
        except Interrupted:
            return "interrupted", "interrupted"
        finally:
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sig, signal.SIG_IGN)
            if hasattr(guest, "vm"):
                guest.stop()
            guest.show.close()


def main():
    opt = options()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, on_signal)
    try:
        guest = Guest(opt, progress.Progress(opt.job, opt.verbose))
        how, detail = run(opt, guest)
        total = guest.past() if hasattr(guest, "began") else 0
        text = json.dumps({"ended": how, "detail": detail, "seconds": round(total, 2),
                           "wall_s": round(time.time() - opt.started, 2),
                           "times": {k: round(v, 2) for k, v in guest.times.items()}},
                          indent=1)
        (guest.dir / "boot.json").write_text(text + "\n")
        # QEMU drops what it can't write, and says nothing
        with open(guest.dir / "ktap.log", "ab") as f:
            os.fsync(f.fileno())
    except Interrupted:
        return 130
    except OSError as e:
        what = "no space left" if e.errno == errno.ENOSPC else e.strerror
        print(f"boot: {opt.results}: {what}", file=sys.stderr)
        return 2
    if how == "interrupted":
        return 130
    return 0 if how == "power-off" else 1


if __name__ == "__main__":
    sys.exit(main())
