# SPDX-License-Identifier: GPL-2.0
"""How the runner, or a part of it that is of use alone, ends."""
from __future__ import annotations

import traceback
import typing

from runner import host, results
from runner.errors import NOTHING, OURS, PASS, Interrupted, OurFault, Stop, is_full, why


def ended_by(error: BaseException) -> Stop:
    """Tells the user what stopped the run. An unforeseen error is our fault, too."""
    if isinstance(error, Stop):
        if str(error):
            host.complain(str(error))
        return error
    if isinstance(error, OSError) and is_full(error):
        return ended_by(OurFault(why(error)))
    host.say("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    host.complain("this is a fault of the runner")
    return OurFault()


def last_words(to: typing.Optional[results.Results], stop: Stop) -> None:
    """The summary says why there is no verdict, as far as it can be written."""
    if not to:
        return
    reason = "a fault of the runner" if stop.code == OURS else \
        "the kernel or what it takes to test it could not be got or built"
    try:
        to.put_off("nothing" if stop.code == NOTHING else "error", str(stop) or reason)
    except Stop as e:
        host.complain(str(e))


def exit_code(part: typing.Callable[[], None]) -> int:
    """Of a part that is used alone"""
    host.end_at_signals()
    try:
        try:
            part()
            return PASS
        finally:
            host.ignore_signals()
    except Interrupted as e:
        host.complain("interrupted")
        return e.code
    except Exception as e:  # pylint: disable=broad-except
        return ended_by(e).code
