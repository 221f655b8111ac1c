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
import stat
import typing
from collections.abc import Iterable, Iterator

from runner import host
from runner.errors import BadHost, Interrupted


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
    except Interrupted:
        raise  # to remove all of a kernel takes seconds; the next run has them
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def protect(machine: host.Host, tree: pathlib.Path) -> None:
    """The copies that are built share its files by hard links: nobody may write there."""
    if machine.run("find", tree, "-type", "f", "-exec", "chmod", "a-w", "{}", "+"):
        raise BadHost(f"cannot write to {tree}")


def sizes(directory: pathlib.Path) -> set[str]:
    """A line for each file, with its size"""
    found, top = set(), os.fspath(directory)
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            is_now = os.lstat(path)
            if stat.S_ISREG(is_now.st_mode):
                found.add(f"{is_now.st_size} {path[len(top) + 1:]}")
    return found


def write_manifest(directory: pathlib.Path) -> None:
    """What is in the cache may have been damaged since, by a full disk or by hand. So a
    directory there has a list of its files with their sizes."""
    text = "".join(f"{line}\n" for line in sorted(sizes(directory)))
    (directory / "manifest").write_text(text, errors="surrogateescape")


def lost(directory: pathlib.Path) -> typing.Optional[str]:
    """A file that is not there with its size; None if all are"""
    try:
        text = (directory / "manifest").read_text(errors="surrogateescape")
    except OSError:
        return "manifest"
    gone = min(set(text.splitlines()) - sizes(directory), default=None)
    return gone.partition(" ")[2] if gone else None


def is_whole(directory: pathlib.Path) -> bool:
    """It is there with all its files; says it if they are not whole."""
    if not directory.is_dir():
        return False
    gone = lost(directory)
    if gone:
        host.say(f"{directory} is damaged ({gone}): making it again")
    return not gone


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
