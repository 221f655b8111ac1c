#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stable.py [-n RUNS] [--busy LOOPS] [--jobs N] [OPTION OF run_tests.sh...] - is it
flaky?  Runs run_tests.sh again and again, by default 50 times, beside so many busy
loops, N runs at a time, and compares what it says of each test.  Exits 1 when a test
failed or two runs differ; what such a run left is kept and named."""
import argparse
import collections
import concurrent.futures
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from support import TOP


def at_least_one(text):
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError("a number of runs, 1 or more")
    return int(text)


def options():
    p = argparse.ArgumentParser(usage="stable.py [-n N] [--busy N] [--jobs N] [OPTION OF "
                                "run_tests.sh...]")
    p.add_argument("-n", type=at_least_one, default=50, metavar="N", help="runs")
    p.add_argument("--busy", type=int, default=0, help="busy loops beside them")
    p.add_argument("--jobs", type=int, default=1, help="runs at a time")
    return p.parse_known_args()


def one_run(args):
    """(where its results are, summary)"""
    where = pathlib.Path(tempfile.mkdtemp(prefix="hmm-notifier-stable-"))
    subprocess.run([TOP / "run_tests.sh", "--results", where, *args], check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    try:
        return where, json.loads((where / "latest/summary.json").read_text())
    except (OSError, ValueError):
        return where, {}


def in_the_guest(summary):
    """Seconds from the programs' start to their end"""
    times = summary.get("times", {})
    return times.get("tested", 0) - times.get("tests", 0)


def all_runs(opt, args):
    """Prints a line for each run; returns (summaries, those whose results are kept)."""
    summaries, kept, usual = [], [], None
    with concurrent.futures.ThreadPoolExecutor(opt.jobs) as pool:
        futures = [pool.submit(one_run, args) for _ in range(opt.n)]
        for n, future in enumerate(concurrent.futures.as_completed(futures), 1):
            where, s = future.result()
            results = {t["name"]: t["result"] for t in s.get("tests", [])}
            usual = usual or results
            fine = results == usual and s.get("verdict") == "pass"
            print(f"{n:3} {s.get('verdict', 'none'):8} {s.get('wall_s', 0):6.1f} s, in "
                  f"the guest {in_the_guest(s):6.1f} s {'' if fine else where}", flush=True)
            summaries.append(s)
            if fine:
                shutil.rmtree(where)
            else:
                kept.append(where)
    return summaries, kept


def differing(summaries):
    """{test: how often it had which result} of those that are not always the same"""
    seen = collections.defaultdict(collections.Counter)
    for s in summaries:
        for t in s.get("tests", []):
            seen[t["name"]][t["result"]] += 1
    return {name: dict(c) for name, c in sorted(seen.items())
            if len(c) > 1 or sum(c.values()) != len(summaries) or "fail" in c}


def main():
    opt, args = options()
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
             for _ in range(opt.busy)]
    try:
        summaries, kept = all_runs(opt, args)
    finally:
        for loop in loops:
            loop.kill()
    for name, results in differing(summaries).items():
        print(f"{name}: {results}")
    for what, seconds in (("wall", [s.get("wall_s", 0) for s in summaries]),
                          ("in the guest", [in_the_guest(s) for s in summaries])):
        print(f"{what}: {min(seconds):.1f} to {max(seconds):.1f} s, "
              f"median {statistics.median(seconds):.1f} s")
    tests = len(summaries[0].get("tests", []))
    print(f"{len(summaries)} runs of {tests} tests, {len(kept)} not like the first or failed")
    return 1 if kept else 0


if __name__ == "__main__":
    sys.exit(main())
