#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench.py [-n N] [--cold] [OPTION...] - where the time of a run goes.

Each second of ./run_tests.sh OPTION... has a row. Beside it, in turns, the kernel and the
initramfs of that run are booted to an init that powers off: a run can't be compared with
another machine's, or with this one's when it was less busy, but with that. Shown are
medians of seconds; of all programs together also of CPU time, which is no longer on a
machine that others use.

bench.py --counted [OPTION...] - the same of the guest alone, by QEMU's -icount: its clock
goes by what it has run, 4 ns for an instruction, and what it has waited, whatever else this
machine does. It boots, as a guest that was saved can't be counted.

bench.py --goals [NAME...] [-n N] [--kernel KERNEL] - what the project wants to be quick at,
and what it is: see goals.py.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from support import TOP

from runner import boot, qemu
from runner.main import main as runner_main

# What a run has marked (host.py), and what was done when it did
MARKS = {"python": "start of Python", "packages": "packages checked",
         "kernel": "kernel checked", "builds": "builds checked",
         "tests": "tests found and chosen", "accelerator": "accelerator tried",
         "described": "run described", "qemu": "snapshot checked",
         "first": "restored, or booted, to the first word", "began": "until the first program",
         "tested": "tests", "guest": "power-off", "verdict": "judge and report",
         "end": "end of Python"}
BETWEEN = "between the tests"


def spent(cmd):
    """(began, seconds, seconds of CPU) of a command"""
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before, began = cpu(), time.time()
    subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return began, time.time() - began, cpu() - before


class Counted(boot.Guest):
    def qemu(self, initramfs, port=()):
        return [*super().qemu(initramfs, port), "-icount", "shift=2,sleep=off"]


MARK = re.compile(r"\d+,\d+,(\d+),[^;]*;hmm_notifier: (begin|end) (\w+):")


def guest_rows(log):
    """{row: (seconds, how many)} of the kernel's log of a guest"""
    found = [(int(us) / 1e6, what, program) for us, what, program in MARK.findall(log)]
    rows = {"boot, to the first test": (found[0][0], 1)}
    for (at, what, program), (later, _, after) in zip(found, found[1:]):
        row = ("tests" if what == "begin" else
               f"{BETWEEN} of a program" if program == after else "between programs")
        seconds, n = rows.get(row, (0, 0))
        rows[row] = seconds + later - at, n + 1
    return rows


def count(options, tmp):
    boot.Guest = Counted
    code = runner_main(["--results", str(tmp), "--no-snapshot", "--accel", "tcg",
                        "--boot-timeout", "900", *options])
    if code not in (0, 1):
        sys.exit(code)
    print(f"\n{'':40} {'seconds':>8} {'times':>6} {'ms each':>8}")
    for row, (seconds, n) in guest_rows((tmp / "latest/kmsg.log").read_text()).items():
        print(f"{row:40} {seconds:8.2f} {n:6} {seconds / n * 1000:8.1f}")


def read(path):
    return json.loads(path.read_text())


def rows(run, began, seconds):
    """{row: seconds} of a run that began and took so long"""
    at, boot = read(run / "times.json"), read(run / "boot.json")["times"]
    at.update({"first": at["qemu"] + boot["first"], "began": at["qemu"] + boot["tests"],
               "tested": at["qemu"] + boot["tested"], "end": began + seconds})
    table, last = {}, began
    for mark, row in MARKS.items():
        table[row], last = at[mark] - last, at[mark]
    in_tests = sum(t["seconds"] or 0 for t in read(run / "summary.json")["tests"])
    table[BETWEEN] = table["tests"] - in_tests
    table["tests"] = in_tests
    return table


def bare(run, tmp):
    """The command that boots this run's guest to power-off"""
    words = shlex.split((run / "qemu-command").read_text().split("\n")[-2])
    kernel = words[words.index("-kernel") + 1]
    initramfs = (run / "qemu-command").read_text().partition("\ncat ")[2].split()[0]
    accel = words[words.index("-accel") + 1].partition(",")[0]
    return qemu.command(os.uname().machine, accel, pathlib.Path(kernel),
                        pathlib.Path(initramfs), tmp / "console", append="rdinit=/probe")


def measure(n, options, tmp):
    """[{row: seconds}], [(seconds, CPU) of the whole], [the same of bare boots]"""
    tables, wholes, boots = [], [], []
    for i in range(n):
        results = tmp / str(i)
        began, *whole = spent([TOP / "run_tests.sh", "--results", results, *options])
        run = (results / "latest").resolve()
        tables.append(rows(run, began, whole[0]))
        wholes.append(whole)
        boots.append(spent(bare(run, tmp))[1:])
        summary = read(run / "summary.json")
    print(f"{summary['kernel']}, {summary['accel']}, {len(summary['tests'])} tests, verdict "
          f"{summary['verdict']}, {n} times, {os.cpu_count()} CPUs; medians in seconds\n")
    return tables, wholes, boots


def show(tables, wholes, boots):
    boot, boot_cpu = map(statistics.median, zip(*boots))

    def line(what, seconds, cpu=None):
        of = f"{cpu:8.1f} {cpu / boot_cpu:8.2f}" if cpu else ""
        print(f"{what:40} {seconds:8.2f} {seconds / boot:8.2f} {of}".rstrip())

    print(f"{'':40} {'wall':>8} {'boots':>8} {'CPU':>8} {'boots':>8}")
    for row in [*MARKS.values()][:-3] + [BETWEEN] + [*MARKS.values()][-3:]:
        line(row, statistics.median(t[row] for t in tables))
    for what, times in (("run_tests.sh", wholes), ("a bare boot of its guest", boots)):
        line(what, *map(statistics.median, zip(*times)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=int)
    p.add_argument("--cold", action="store_true", help="once, with an empty cache")
    p.add_argument("--counted", action="store_true", help="the guest, by instructions")
    p.add_argument("--goals", nargs="*", metavar="NAME", help="of goals.py; all of them")
    opt, more = p.parse_known_args()
    if opt.goals is not None:
        import goals  # pylint: disable=import-outside-toplevel # it needs what is here
        p = argparse.ArgumentParser(prog="bench.py --goals [NAME...]")
        p.add_argument("--kernel", default="source:6.12", help="where one is built")
        sys.exit(goals.main(opt.n or 3, p.parse_args(more).kernel, opt.goals))
    with tempfile.TemporaryDirectory() as tmp:
        if opt.counted:
            count(more, pathlib.Path(tmp))
            return
        if opt.cold:
            os.environ["XDG_CACHE_HOME"] = tmp
        show(*measure(1 if opt.cold else opt.n or 5, more, pathlib.Path(tmp)))


if __name__ == "__main__":
    main()
