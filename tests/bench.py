#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench.py - where the time goes, with an empty cache and with a full one."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

from support import KERNEL, RUNNER, TOP, built, machine

from runner import accel, host

PARTS = ("packages", "kernel (download, unpack)", "module, test and initramfs build",
         "accelerator", "boot", "tests", "power-off", "verdict", "run_tests.sh")


def timed(table, part, *cmd):
    began = time.monotonic()
    out = subprocess.run([str(c) for c in cmd], stdin=subprocess.DEVNULL, check=True,
                         stdout=subprocess.PIPE, text=True).stdout.strip()
    table[part] = time.monotonic() - began
    return out


def measure(cache):
    """The stages one by one, then the whole with the cache that they left."""
    t = {}
    os.environ["XDG_CACHE_HOME"] = cache
    with tempfile.TemporaryDirectory() as tmp:
        results = f"{tmp}/results"
        began = time.monotonic()
        timed(t, "packages", *RUNNER, "packages", "run")
        kernel = timed(t, "kernel (download, unpack)", *RUNNER, "get-kernel", KERNEL)
        building = time.monotonic()
        out = built(directory=pathlib.Path(kernel), host=host.Host()).directory
        t["module, test and initramfs build"] = time.monotonic() - building
        choose = time.monotonic()
        accel.Kvm(machine(), os.uname().machine, pathlib.Path(kernel, "vmlinuz"),
                  pathlib.Path(out, "initramfs.cpio"),
                  pathlib.Path(cache, "hmm-notifier-tests")).choose()
        t["accelerator"] = time.monotonic() - choose
        prepared = time.monotonic() - began
        began = time.monotonic()
        subprocess.run([str(TOP / "run_tests.sh"), "--kernel", KERNEL, "--results", results],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        whole = time.monotonic() - began
        with open(f"{results}/latest/summary.json", encoding="utf-8") as f:
            s = json.load(f)
        with open(f"{results}/latest/boot.json", encoding="utf-8") as f:
            seconds = json.load(f)["seconds"]
        at = s["times"]
        t.update({"boot": at["tests"], "tests": at["tested"] - at["tests"],
                  "power-off": seconds - at["tested"], "verdict": whole - s["wall_s"]})
    return t, prepared, whole, s


def main():
    with tempfile.TemporaryDirectory() as cache:
        cold, prepared, whole, s = measure(cache)
        cold["run_tests.sh"] = prepared + whole
        warm, _, whole, s = measure(cache)
        warm["run_tests.sh"] = whole
    print(f"kernel {s['kernel']}, {s['accel']}, {len(s['tests'])} tests, "
          f"verdict {s['verdict']}\n")
    print(f"{'part':32} {'cold':>8} {'warm':>8}   seconds")
    for part in PARTS:
        print(f"{part:32} {cold[part]:8.1f} {warm[part]:8.1f}")


if __name__ == "__main__":
    main()
