# SPDX-License-Identifier: GPL-2.0
"""From the command line to the exit code."""
import io
import os
import sys
import traceback
import typing

from runner import compare, host, options
from runner.errors import OURS, STOP_BISECT, Interrupted, OurFault, Stop, is_full, why
from runner.run import Run


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


def last_words(run: typing.Optional[Run], stop: Stop) -> None:
    """The summary says why there is no verdict, as far as it can be written."""
    if run and run.results and stop.code == OURS:
        try:
            run.results.put_off("error", str(stop) or "a fault of the runner")
        except Stop as e:
            host.complain(str(e))


def main(argv: typing.List[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    run: typing.Optional[Run] = None
    bisect = "--bisect" in argv
    host.end_at_signals()
    try:
        try:
            opt = options.parse(argv)
            if opt.compare:
                return compare.run_both(opt)
            run = Run(opt)
            code = run.run()
            return run.bisect_status(code) if bisect else code
        finally:
            host.ignore_signals()
            sys.stdout.flush()
    except Interrupted:
        host.complain("interrupted")
        return Interrupted.code
    except BrokenPipeError:
        # nobody listens, and the interpreter would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOP_BISECT if bisect else OURS
    except Exception as e:  # pylint: disable=broad-except
        stop = ended_by(e)
        last_words(run, stop)
        return stop.bisect if bisect else stop.code
