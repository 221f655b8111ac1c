#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""accel.py [--device FILE] VMLINUZ INITRAMFS CACHE - prints kvm or tcg: what can boot
this kernel.  See runner/accel.py."""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from runner import accel, host  # noqa: E402


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--device", default=accel.DEVICE)
    for name in ("vmlinuz", "initramfs", "cache"):
        p.add_argument(name, type=pathlib.Path)
    opt = p.parse_args()
    machine = host.Host()
    host.end_at_signals()
    print(accel.Kvm(machine, os.uname().machine, opt.vmlinuz, opt.initramfs, opt.cache,
                    opt.device).choose())


if __name__ == "__main__":
    main()
