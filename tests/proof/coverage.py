#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""coverage.py [--kernel SPEC] - what of mm/mmu_notifier.c the tests run.

Boots a kernel that has just this file instrumented, once with the suite and once with
upstream's own tests, and prints both, function by function, lines and branches. The
annotated source goes to results/coverage/ as HTML.

What is not run must be listed in uncovered, with the reason. Exits 1 if something else
is not, or if less than 90 % of the lines are.
"""
import argparse
import base64
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import guest  # noqa: E402
from guest import HERE, TOP, Void, run  # noqa: E402
from runner import judge, kernel  # noqa: E402
from runner.linux.request import Extras  # noqa: E402

SOURCE = "mm/mmu_notifier.c"
AT_LEAST = 90
# The whole suite takes minutes and reaches no other lines than these tests do.
PROGRAMS = ["contract:*", "some_fail:*", "device:*", "errno:*", "overlap:*",
            "register:*", "register_locked:*"]


@dataclasses.dataclass
class Seen:
    """Of one function: which of its lines and branches there are, and which ran."""
    lines: dict = dataclasses.field(default_factory=dict)     # number: count
    branches: dict = dataclasses.field(default_factory=dict)  # (number, index): count

    @staticmethod
    def share(counts):
        return sum(map(bool, counts.values())), len(counts)


def read_gcda(ktap):
    """The data that gcov.sh printed."""
    text = re.search(r"^# gcov: begin\n(.*?)^# gcov: end$", ktap, re.M | re.S)
    if not text:
        raise Void("the guest gave no coverage: has it CONFIG_GCOV_KERNEL?")
    return base64.b64decode("".join(re.findall(r"^# (\S+)$", text[1], re.M)))


def read_counts(directory):
    """{function: Seen} by gcov."""
    out = run("gcov", "--json-format", "--stdout", "--branch-probabilities",
              directory / "mmu_notifier.gcda", cwd=directory)
    functions = {}
    for file in json.loads(out)["files"]:
        if not file["file"].endswith(SOURCE):
            continue
        for line in file["lines"]:
            seen = functions.setdefault(line.get("function_name", "(no function)"), Seen())
            number = line["line_number"]
            seen.lines[number] = seen.lines.get(number, 0) + line["count"]
            for i, branch in enumerate(line["branches"]):
                seen.branches[number, i] = branch["count"]
    return functions


class Coverage:
    def __init__(self, opt, machine, tmp):
        self.opt, self.tmp = opt, tmp
        built = kernel.get(machine, opt.kernel, Extras("gcov"))
        self.kernel = guest.Kernel(machine, built.directory, tmp, opt.results, opt.accel)
        self.source = (self.kernel.dir / "src" / SOURCE).read_text().splitlines()

    def boot(self, name, lines, expected, files):
        job = ["../job/gcov.sh reset", *lines, "../job/gcov.sh read"]
        to = self.kernel.boot(name, job, expected, [HERE / "gcov.sh", *files],
                              bounds=(200, 60, 400))
        directory = self.tmp / f"gcov-{name}"
        directory.mkdir()
        (directory / "mmu_notifier.gcda").write_bytes(
            read_gcda((to / "ktap.log").read_text(errors="replace")))
        shutil.copy(self.kernel.dir / "build/mm/mmu_notifier.gcno", directory)
        self.html(name, directory)
        return to, read_counts(directory)

    def ours(self):
        lines, expected = self.kernel.job(PROGRAMS)
        to, counts = self.boot("ours", lines, expected, [])
        failed = [t for t in judge.Judge(to).judge()
                  if t["result"] == "fail" and t["name"] in self.kernel.names]
        if failed:
            raise Void(f"{failed[0]['name']} fails: {failed[0]['reason']}")
        return counts

    def upstream(self):
        _, counts = self.boot("upstream", guest.UPSTREAM_JOB, [], self.kernel.upstream)
        return counts

    def html(self, name, directory):
        subprocess.run(["gcovr", "--root", (self.kernel.dir / "src").resolve(),
                        "--object-directory", (self.kernel.dir / "build").resolve(),
                        "--filter", f".*/{SOURCE}", "--html-details",
                        self.opt.results / f"{name}.html", directory],
                       check=False, stdout=subprocess.DEVNULL)

    def excuses(self):
        """{text of a line: reason} of what is known not to run."""
        found = {}
        for line in (HERE / "uncovered").read_text().splitlines():
            if line and not line.startswith("#"):
                function, code, reason = line.split(" | ")
                found[function.strip(), code.strip()] = reason
        return found


def percent(part):
    return f"{part[0]:3}/{part[1]:<3} {100 * part[0] / max(part[1], 1):5.1f} %"


def total(functions, what):
    shares = [Seen.share(getattr(s, what)) for s in functions.values()]
    return sum(s[0] for s in shares), sum(s[1] for s in shares)


def table(spec, ours, theirs):
    """Prints it; returns it for report.html."""
    print(f"{'':44} {'lines: ours':>14} {'hmm-tests':>14} {'branches: ours':>15} {'hmm-tests':>14}")
    rows = [(f, *(percent(Seen.share(getattr(side.get(f, Seen()), what)))
                  for what in ("lines", "branches") for side in (ours, theirs)))
            for f in sorted(ours, key=lambda f: min(ours[f].lines))]
    rows.append(("all of mm/mmu_notifier.c",
                 *(percent(total(side, what))
                   for what in ("lines", "branches") for side in (ours, theirs))))
    for name, *cells in rows:
        print(f"{name:44} " + " ".join(f"{c:>14}" for c in cells))
    keys = ("lines", "hmm-tests' lines", "branches", "hmm-tests' branches")
    return [{"function": name, **dict(zip(keys, cells)), "spec": spec} for name, *cells in rows]


def not_run(ours, source):
    """[(function, line number, code, what)] of what did not run."""
    for function, seen in ours.items():
        for number, count in sorted(seen.lines.items()):
            sides = [c for (n, _), c in seen.branches.items() if n == number]
            code = source[number - 1].strip()
            if not count:
                yield function, number, code, "not run"
            elif sides and not all(sides):
                yield (function, number, code,
                       f"{sides.count(0)} of {len(sides)} branches not taken")


def check(ours, source, excuses):
    """Prints what is not run, with the reason; returns the exit code."""
    used, code = set(), 0
    print("\nnot run:")
    for function, number, text, what in not_run(ours, source):
        keys = [k for k in ((function, text), (function, "*")) if k in excuses]
        used.update(keys[:1])
        reason = excuses[keys[0]] if keys else "NO REASON KNOWN"
        code |= not keys
        print(f"  {SOURCE}:{number} {function}: {what}: {text}\n      {reason}")
    for function, text in sorted(set(excuses) - used):
        print(f"  {function}: '{text}' is listed in uncovered; here it runs, or isn't there")
    ran, lines = total(ours, "lines")
    if 100 * ran < AT_LEAST * lines:
        print(f"  less than {AT_LEAST} % of the lines")
        code = 1
    return code


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default="source:6.12")
    p.add_argument("--accel", choices=("kvm", "tcg"))
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results/coverage")
    return p.parse_args()


def main():
    opt = options()
    opt.results = opt.results.resolve()

    def work(machine, tmp):
        coverage = Coverage(opt, machine, tmp)
        ours, theirs = coverage.ours(), coverage.upstream()
        rows = table(opt.kernel, ours, theirs)
        (opt.results / "table.json").write_text(json.dumps(rows, indent=1))
        return check(ours, coverage.source, coverage.excuses())

    return guest.main(work)


if __name__ == "__main__":
    sys.exit(main())
