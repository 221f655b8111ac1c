#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mutants.py [--kernel SPEC] [NAME...] - does the suite notice each known mistake?

Boots each mutant of kernel-patches/mutants/ and runs on it the tests that its patch names,
and beside them upstream's own. A mutant is killed when those fail, and say what it says;
not by a build, a boot or another test that fails. The unmutated kernel runs first, and as
at least every tenth boot: if it fails once, nothing counts.

A patch begins with lines like these:
    Breaks: what is wrong with it
    Origin: when it was made for real, if it was
    Killed-by: GLOB OF TESTS: TEXT ... TEXT
    Unobservable: the proof
    Seen-by: lockdep
One of the tests has to fail, with a line that has these texts. One that can't be
observed has the proof instead, and must fail none of the rule's own tests. Lockdep takes
twice the time: only those that nothing else can see run on a kernel that has it.

Exits 0 when all are killed, 1 when one is not, 2 when the campaign is void.
"""
import argparse
import concurrent.futures
import dataclasses
import fnmatch
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import HERE, TOP, Void, run  # noqa: E402
from runner import judge, kernel as kernels, programs, shards  # noqa: E402
from runner.linux.request import Extras  # noqa: E402

MUTANTS = TOP / "kernel-patches/mutants"
CONTROL_EVERY = 9
# What the kernels have beyond runner/config/
CONFIGS = {"plain": None, "lockdep": HERE / "lockdep.config"}
# A third of the CPU time: 14.5 or 9.5 s for what each guest of 6.12 runs. Elsewhere it costs
# more than it saves, where an invalidation is held for long.
QUICK = "rcupdate.rcu_expedited=1"
# Which mutant the guest runs; it is told when it is up, so that all go on from one snapshot.
MM_MUTANT = "/sys/module/kernel/parameters/mm_mutant"
NOT_SET = f"could not set {MM_MUTANT}"
# The rule as a whole, where no test has to fail
WHOLE = ["contract:*", "errno:*"]
# Tests that wait for a callback that never comes take time, but no CPU.
WAITS = ("-110", "nothing said for", "terminated by timeout")
WAITING_JOBS = 2


@dataclasses.dataclass
class Mutant:
    number: int
    patch: pathlib.Path
    what: str = ""
    origin: str = ""
    kills: list = dataclasses.field(default_factory=list)  # (glob, text)
    proof: str = ""
    kernel: str = "plain"

    @property
    def name(self):
        return self.patch.stem

    @property
    def globs(self):
        return [glob for glob, _ in self.kills] or WHOLE

    @property
    def waits(self):
        return any(text in t for _, t in self.kills for text in WAITS)


def read_mutant(number, patch):
    mutant = Mutant(number, patch)
    for line in patch.read_text().partition("---\n")[0].splitlines():
        key, _, value = line.partition(": ")
        if key == "Breaks":
            mutant.what = value
        elif key == "Origin":
            mutant.origin = value
        elif key == "Killed-by":
            glob, _, text = value.partition(": ")
            mutant.kills.append((glob, text.strip()))
        elif key == "Unobservable":
            mutant.proof = value
        elif key == "Seen-by":
            mutant.kernel = value
        else:
            raise Void(f"{patch.name}: what is '{line}'?")
    if mutant.kernel not in CONFIGS:
        raise Void(f"{patch.name}: there is no kernel {mutant.kernel}")
    if not mutant.what or bool(mutant.kills) == bool(mutant.proof):
        raise Void(f"{patch.name}: Breaks:, and either Killed-by: or Unobservable:")
    return mutant


def read_mutants(base):
    """All of them, as their numbers in the kernel depend on it."""
    patches = sorted([*MUTANTS.glob("*.patch"), *(MUTANTS / base).glob("*.patch")],
                     key=lambda p: p.name)
    return [read_mutant(n, p) for n, p in enumerate(patches, 1)]


def merged_patch(source, mutants, tmp):
    """One patch that has them all."""
    run(HERE / "merge.py", source, tmp / "b", *(m.patch for m in mutants))
    for f in (tmp / "b").rglob("*"):
        to, old = (d / f.relative_to(tmp / "b") for d in (tmp / "a", source))
        if old.is_file():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old, to)
    # git's has no times in it: the same mutants are the same kernel
    diff = subprocess.run(["git", "diff", "--no-index", "--no-prefix", "--no-color",
                           "--no-ext-diff", "a", "b"], cwd=tmp, text=True,
                          stdout=subprocess.PIPE, check=False).stdout
    (tmp / "mutants.patch").write_text(diff)
    return tmp / "mutants.patch"


def with_source_of(plain, built):
    """The kernel directory, but the suite is built for the unmutated source: see
    merge.py for why the WARNs are where that says. It stays where it is, or
    the build would take it for another kernel each time."""
    to = built.with_name("kernel-unmutated")
    to.mkdir(exist_ok=True)
    for f in built.iterdir():
        new = to / f".{f.name}.{os.getpid()}"
        new.symlink_to(plain / "src" if f.name == "src" else f)
        new.replace(to / f.name)
    return to


class Campaign:
    def __init__(self, opt, machine, tmp):
        self.opt, self.machine, self.tmp = opt, machine, tmp
        self.stop = False

    def prepare(self, names):
        """Builds what the mutants of these names run on; returns them."""
        plain = kernels.get(self.machine, self.opt.kernel).directory
        mutants = read_mutants((plain / "base").read_text().strip())
        patch = merged_patch((plain / "src").resolve(), mutants, self.tmp)
        chosen = [m for m in mutants if not names or
                  any(fnmatch.fnmatchcase(m.name, n) for n in names)]
        self.kernels = {name: self.build(name, plain, patch)
                        for name in sorted({m.kernel for m in chosen}, reverse=True)}
        return chosen

    def build(self, name, plain, patch):
        built = kernels.get(self.machine, self.opt.kernel, Extras(
            patches=(patch,), config=CONFIGS[name], name=f"mutants{name}")).directory
        tmp = self.tmp / name
        tmp.mkdir()
        return guest.Kernel(self.machine, with_source_of(plain, built), tmp,
                            self.opt.results / name, self.opt.accel)

    def kept(self, mutant):
        """The file for what upstream's tests said of a mutant, each time. That depends on
        the kernel, test_hmm and them, and takes half of the time, while what changes is our
        suite. (Not on the module: mutants of headers are in it, by their numbers.)"""
        kernel = self.kernels[mutant.kernel]
        files = [*(kernel.dir / f for f in ("origin", "release", "config")),
                 *(kernel.out / "module/lib" / f for f in ("test_hmm.c", "test_hmm_uapi.h")),
                 *kernel.upstream]
        key = hashlib.sha256(b"".join(f.read_bytes() for f in files))
        diff = mutant.patch.read_text().partition("---\n")[2]
        key.update("".join(f"{line}\n" for line in [*guest.UPSTREAM_JOB, diff]).encode())
        return self.machine.cache() / "upstream-runs" / key.hexdigest()[:32]

    def boot(self, kernel, name, number, globs, upstream=True):
        """Boots a mutant; returns what the judge says, upstream's tests, and seconds."""
        began = time.monotonic()
        kernel = self.kernels[kernel]
        lines, expected = kernel.job(globs)
        files = []
        if upstream and not self.opt.no_upstream:
            # First, so that nothing of ours disturbs them; but lockdep tells once, and
            # is then off.
            both = [guest.UPSTREAM_JOB, lines]
            first, then = both if kernel is self.kernels.get("plain") else both[::-1]
            lines = first + then
            files = kernel.upstream
        to = kernel.boot(name, lines, expected, files, QUICK, [f"{MM_MUTANT} {number}"])
        seconds = time.monotonic() - began
        # upstream's are told from what they print, below
        tests = [t for t in judge.Judge(to).judge()
                 if "bounded" not in t["name"] + t["reason"]]
        ktap = (to / "ktap.log").read_text(errors="replace")
        if NOT_SET in ktap:
            raise Void(f"{name}: the guest can't be made to run it")
        return tests, guest.upstream_says(ktap), seconds

    def control(self, kernel, globs, first):
        """The unmutated kernel and what mutants are to be killed by; a failure here
        voids all."""
        tests, upstream, seconds = self.boot(kernel, "unmutated", 0, globs, first)
        wrong = [f"{t['name']}: {t['reason']}" for t in tests if t["result"] == "fail"]
        ran = [t for t in tests if t["result"] != "skip"]
        wrong += [f"none of {glob} ran" for glob in set(globs) - set(WHOLE)
                  if not any(named(t["name"], glob) for t in ran)]
        if wrong:
            self.stop = True
            raise Void(f"the unmutated kernel fails: {wrong[0]}")
        return Row("(unmutated)", "passes", [], upstream, seconds, kernel)

    def mutant(self, mutant):
        if self.stop:
            return None
        kept, runs, said = self.kept(mutant), [], None
        if kept.exists() and not self.opt.no_upstream:
            runs = json.loads(kept.read_text())
            # a hang may be the host's, but not twice
            if runs.count(runs[-1]) > 1 or not {"hang", "no end"} & set(runs[-1].values()):
                said = runs[-1]
        what_runs = (mutant.kernel, mutant.name, mutant.number, mutant.globs)
        tests, upstream, seconds = self.boot(*what_runs, not said)
        if "no end" in upstream.values(): # they took the guest with them: one for ours
            tests, _, more = self.boot(*what_runs, False)
            seconds += more
        if upstream:
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps([*runs, upstream]))
        failed = [t for t in tests if t["result"] == "fail" and ":" in t["name"]]
        missing = unkilled(mutant, failed)
        if mutant.proof:
            what = "SEEN after all" if failed else "can't be observed"
        elif not missing:
            what = "killed"
        elif failed:
            what = "NOT for what it is: no " + "; no ".join(missing)
        else:
            what = "SURVIVES"
        failed.sort(key=lambda t: not any(kills(t, *k) for k in mutant.kills))
        return Row(mutant.name, what, [t["name"] for t in failed], said or upstream, seconds,
                   mutant.kernel)

    def is_alone(self, kernel, glob):
        """Whether it names what needs a guest of its own."""
        return any(programs.selected(name, shards.ALONE)
                   for name in self.kernels[kernel].names if named(name, glob))

    def check_globs(self, chosen):
        for mutant in chosen:
            for glob, _ in mutant.kills:
                if not any(named(n, glob) for n in self.kernels[mutant.kernel].names):
                    raise Void(f"{mutant.patch.name}: there is no test {glob}")

    def work(self, chosen):
        """[(waits, function, its arguments)]: a control, some mutants, a control ...
        Upstream's tests, and each that mutants name, are seen to pass once for a kernel."""
        work = []
        for kernel in reversed(self.kernels): # lockdep's take longest
            mutants, tried = [m for m in chosen if m.kernel == kernel], set()
            for i in range(0, len(mutants), CONTROL_EVERY):
                part = mutants[i:i + CONTROL_EVERY]
                globs = {glob for m in part for glob in m.globs} - tried or set(WHOLE)
                tried |= globs
                alone = {g for g in globs if self.is_alone(kernel, g)}
                work.append((False, self.control, (kernel, sorted(globs - alone), not i)))
                work += [(False, self.control, (kernel, [g], False)) for g in sorted(alone)]
                work += [(m.waits, self.mutant, (m,)) for m in part]
        return work

    def run(self, chosen):
        """Yields the rows as they come."""
        with concurrent.futures.ThreadPoolExecutor(self.opt.jobs) as pool, \
                concurrent.futures.ThreadPoolExecutor(WAITING_JOBS) as waiting:
            done = [(waiting if waits else pool).submit(fn, *args)
                    for waits, fn, args in self.work(chosen)]
            try:
                for future in concurrent.futures.as_completed(done):
                    if row := future.result():
                        yield row
            finally:
                self.stop = True
                if sys.exc_info()[0]:
                    self.machine.end_all()
                for p in (pool, waiting):
                    p.shutdown(cancel_futures=True)


