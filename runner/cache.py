# SPDX-License-Identifier: GPL-2.0
"""What runs share in the cache: one at a time prepares the same thing, and what was
damaged since is told and made again."""
from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import typing
from collections.abc import Iterable, Iterator

from runner import host
from runner.errors import BadHost


@contextlib.contextmanager
def locked(machine: host.Host, name: str) -> Iterator[None]:
    path = machine.cache() / f".lock-{name}"
    try:
        lock = open(path, "w", encoding="ascii")
    except OSError as e:
        raise BadHost(f"cannot write to {path}: {e.strerror}") from e
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            host.say(f"waiting for another run ({name})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_directory(final: pathlib.Path) -> Iterator[pathlib.Path]:
    """With the lock held: becomes final at the end, whole or not at all."""
    new = final.with_name(f".new-{final.name}")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        yield new
        if final.exists():
            shutil.rmtree(final)
        new.rename(final)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def sum_of(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def write_sums(to: pathlib.Path, files: Iterable[pathlib.Path]) -> None:
    """As sha256sum does, in place of what is there."""
    lines = [f"{sum_of(f)}  {f.relative_to(to.parent)}\n" for f in sorted(files)]
    new = to.with_name(f".{to.name}-{os.getpid()}")
    new.write_text("".join(lines))
    new.replace(to)


def damaged(sums: pathlib.Path) -> typing.Optional[str]:
    """The first file that is not what it was; None if all are."""
    try:
        lines = sums.read_text(errors="replace").splitlines()
    except OSError:
        return sums.name
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            if sum_of(sums.parent / name) != digest:
                return name
        except OSError:
            return name
    return None if lines else sums.name
