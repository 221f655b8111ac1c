#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""callsites.py [--kernel SPEC] [NAME...] - are seven slips of each call site noticed?

The mutants are those of slips.py. They do nothing to whoever calls none of these
functions, and are switched in a running kernel: so a guest has many of them, one after the
other, and for each the test that its patch names. That test fails, and says what the patch
says: or the slip was not noticed. Before that, each of the tests runs on the kernel as it
was; if one fails there, or is skipped, nothing counts. If a slip takes the guest with it,
the next ones have another.

Exits 0 when all are noticed, 1 when one is not, 2 when the campaign is void.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import guest  # noqa: E402
import mutants  # noqa: E402
import slips  # noqa: E402
from guest import HERE, TOP, Void  # noqa: E402
from runner import kernel as kernels  # noqa: E402

RUN = HERE / "slip.sh"
BOUNDS = 240, 60, 3600  # seconds: a test, its silence, a guest


def sections(ktap):
    """What each line of the job said, of those that ended"""
    return re.findall(rf"^# hmm_notifier: program \.\./job/{RUN.name}\n(.*?)"
                      r"^# hmm_notifier: exit ", ktap, re.M | re.S)


def noticed(said, text):
    """Whether the test has failed, with that text"""
    pattern = ".*".join(re.escape(p.strip()) for p in text.split("..."))
    return bool(re.search(r"^# not ok ", said, re.M) and re.search(pattern, said))


class Campaign:
    def __init__(self, opt, machine, tmp):
        self.opt, self.machine, self.tmp = opt, machine, tmp
        self.boots = 0

    def prepare(self):
        """Builds the kernel. Returns the mutants that are asked for."""
        plain = kernels.get(self.machine, self.opt.kernel).directory
        source = (plain / "src").resolve()
        made, without = slips.patches(source)
        for name, why in sorted(without.items()):
            print(f"no {name}: {why}")
        all_of_them = [mutants.read_mutant(n, patch) for n, patch in
                       enumerate(slips.write(made, self.tmp / "slips"), 1)]
        patch = mutants.merged_patch(source, all_of_them, self.tmp)
        extras = mutants.Extras(patches=(patch,), name="mutantscallsites")
        built = kernels.get(self.machine, self.opt.kernel, extras).directory
        self.kernel = guest.Kernel(
            self.machine, mutants.with_source_of(plain, built), self.tmp,
            self.opt.results, self.opt.accel, upstream=False)
        return [m for m in all_of_them if not self.opt.names or
                any(fnmatch.fnmatchcase(m.name, n) for n in self.opt.names)]

    def line(self, number, glob):
        lines, expected = self.kernel.job([glob])
        if len(expected) != 1:
            raise Void(f"{glob} is {len(expected)} tests")
        return f"../job/{RUN.name} {number} {lines[0]}"

    def boot(self, lines):
        """Returns what each of the lines said, up to the one that ended the guest."""
        self.boots += 1
        to = self.kernel.boot("slips", lines, [], [RUN], mutants.QUICK, bounds=BOUNDS)
        return sections((to / "ktap.log").read_text(errors="replace"))

    def part(self, chosen):
        """[(mutant, what its test said, or None)]"""
        globs, rows = sorted({m.kills[0][0] for m in chosen}), []
        while chosen:
            said = self.boot([*(self.line(0, glob) for glob in globs),
                              *(self.line(m.number, m.kills[0][0]) for m in chosen)])
            wrong = [f"{glob}: {text}" for glob, text in zip(globs, said)
                     if not re.search(r"^# ok \d+ (?!.*# SKIP)", text, re.M)]
            if wrong or len(said) < len(globs):
                raise Void(f"the unmutated kernel: {(wrong or ['does not get so far'])[0]}")
            said = said[len(globs):]
            rows += zip(chosen, said)
            chosen = chosen[len(said):]
            if chosen:
                rows.append((chosen.pop(0), None))
        return rows

    def run(self, chosen):
        """Yields each mutant, and what its test said or None."""
        chosen = sorted(chosen, key=lambda m: m.kills[0][0])  # the same test, the same guest
        size = -(-len(chosen) // self.opt.jobs)
        parts = [chosen[at:at + size] for at in range(0, len(chosen), size)]
        with concurrent.futures.ThreadPoolExecutor(self.opt.jobs) as pool:
            try:
                for rows in pool.map(self.part, parts):
                    yield from rows
            finally:
                if sys.exc_info()[0]:
                    self.machine.end_all()


def table(rows):
    """A line for each call site, a column for each slip"""
    found = collections.defaultdict(dict)
    for name, what in rows.items():
        slip, _, site = name.partition("-")
        found[site][slip] = what
    yield f"{'':30}" + " ".join(f"{s:8}" for s in slips.SLIPS)
    for site in sorted(found):
        yield f"{site:30}" + " ".join(f"{found[site].get(s, '-'):8}" for s in slips.SLIPS)


def run_all(campaign):
    opt, began = campaign.opt, time.monotonic()
    chosen = campaign.prepare()
    if not chosen:
        raise Void(f"there is no slip {' '.join(opt.names)}")
    print(f"{len(chosen)} slips of {opt.kernel} ({time.monotonic() - began:.0f} s to build)",
          flush=True)
    rows = {}
    for mutant, said in campaign.run(chosen):
        glob, text = mutant.kills[0]
        rows[mutant.name] = "noticed" if said and noticed(said, text) else "LEFT"
        if rows[mutant.name] == "LEFT":
            print(f"LEFT {mutant.name}: {mutant.what}; {glob} was to say '{text}'\n"
                  f"{said or 'the guest ended'}", flush=True)
    print("\n".join(table(rows)))
    count = collections.Counter(rows.values())
    print(f"{count['noticed']} of {len(rows)} slips noticed, {count['LEFT']} left; in "
          f"{campaign.boots} guests; {(time.monotonic() - began) / 60:.1f} min")
    (opt.results / "table.json").write_text(json.dumps(rows, indent=1))
    return 1 if count["LEFT"] else 0


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default="source:6.12")
    p.add_argument("--accel", choices=("kvm", "tcg"))
    # More than CPUs: a guest waits most of the time, for the tracer and for RCU.
    p.add_argument("--jobs", type=int, default=2 * os.cpu_count(), help="guests at once")
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results/callsites")
    p.add_argument("names", nargs="*", metavar="NAME", help="these slips, globs")
    return p.parse_args()


def main():
    opt = options()
    return guest.main(lambda machine, tmp: run_all(Campaign(opt, machine, tmp)))


if __name__ == "__main__":
    sys.exit(main())
