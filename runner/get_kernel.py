# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh get-kernel SPEC: gets a kernel and prints the path of its directory."""
from __future__ import annotations

import argparse
import re

from runner import ending, host, kernel
from runner.linux.request import Extras
from runner.options import Parser, file

SPECS = """\
SPEC is one of
  debian:6.1, debian:6.12, debian:6.12-rt
        Debian's own kernel of that series, and flavour: rt, cloud, or on arm64 16k
  source:6.1, source:6.12, source:7.2
        Debian's source package of that series, in the newest version that
        apt offers (this release's, else unstable's)
  source:newest
        the newest series that unstable has; without a series of patches of
        its own, the newest one in kernel-patches/ is tried
  source:TARBALL, source:DIR
        the source of any Linux, packed or unpacked; needs no apt
  tree:DIR
        a developer's tree as it lies there, git or not, uncommitted changes
        included. It is copied and never touched. Patches that it has already
        are left alone.
  image:BZIMAGE,MODULES[,SOURCE]
        something built; MODULES is its build directory, or the
        /lib/modules/RELEASE of it with a `build` link that works, as a
        distribution's headers make it. Those have no lib/test_hmm.c: SOURCE is
        the tree or the tarball that has it, or else Debian's of the nearest
        series is taken.
  host, host:SOURCE
        the kernel that runs here, in a VM as any other

source: and tree: get the patches of test_hmm, and not the fixes of mm/, so that
what the kernel gets wrong is seen. Append +fixes for a kernel with the fixes, as
in source:6.12+fixes.

Exit status: 0 and the directory on stdout; 2 it can't be got or set up; 3 it does
not build. The build directory and ccache (when installed) stay in the cache, so
that a second build compiles what changed.
"""


def name(text: str) -> str:
    if not re.fullmatch("[a-z0-9]+", text):
        raise argparse.ArgumentTypeError("a name of a-z and 0-9")
    return text


def parser() -> Parser:
    p = Parser(prog="run_tests.sh get-kernel", allow_abbrev=False, epilog=SPECS,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("spec", metavar="SPEC")
    p.add_argument("--arch", default="", choices=("arm64",), help="cross-build for it")
    variant = p.add_mutually_exclusive_group()
    variant.add_argument("--debug", dest="variant", action="store_const", const="debug",
                         default="", help="add DEBUG_ATOMIC_SLEEP, PROVE_LOCKING, KASAN, "
                         "DETECT_HUNG_TASK, KMEMLEAK, and GCOV for mm/mmu_notifier.o")
    variant.add_argument("--gcov", dest="variant", action="store_const", const="gcov",
                         default="", help="add GCOV for mm/mmu_notifier.o and nothing else")
    p.add_argument("--patch", metavar="FILE", type=file, action="append", default=[],
                   help="apply this one as well (again and again for several)")
    p.add_argument("--config", metavar="FILE", type=file,
                   help="of Kconfig: these options win over ours, but for what the tests "
                   "need; a whole .config is the base in place of ours")
    p.add_argument("--as", dest="name", metavar="NAME", type=name,
                   help="build it beside the kernel that has no such extras, not over it")
    return p


def main(argv: list[str]) -> int:
    def get() -> None:
        opt = parser().parse_args(argv)
        more = Extras(opt.variant, tuple(opt.patch), opt.config, opt.name or "")
        print(kernel.get(host.Host(opt.arch), opt.spec, more).directory, flush=True)

    return ending.exit_code(get)
