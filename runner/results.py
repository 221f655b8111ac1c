# SPDX-License-Identifier: GPL-2.0
"""The directory that a run leaves."""
import errno
import json
import os
import pathlib
import time
import typing

from runner import files
from runner.errors import BadHost, OurFault, is_full, why, writing

ROOM = 64 << 10  # bytes that the judge needs at least


def write_json(path: pathlib.Path, data: object) -> None:
    with writing(path):
        files.write_json(path, data)


def free(directory: pathlib.Path) -> int:
    fs = os.statvfs(directory)
    return fs.f_bavail * fs.f_frsize


class Results:
    """A directory of its own for each run, whoever else runs; latest is replaced, never
    absent. Its summary says that the run failed until the judge has seen it."""

    def __init__(self, root: pathlib.Path):
        self.root = pathlib.Path(os.path.abspath(root))
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.directory = self.new()
            self.link_latest()
        except OSError as e:
            kind = OurFault if is_full(e) else BadHost
            raise kind(f"cannot write to {root}: {e.strerror}") from e
        self.summary = self.directory / "summary.json"
        self.put_off("fail", "the run did not come to an end")

    def new(self) -> pathlib.Path:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        for n in range(100):
            try:
                (self.root / f"{stamp}-{n}").mkdir()
                return self.root / f"{stamp}-{n}"
            except FileExistsError:
                pass
        raise OSError(errno.EEXIST, "too many runs in one second")

    def link_latest(self) -> None:
        link = self.directory / ".latest"
        link.symlink_to(self.directory.name)
        link.replace(self.root / "latest")

    def put_off(self, verdict: str, reason: str) -> None:
        """Writes a summary without tests."""
        with writing(self.summary):
            files.write_summary(self.directory, {"verdict": verdict, "reason": reason})

    def read_summary(self) -> typing.Dict[str, typing.Any]:
        try:
            found = json.loads(self.summary.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def check_room(self) -> None:
        """QEMU drops what it can't write, and says nothing."""
        try:
            if free(self.directory) >= ROOM:
                return
        except OSError as e:
            raise OurFault(why(e)) from e
        raise OurFault(f"{self.directory}: No space left on device")

    def has_begun(self) -> bool:
        """Whether a test began; a kernel on which none did has not booted."""
        for log in self.directory.rglob("kmsg.log"):
            with open(log, "rb") as f:
                if any(b"hmm_notifier: begin" in line for line in f):
                    return True
        return False
