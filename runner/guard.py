# SPDX-License-Identifier: GPL-2.0
"""What ends the programs that we started, and removes our files, whatever ends us.

The guard is a process of its own, forked before anything else. It holds one end of a
pipe, and learns through it which process groups and directories there are. When the
other end closes, the runner is gone: by itself, then nothing is left to do, or by
SIGKILL.
"""
import contextlib
import os
import shutil
import signal
import time
import typing

GRACE = 0.5  # seconds from SIGTERM to SIGKILL: make removes what it has half done


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def kill(group: int, sig: int) -> None:
    try:
        os.killpg(group, sig)
    except (ProcessLookupError, PermissionError):
        pass


def end(groups: typing.Iterable[int], reap: typing.Callable[[], object]) -> None:
    """Ends all processes of these groups. reap collects those that are our children, as
    a group is alive while one of it is a zombie."""
    groups = [group for group in groups if alive(group)]
    for group in groups:
        kill(group, signal.SIGTERM)
        kill(group, signal.SIGCONT)  # a stopped one would not see it
    until = time.monotonic() + GRACE
    while groups and time.monotonic() < until:
        time.sleep(0.01)
        reap()
        groups = [group for group in groups if alive(group)]
    for group in groups:
        kill(group, signal.SIGKILL)


def serve(pipe: int) -> None:
    groups: typing.Set[int] = set()
    directories: typing.Set[str] = set()
    with open(pipe, encoding="utf-8", errors="surrogateescape", newline="\n") as f:
        for line in f.read().split("\0")[:-1]:
            what, _, value = line.partition(" ")
            if what == "group":
                groups.add(int(value))
            elif what == "no-group":
                groups.discard(int(value))
            elif what == "directory":
                directories.add(value)
            else:
                directories.discard(value)
    end(groups, lambda: None)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


class Guard:
    def __init__(self) -> None:
        ours, self.pipe = os.pipe()
        if os.fork():
            os.close(ours)
            return
        try:
            os.setsid()
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sig, signal.SIG_IGN)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            for fd in map(int, os.listdir("/proc/self/fd")):
                if fd > 2 and fd != ours:
                    with contextlib.suppress(OSError):
                        os.close(fd)
            os.chdir("/")
            serve(ours)
        finally:
            os._exit(0)

    def tell(self, what: str, value: object) -> None:
        text = f"{what} {value}\0".encode(errors="surrogateescape")
        try:
            os.write(self.pipe, text)
        except BrokenPipeError:
            pass  # somebody killed it