@dataclasses.dataclass
class Row:
    name: str
    what: str
    killers: list
    upstream: dict
    seconds: float
    kernel: str

    def line(self):
        by = ""
        if self.killers:
            first = self.killers[0].partition(":")[2]
            more = f" and {len(self.killers) - 1} more" if self.killers[1:] else ""
            by = f" by {first}{more}"
        theirs = " ".join(f"{p}:{how}" for p, how in self.upstream.items())
        return f"{self.name:34} {self.what + by:70} {theirs:40} {self.seconds:5.1f} s"


def says(test, text):
    pattern = ".*".join(re.escape(p.strip()) for p in text.split("..."))
    return any(re.search(pattern, line) for line in [*test["log"], test["reason"]])


def named(name, glob):
    return fnmatch.fnmatchcase(name.partition(":")[2], glob)


def kills(test, glob, text):
    return named(test["name"], glob) and says(test, text)


def unkilled(mutant, tests):
    """The tests that the patch names and that did not fail as it says."""
    return [f"{glob}: {text}" for glob, text in mutant.kills
            if not any(kills(t, glob, text) for t in tests)]


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default="source:6.12")
    p.add_argument("--accel", choices=("kvm", "tcg"))
    # One more than CPUs: of a guest's 6 s one is spent waiting for the known bugs of 6.12.
    p.add_argument("--jobs", type=int, default=os.cpu_count() + 1,
                   help="guests at once, beside those that wait")
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results/mutants")
    p.add_argument("--no-upstream", action="store_true", help="leave out upstream's tests")
    p.add_argument("names", nargs="*", metavar="NAME", help="these mutants, globs")
    return p.parse_args()


