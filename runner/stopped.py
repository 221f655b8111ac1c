# SPDX-License-Identifier: GPL-2.0
"""Time that does not count: we or QEMU were stopped, by ctrl-Z, a debugger, a host that
was suspended."""
import pathlib
import time
import typing

GAP = 5.0    # seconds: a sleep of 50 ms that takes so long means that we were stopped
LIMIT = 5.0  # seconds for which QEMU may be stopped; the guest's bounds are longer


class Process(typing.NamedTuple):
    state: str
    ticks: int


def processes(group: int) -> typing.List[Process]:
    """All of a process group."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name, in brackets, may hold anything
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it is gone
        if int(fields[2]) == group:
            found.append(Process(fields[0], int(fields[11]) + int(fields[12])))
    return found


class Clock:
    """Seconds in which we ran, and those in which QEMU did not."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.lost = self.gap = self.still = 0.0
        self.since: typing.Optional[float] = None
        self.ticks = 0

    def now(self) -> float:
        return time.monotonic() - self.lost

    def tick(self) -> None:
        """To be called all the time."""
        now = time.monotonic()
        if now - self.last > GAP:
            self.gap += now - self.last
            self.lost += now - self.last
        self.last = now

    def stopped(self, group: int) -> float:
        """Seconds for which QEMU was stopped. If it used no CPU time while we were stopped, it
        was stopped, too."""
        now, them = time.monotonic(), processes(group)
        ticks = sum(p.ticks for p in them)
        if self.gap and ticks == self.ticks:
            self.still += self.gap
        self.gap, self.ticks = 0.0, ticks
        if self.since is not None:
            self.still += now - self.since
        self.since = now if any(p.state in "Tt" for p in them) else None
        return self.still
