# SPDX-License-Identifier: GPL-2.0
"""What grows while the guest runs: its logs, and what QEMU says."""
import os
import pathlib
import typing

KEPT = 4096  # bytes of QEMU's words


class Tail:
    """A log that grows: its size, and the lines that came since the last look."""

    def __init__(self, path: pathlib.Path):
        self.path, self.pos, self.rest = path, 0, b""
        self.path.write_bytes(b"")

    def size(self) -> int:
        return self.path.stat().st_size

    def lines(self) -> typing.List[str]:
        with open(self.path, "rb") as f:
            f.seek(self.pos)
            data = f.read(1 << 20)
        self.pos += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


class Stream:
    """A pipe that must be read, or its writer blocks. Keeps the last bytes."""

    def __init__(self, pipe: typing.Optional[typing.IO[bytes]]):
        assert pipe
        self.fd, self.kept = pipe.fileno(), b""
        os.set_blocking(self.fd, False)

    def read(self) -> None:
        while True:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            self.kept = (self.kept + data)[-KEPT:]

    def lines(self) -> typing.List[str]:
        self.read()
        return self.kept.decode(errors="replace").strip().splitlines()

    def last_line(self) -> str:
        return (self.lines() or [""])[-1]

    def line_of(self, text: bytes) -> str:
        """The first one that has it"""
        return next((line for line in self.lines() if text.decode() in line), "")
