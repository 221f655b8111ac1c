#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make check-shapes [SHAPE=NAME...]: the default set on kernels and machines of other
shapes, one after the other, and a table of what came of it. Each must be green, and have
been of its shape, by what its kernel said of itself. What skips there is listed with the
reason. Most of the time is the kernels' builds. The results are in results/shapes/."""
import collections
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
CONFIG = TOP / "runner/config"

# Options of run_tests.sh, and what stands in the log of such a kernel; one whose fragment is
# not kept does not build.
SHAPES = {
    "one-cpu": (["--cpus", "1"], r"smp: Brought up .*, 1 CPU$"),
    # Debian's kernel and what is in the guest do not fit into that
    "128m": (["--kernel", "source:6.12", "--memory", "128"], r"Memory: \d+K/13\d{4}K "),
    "thp-never": (["--append", "transparent_hugepage=never"],
                  r"transparent_hugepage/enabled is never"),
    "rt": (["--kernel", "debian:6.12-rt"], r"Linux version .* SMP PREEMPT_RT "),
    "rt-built": (["--kernel", "source:6.12", "--config", CONFIG / "rt.config"], ""),
    "no-numa": (["--kernel", "source:6.12", "--config", HERE / "no-numa.config"], ""),
    "kvm": (["--kernel", "source:6.12", "--config", TOP / "subjects/kvm-x86_64.config"], ""),
    "arm64-16k": (["--arch", "arm64", "--kernel", "debian:6.12-16k"],
                  r"Linux version \S+-arm64-16k "),
    "arm64-64k": (["--arch", "arm64", "--kernel", "source:6.12",
                   "--config", HERE / "arm64-64k.config"], ""),
}


def run(name):
    """(its summary, why it was not of its shape)"""
    options, sign = SHAPES[name]
    results = TOP / "results/shapes" / name
    (results / "latest").unlink(missing_ok=True)
    subprocess.run([TOP / "run_tests.sh", "--results", results, *options], check=False)
    try:
        log = (results / "latest/kmsg.log").read_text(errors="replace")
        summary = json.loads((results / "latest/summary.json").read_text())
    except (OSError, ValueError):
        return {}, "no results"
    return summary, "" if re.search(sign, log, re.M) else f"no {sign} in its log"


def reasons(summary):
    return collections.Counter(t["reason"] for t in summary.get("tests", [])
                               if t["result"] == "skip")


def main(names):
    unknown = set(names) - SHAPES.keys()
    if unknown:
        sys.exit(f"no such shape: {' '.join(sorted(unknown))}; there is {' '.join(SHAPES)}")
    rows, bad = [], False
    for name in names or SHAPES:
        print(f"== {name}", flush=True)
        summary, why = run(name)
        if summary.get("verdict") != "pass":
            why = why or summary.get("verdict", "no verdict")
        rows.append((name, summary, why))
        bad = bad or bool(why)
    print(f"\n{'shape':<11}{'passed':>7}{'failed':>7}{'skipped':>8}{'known bugs':>11}  kernel")
    for name, s, why in rows:
        print(f"{name:<11}{s.get('passed', 0):>7}{s.get('failed', 0):>7}"
              f"{s.get('skipped', 0):>8}{s.get('known_bugs', 0):>11}  "
              f"{s.get('kernel', '-')}{': ' if why else ''}{why}")
    everywhere = set.intersection(*(set(reasons(s)) for _, s, _ in rows))
    for name, s, _ in rows:
        for reason, nr in reasons(s).items():
            if reason not in everywhere or len(rows) == 1:
                print(f"{name}: {reason}: {nr}")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