def summary(rows, mutants, seconds):
    """Prints the totals; returns the exit code."""
    mine = {r.name: r for r in rows if r.name != "(unmutated)"}
    controls = [r for r in rows if r.name == "(unmutated)"]
    usual = {r.kernel: r.upstream for r in controls if r.upstream}
    first = next(iter(usual.values()), {})
    killed = [r for r in mine.values() if r.what == "killed"]
    proven = [r for r in mine.values() if r.what == "can't be observed"]
    theirs = {p: [r for r in mine.values()
                  if r.upstream.get(p, usual[r.kernel][p]) != usual[r.kernel][p]] for p in first}
    print(f"\n{len(killed)} of {len(mine)} mutants killed, {len(proven)} can't be observed, "
          f"{len(mine) - len(killed) - len(proven)} left; the unmutated kernel passed "
          f"{len(controls)} of {len(controls)} times; {seconds / 60:.1f} min")
    for p, rows_ in theirs.items():
        hangs = sum(r.upstream.get(p) in ("hang", "no end") for r in rows_)
        print(f"upstream's {p}: {first[p]} unmutated; {len(rows_)} of {len(mine)} mutants "
              f"noticed, {hangs} of them by a hang")
    for m in mutants:
        if m.proof and m.name in mine:
            print(f"{m.name}: {m.proof}")
    return 0 if len(killed) + len(proven) == len(mutants) else 1


def run_all(campaign):
    opt, began = campaign.opt, time.monotonic()
    chosen = campaign.prepare(opt.names)
    if not chosen:
        raise Void(f"there is no mutant {' '.join(opt.names)}; they are in {MUTANTS}")
    campaign.check_globs(chosen)
    print(f"{len(chosen)} mutants of {opt.kernel} "
          f"({time.monotonic() - began:.0f} s to build)", flush=True)
    rows = []
    for row in campaign.run(chosen):
        rows.append(row)
        print(row.line(), flush=True)
    (opt.results / "table.json").write_text(
        json.dumps([{**dataclasses.asdict(r), "spec": opt.kernel} for r in rows], indent=1))
    return summary(rows, chosen, time.monotonic() - began)


def main():
    opt = options()
    return guest.main(lambda machine, tmp: run_all(Campaign(opt, machine, tmp)))


if __name__ == "__main__":
    sys.exit(main())
