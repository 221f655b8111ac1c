# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh get-source SERIES: gets Debian's linux-source of that series and prints
the path of the pristine tree. It is shared by hard links: never write to it."""
from __future__ import annotations

import re

from runner import host, source
from runner.errors import PASS, BadUsage, Interrupted
from runner.main import ended_by


def main(argv: list[str]) -> int:
    host.end_at_signals()
    try:
        try:
            if len(argv) != 1 or not re.fullmatch(r"[0-9]+\.[0-9]+", argv[0]):
                raise BadUsage("usage: run_tests.sh get-source SERIES, as in 6.12")
            print(source.pristine(host.Host(), argv[0])[0], flush=True)
            return PASS
        finally:
            host.ignore_signals()
    except Interrupted as e:
        host.complain("interrupted")
        return e.code
    except Exception as e:  # pylint: disable=broad-except
        return ended_by(e).code
