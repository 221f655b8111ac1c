# SPDX-License-Identifier: GPL-2.0
"""The files of a results directory.  Anybody may have sent it: what is read is data of
bounded size in regular files, and whoever reads what is written sees all or nothing."""
from __future__ import annotations

import errno
import json
import os
import pathlib
import stat
import tempfile
import typing
from collections.abc import Iterator

MAX_LOG = 1 << 30
MAX_JSON = 4 << 20
MAX_LINE = 64 << 10
FORMAT = 1  # of summary.json: see summary.schema.json


class Damaged(Exception):
    """A file that is not what it should be, in one sentence."""


def open_data(path: pathlib.Path, limit: int) -> typing.BinaryIO:
    """The open file; OSError if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno in (errno.ELOOP, errno.ENXIO):
            raise Damaged(f"{path.name} is no regular file") from e
        raise
    f = os.fdopen(fd, "rb")
    now = os.fstat(fd)
    if stat.S_ISREG(now.st_mode) and now.st_size <= limit:
        return f
    f.close()
    raise Damaged(f"{path.name} has {now.st_size} bytes" if stat.S_ISREG(now.st_mode)
                  else f"{path.name} is no regular file")


def read_lines(path: pathlib.Path) -> Iterator[str]:
    """The lines without their ends, as text.  None if there is no such file.  One that
    is longer than any that we write comes in parts."""
    try:
        f = open_data(path, MAX_LOG)
    except OSError:
        return
    with f:
        while line := f.readline(MAX_LINE):
            yield line.decode(errors="replace").removesuffix("\n")


def read_text(path: pathlib.Path, limit: int = MAX_JSON) -> str:
    try:
        with open_data(path, limit) as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def read_json(path: pathlib.Path) -> dict[str, typing.Any]:
    """The object in the file; {} if there is no file."""
    text = read_text(path)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise Damaged(f"{path.name} is no JSON") from e
    if not isinstance(value, dict):
        raise Damaged(f"{path.name} holds no object")
    return value


def write_text(path: pathlib.Path, text: str) -> None:
    """In place of what is there; a link is replaced, too, not followed."""
    fd, new = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as f:
            f.write(text)
            f.flush()
            os.fsync(fd)
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def write_json(path: pathlib.Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_summary(results: pathlib.Path, summary: typing.Mapping[str, typing.Any]) -> None:
    write_json(results / "summary.json", {"format": FORMAT, **summary})
