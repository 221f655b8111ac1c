# SPDX-License-Identifier: GPL-2.0
"""From the command line to the exit code."""
import io
import os
import sys
import typing

from runner import compare, ending, host, options
from runner.errors import OURS, STOP_BISECT, Interrupted
from runner.run import Run


def main(argv: typing.List[str], runs: typing.Type[Run] = Run) -> int:
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
            run = runs(opt)
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
        stop = ending.ended_by(e)
        ending.last_words(run.results if run else None, stop)
        return stop.bisect if bisect else stop.code
