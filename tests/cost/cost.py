#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""cost.py [--static | --dynamic] - what the rule costs those who keep it.

Static: the instructions that a start of an invalidation with one successful callback runs,
and the size, with the check as it is and in other words, for each compiler and architecture.
Dynamic: the instructions of madvise(MADV_DONTNEED) with 0 to 16 notifiers, counted by
QEMU, with upstream's test_hmm and with ours, whose fail points are not armed.

Prints the tables, and writes them to results/cost/ with a plot.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]
import counted  # noqa: E402
import codegen  # noqa: E402
from support import TOP  # noqa: E402
from runner import host, kernel, workdir  # noqa: E402
from runner.errors import Interrupted, Stop  # noqa: E402

SPEC = "source:7.2"


def columns(rows):
    """Text of rows of cells: the first to the left, the others to the right"""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
                             for i, (cell, w) in enumerate(zip(row, widths))).rstrip() + "\n"
                   for row in rows)


def static_table(costs):
    """By start a row for each way; of each compiler instructions, bytes, the object's"""
    text = ""
    targets = list(dict.fromkeys((c.compiler, c.arch) for c in costs))
    for start in codegen.STARTS:
        rows = [[f"{start} start", *(" ".join(t) for t in targets)]]
        for way in codegen.WAYS:
            of = {(c.compiler, c.arch): c for c in costs if (c.start, c.way) == (start, way)}
            rows.append([way, *(f"{of[t].hot} / {of[t].size} / {of[t].object}"
                                for t in targets)])
        text += columns(rows) + "\n"
    return ("Instructions that are run with one callback, which succeeds / bytes of the "
            f"function / bytes of the object\n\n{text}")


def dynamic_table(counts):
    numbers = counted.NUMBERS
    rows = [["notifiers", *numbers]]
    for kind in counted.KINDS:
        rows.append([kind, *(counts["ours", kind, n] for n in numbers)])
    theirs, ours = (counts[module, "mirror", 1] for module in ("pristine", "ours"))
    return ("Instructions of madvise(MADV_DONTNEED) of one page, all notifiers succeed\n\n"
            f"{columns(rows)}\nwith upstream's mirror: {theirs} by the pristine test_hmm, "
            f"{ours} by ours, disarmed: {ours / theirs - 1:+.2%}\n")


def extent(numbers):
    least, most = min(numbers), max(numbers)
    return f"{least} to {most}" if least != most else f"{least}"


def static_words(costs):
    """The paragraph of the README"""
    of = {(c.start, c.compiler, c.arch, c.way): c for c in costs}
    targets = list(dict.fromkeys((c.start, c.compiler, c.arch) for c in costs))

    def more(way, than, what):
        return extent([getattr(of[(*t, way)], what) - getattr(of[(*t, than)], what)
                       for t in targets])

    return (f"A start with one callback that succeeds runs {extent([c.hot for c in costs])} "
            "instructions.  With if and pr_warn() in place of WARN_ON() it runs "
            f"{more('if + pr_warn', 'WARN_ON', 'hot')} more, and has "
            f"{more('if + pr_warn', 'WARN_ON', 'size')} bytes more; with no check it runs "
            f"{more('no check', 'WARN_ON', 'hot')} more, and has "
            f"{more('no check', 'WARN_ON', 'size')} bytes more.\n")


def dynamic_words(counts):
    text = f"madvise() takes {counts['ours', 'hlist', 0]} instructions without notifiers"
    for kind in counted.KINDS:
        none, one, most = (counts["ours", kind, n] for n in (0, 1, counted.NUMBERS[-1]))
        text += (f", {one - none} more with one {kind} notifier, and "
                 f"{(most - one) // (counted.NUMBERS[-1] - 1)} for each other")
    return f"{text}.\n"


def plot(counts, to):
    data = "".join(
        "".join(f"{n} {counts['ours', kind, n]}\n" for n in counted.NUMBERS) + "e\n"
        for kind in counted.KINDS)
    lines = ", ".join(f"'-' with linespoints title '{kind}'" for kind in counted.KINDS)
    subprocess.run(["gnuplot"], check=True, text=True, input=f"""
set terminal svg size 640,400
set output '{to}'
set title 'madvise(MADV\\_DONTNEED) of one page'
set xlabel 'notifiers, all of which succeed'
set ylabel 'instructions'
set yrange [0:]
set key left top
plot {lines}
{data}""")


def measure(opt, machine, tmp):
    opt.results.mkdir(parents=True, exist_ok=True)
    built = kernel.get(machine, SPEC)
    version = re.sub(r"^.*/", "", str((built.directory / "pristine").resolve()))
    text = f"Linux {version}\n\n"
    if not opt.dynamic:
        costs = list(codegen.measure((built.directory / "pristine").resolve(),
                                     machine.cache() / "cost", opt.results / "objects"))
        text += static_table(costs) + static_words(costs) + "\n"
    if not opt.static:
        counts = counted.count(machine, built, tmp, opt.results)
        text += dynamic_table(counts) + "\n" + dynamic_words(counts)
        plot(counts, opt.results / "madvise.svg")
    (opt.results / "table.txt").write_text(text)
    print(text, end="")


def main():
    p = argparse.ArgumentParser()
    which = p.add_mutually_exclusive_group()
    which.add_argument("--static", action="store_true")
    which.add_argument("--dynamic", action="store_true")
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results/cost")
    opt = p.parse_args()
    host.end_at_signals()
    machine = host.Host()
    try:
        with workdir.made(machine) as tmp:
            measure(opt, machine, tmp)
        return 0
    except Interrupted as e:
        return e.code
    except (Stop, codegen.Unclear) as e:
        print(f"cost.py: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
