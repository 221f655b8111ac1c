# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh starts this: python3 -I -B runner OPTION...

As a first word, one of PARTS stands for a part of the runner that is of use alone.
"""
import importlib
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

PARTS = ("judge", "packages", "get-kernel", "get-source")

name, argv = "main", sys.argv[1:]
if argv and argv[0] in PARTS:
    name, argv = argv[0].replace("-", "_"), argv[1:]
sys.exit(importlib.import_module(f"runner.{name}").main(argv))
