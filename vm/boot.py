#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""boot.py - one boot, for who has more than one to do: see runner/boot.py.

Exits 0 when the guest powered off by itself, 1 when it ended otherwise, 70 when it
could not be started or the results not be written, 130 when interrupted.
"""
import argparse
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from runner import boot, host, workdir  # noqa: E402
from runner.errors import FAIL, PASS, Stop  # noqa: E402


def options():
    p = argparse.ArgumentParser()
    for name in ("kernel", "initramfs", "job", "results"):
        p.add_argument(f"--{name}", required=True, type=pathlib.Path)
    p.add_argument("--accel", required=True, choices=("kvm", "tcg"))
    p.add_argument("--arch", default=os.uname().machine)
    p.add_argument("--append", default="", help="more kernel parameters")
    p.add_argument("--memory", type=int, default=1024, help="MiB in the guest")
    p.add_argument("--boot-timeout", type=float, default=120,
                   help="seconds until the guest has to say its first word")
    p.add_argument("--timeout", type=float, default=600,
                   help="seconds for everything after that")
    p.add_argument("--silence", type=float, default=90,
                   help="seconds in which the guest has to say something")
    p.add_argument("--log-limit", type=int, default=64, help="MiB of any one log")
    p.add_argument("--started", type=float, default=time.time(),
                   help="when the run began; wall_s counts from there")
    p.add_argument("--verbose", action="store_true")
    return p.parse_args()


def main():
    opt = options()
    machine = host.Host()
    host.end_at_signals()
    try:
        with workdir.made(machine) as tmp:
            how = boot.run(boot.Boot(**vars(opt)), machine, tmp)
    except Stop as e:
        if str(e):
            print(f"boot: {e}", file=sys.stderr)
        return e.code
    return PASS if how == "power-off" else FAIL


if __name__ == "__main__":
    sys.exit(main())
