# SPDX-License-Identifier: GPL-2.0
"""The temporary directory of a run. It goes away with the run; what a run left that was
killed together with its guard, the next one removes."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
import typing

from runner import host
from runner.errors import OurFault

PREFIX = "hmm-notifier-run-"
LOCK = ".in-use"


def is_in_use(directory: pathlib.Path) -> bool:
    """Its owner holds the lock for as long as it lives. One without a lock file may be
    just about to get it."""
    try:
        with open(directory / LOCK, "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True


def sweep(where: pathlib.Path) -> None:
    for old in where.glob(PREFIX + "*"):
        if not old.is_symlink() and old.lstat().st_uid == os.getuid() and not is_in_use(old):
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def made(machine: host.Host) -> typing.Iterator[pathlib.Path]:
    """The directory; the programs that machine runs keep their temporary files there."""
    where = tempfile.gettempdir()
    try:
        sweep(pathlib.Path(where))
        path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as e:
        raise OurFault(f"cannot write to {where}, where temporary files go: "
                       f"{e.strerror}") from e
    machine.guard.tell("directory", path)
    try:
        with open(path / LOCK, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            machine.env["TMPDIR"] = str(path)
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        machine.guard.tell("no-directory", path)
