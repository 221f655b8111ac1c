# SPDX-License-Identifier: GPL-2.0
"""Why a run ends before its verdict, and the exit code of each reason."""
import contextlib
import errno
import os
import typing

PASS, FAIL, SETUP, NOTHING, OURS, INTERRUPTED = 0, 1, 2, 4, 70, 130
# "ended" in boot.json, of a guest that did not come to its init
NOT_UP = ("no-boot", "qemu-error")
# of git bisect run: this commit can't be tested; something else is wrong, stop
SKIP_COMMIT, STOP_BISECT = 125, 255


class Stop(Exception):
    """Ends the run. bisect is what git bisect is told instead of code."""
    code, bisect = SETUP, STOP_BISECT


class BadUsage(Stop):
    """The command line is wrong."""


class BadHost(Stop):
    """Something is missing on this machine, or it can't be written to."""


class BadKernel(Stop):
    """There is no such kernel, or it does not build."""
    bisect = SKIP_COMMIT

    def __init__(self, text: str = "", code: int = SETUP):
        super().__init__(text)  # none if the program that failed has said why
        self.code = code


class NoTest(Stop):
    code, bisect = NOTHING, SKIP_COMMIT


class OurFault(Stop):
    """Neither the kernel nor its tests are to blame, and nothing is known of them."""
    code = OURS


class Interrupted(Stop):
    code, bisect = INTERRUPTED, INTERRUPTED


def why(error: OSError) -> str:
    """As in "/tmp/x: No space left on device"."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def writing(where: "os.PathLike[str]") -> typing.Iterator[None]:
    """A failed write raises an error without the file's name: adds the name."""
    try:
        yield
    except OSError as e:
        raise OurFault(f"cannot write to {where!s}: {e.strerror}") from e
