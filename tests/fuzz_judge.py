#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fuzz_judge.py [-n N] [--seed S] [--first I] [RESULTS] - breaks a good run in N ways,
and has each judged.  Those that must not pass and do are false passes; a traceback, and
more than 5 s of CPU or 512 MiB for one verdict, is a fault, too.  Each mutant depends on
S and its number alone.  Without RESULTS the run is a made-up one (goodrun.py).
"""
import argparse
import collections
import contextlib
import dataclasses
import io
import json
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import goodrun  # noqa: E402
import mutations  # noqa: E402
from runner import judge  # noqa: E402
from stable import at_least_one  # noqa: E402

SECONDS, MEMORY = 5, 512 << 20
CONTROL = re.compile(r"[^\n\x20-\x7e\xa0-\uffff]")


@dataclasses.dataclass
class Found:
    """What became of the mutants"""
    codes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    faults: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0
    memory: int = 0
    n: int = 0

    def note(self, one: dict) -> None:
        self.n += 1
        self.codes[one["code"]] += 1
        self.seconds = max(self.seconds, one["seconds"])
        self.memory = max(self.memory, one["memory"])
        self.faults += [f"{fault}: mutant {one['n']}, {one['kind']}"
                        for fault in one["faults"]]


def faults_of(where: pathlib.Path, code: int, out: str, must_fail: bool):
    summary = json.loads((where / "summary.json").read_text())
    if must_fail and code == 0:
        yield "FALSE PASS"
    if (code == 0) != (summary["verdict"] == "pass"):
        yield "the exit code and summary.json disagree"
    if CONTROL.search(out):
        yield "control characters on the screen"
    ET.parse(where / "junit.xml")


def judge_one(good: pathlib.Path, where: pathlib.Path, seed: int, n: int) -> dict:
    mutant = mutations.mutant(good, random.Random(f"{seed}-{n}"))
    shutil.copytree(good, where)
    for name, data in mutant.files.items():
        if data is None:
            (where / name).unlink()
        else:
            (where / name).write_bytes(data)
    out, code, faults, began = io.StringIO(), -1, [], time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS) # the default action is the end
    try:
        with contextlib.redirect_stdout(out):
            code = judge.main([str(where)])
        faults = list(faults_of(where, code, out.getvalue(), mutant.must_fail))
    except BaseException as e:
        at = traceback.extract_tb(e.__traceback__)[-1]
        faults = [f"{type(e).__name__} at {pathlib.Path(at.filename).name}:{at.lineno}"]
    signal.setitimer(signal.ITIMER_PROF, 0)
    shutil.rmtree(where)
    return {"n": n, "kind": mutant.kind, "code": code, "faults": faults,
            "seconds": round(time.process_time() - began, 2),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}


def work(good: pathlib.Path, seed: int, numbers: range) -> None:
    """A line of JSON for each mutant, within the bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory(dir=good.parent) as tmp:
        for n in numbers:
            print(json.dumps(judge_one(good, pathlib.Path(tmp) / "r", seed, n)), flush=True)


def fuzz(count: int, seed: int = 1, first: int = 0,
         results: pathlib.Path | None = None) -> Found:
    """Runs the workers. If one dies, its mutant is at fault, and a new worker goes on."""
    found = Found()
    shm = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fuzz-judge-", dir=shm) as tmp:
        good = pathlib.Path(tmp) / "good"
        good.mkdir()
        if results:
            for name in mutations.FILES:
                shutil.copy(results / name, good)
        else:
            goodrun.large(good)
        while found.n < count:
            numbers = [str(first + found.n), str(first + count)]
            worker = subprocess.Popen([sys.executable, __file__, "--seed", str(seed),
                                       "--worker", *numbers, str(good)],
                                      stdout=subprocess.PIPE, text=True)
            for line in worker.stdout:
                found.note(json.loads(line))
            if worker.wait() and found.n < count:
                found.note({"n": first + found.n, "kind": "?", "code": worker.returncode,
                            "faults": ["the judge died"], "seconds": 0, "memory": 0})
    return found


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=at_least_one, default=1000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--worker", type=int, nargs=2)
    p.add_argument("results", type=pathlib.Path, nargs="?")
    opt = p.parse_args()
    if opt.worker:
        work(opt.results, opt.seed, range(*opt.worker))
        return 0
    found = fuzz(opt.n, opt.seed, opt.first, opt.results)
    print("\n".join(found.faults))
    print(f"{found.n} mutants, {len(found.faults)} faults; exit codes "
          f"{dict(sorted(found.codes.items()))}; at most {found.seconds} s and "
          f"{found.memory} MiB")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
