# SPDX-License-Identifier: GPL-2.0
"""python3 -m intree: see --help, and the Makefile."""
import argparse
import pathlib
import sys

from runner.errors import Stop

from . import patches, series
from .install import Tree


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="intree", description="The suite in a kernel tree.")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="the series and the tests into KDIR")
    install.add_argument("--without-fixes", action="store_true", help="leaves mm/ alone")
    install.add_argument("KDIR")
    uninstall = commands.add_parser("uninstall", help="restores KDIR to the byte")
    uninstall.add_argument("KDIR")
    send = commands.add_parser("series", help="the patches as one would send them")
    send.add_argument("--kdir", metavar="KDIR", default="",
                      help="of this tree, with its HEAD as base-commit")
    send.add_argument("OUT", type=pathlib.Path)
    send.add_argument("BASE", nargs="*", default=patches.bases(), help="as in 6.12")
    return parser.parse_args()


def main() -> int:
    """0, or 2 with a line that says why not"""
    options = _options()
    try:
        if options.command == "install":
            Tree(options.KDIR).install(fixes=not options.without_fixes)
        elif options.command == "uninstall":
            Tree(options.KDIR).uninstall()
        else:
            for base in options.BASE if not options.kdir else [""]:
                series.make(base, options.OUT, options.kdir)
    except (Stop, OSError) as why:
        print(f"{options.command}: {why}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
