# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh get-source SERIES: gets Debian's linux-source of that series and prints
the path of the pristine tree. It is shared by hard links: never write to it."""
from __future__ import annotations

import re

from runner import ending, host, source
from runner.errors import BadUsage


def main(argv: list[str]) -> int:
    def get() -> None:
        if len(argv) != 1 or not re.fullmatch(r"[0-9]+\.[0-9]+", argv[0]):
            raise BadUsage("usage: run_tests.sh get-source SERIES, as in 6.12")
        print(source.pristine(host.Host(), argv[0])[0], flush=True)

    return ending.exit_code(get)
