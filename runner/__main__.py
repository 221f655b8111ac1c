# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh starts this: python3 -I -B runner OPTION..."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from runner.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
