# SPDX-License-Identifier: GPL-2.0
"""bench.py --goals [NAME...]: how quick this is, beside how quick it wants to be.

Without a name, all but the campaign:
    default     the default set, in bare boots of the same image
    all         --all
    mutant      one of a kernel with all mutants, and what that kernel takes
    campaign    every mutant: minutes
    tree        a kernel tree with one file of mm/ changed, from the command to the verdict
    cold        the first run of all, with an empty cache; the packages are installed
    upstream    a test of ours, and one of upstream's hmm-tests, in the same guest
    vng         virtme-ng, which boots the same image, where it is there
"""
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from unittest import mock

import bench
from support import TOP

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402
from guest import Void  # noqa: E402
from runner import kernel as kernels, vng as virtme  # noqa: E402
from runner.errors import Interrupted, Stop  # noqa: E402

ONE = "hmm_notifier_contract:rule.hlist_nonblock_eagain.holds"
MUTANTS = ("blockable-negated", "end-hlist-missing", "flag-lost")
THEIRS = "../bin/bounded 900 300 /job/hmm-tests " + guest.UPSTREAM["hmm-tests"]
CHANGED = "mm/madvise.c"


def show(what, values, most=None, unit="s"):
    """A row: the median, what it is to be at most, and their ratio"""
    now = statistics.median(values)
    goal = ""
    if most:
        goal = f"{most:8.2f} {now / most:6.2f} {'met' if now <= most else 'MISSED'}"
    print(f"{what:50} {now:8.2f} {unit:5} {goal}".rstrip(), flush=True)


class Goals:
    def __init__(self, n, kernel, machine, tmp):
        self.n, self.kernel, self.machine, self.tmp = n, kernel, machine, tmp
        self.count = 0

    def run(self, *options):
        """(results, when it began, seconds of the whole) of a run"""
        self.count += 1
        results = self.tmp / f"run-{self.count}"
        began, seconds, _ = bench.spent([TOP / "run_tests.sh", "--results", results, *options])
        run = (results / "latest").resolve()
        said = bench.read(run / "summary.json") if (run / "times.json").exists() else {}
        if said.get("verdict") != "pass":
            raise Void(f"it does not pass: ./run_tests.sh {shlex.join(options)}")
        return run, began, seconds

    def default(self):
        _, wholes, boots = bench.measure(self.n, [], self.tmp / "default")
        for what, i, most in (("seconds", 0, 1.5), ("CPU time", 1, None)):
            show(f"the default set, {what}", [w[i] for w in wholes])
            show(f"a bare boot of its guest, {what}", [b[i] for b in boots])
            show(f"their ratio, {what}", [w[i] / b[i] for w, b in zip(wholes, boots)],
                 most, "")

    def all(self):
        show("--all", [self.run("--all")[-1] for _ in range(self.n)], 120)

    def mutants(self, *names):
        """(seconds of the whole, of preparing their kernel, of each)"""
        results = self.tmp / "mutants"
        cmd = [sys.executable, "-B", TOP / "tests/proof/mutants.py", "--kernel", self.kernel,
               "--results", results, "--no-upstream", *names]
        began = time.time()
        done = subprocess.run(cmd, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Void(f"mutants.py: {done.stdout.strip()}")
        rows = bench.read(results / "table.json")
        return (time.time() - began, int(re.search(r"\((\d+) s to build\)", done.stdout)[1]),
                [row["seconds"] for row in rows if row["name"] != "(unmutated)"])

    def mutant(self):
        _, kernel, each = self.mutants("--jobs", "1", *MUTANTS)
        show("one mutant", each, 8)
        show("    a kernel of all, built or found", [kernel])

    def campaign(self):
        whole, kernel, each = self.mutants()
        show(f"a campaign, {len(each)} mutants", [whole], 360)
        show("    its kernel, built or found", [kernel])
        show("    a mutant, beside others", each)

    def tree(self):
        """A copy of the kernel's source, by links; what is changed is a file of its own."""
        source = (kernels.get(self.machine, self.kernel).directory / "pristine").resolve()
        # where it lies the next time too, and where files of the source can be linked
        tree = self.machine.cache() / f"bench-tree-{source.name}"
        if not tree.exists():
            subprocess.run(["cp", "-al", source, tree], check=True)
        self.run("--kernel", f"tree:{tree}")
        runs = []
        for i in range(self.n):
            changed = (source / CHANGED).read_text() + f"/* {time.time()} {i} */\n"
            (tree / CHANGED).parent.chmod(0o755)
            (tree / CHANGED).unlink()
            (tree / CHANGED).write_text(changed)
            runs.append(self.run("--kernel", f"tree:{tree}"))
        show(f"a tree with {CHANGED} changed", [whole for *_, whole in runs], 30)
        show_rows(runs)

    def cold(self):
        with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(self.tmp / "cache")):
            run = self.run()
        show("the first run of all", [run[-1]], 90)
        show_rows([run])

    def upstream(self):
        """Theirs between two programs of ours, whose marks tell how long it took"""
        directory = kernels.get(self.machine, self.kernel).directory
        kernel = guest.Kernel(self.machine, directory, self.tmp, self.tmp / "upstream-runs",
                              None)
        lines, expected = kernel.testbed.choose("default", [])
        ours, theirs, ratios = [], [], []
        for i in range(self.n):
            to = kernel.boot(f"both-{i}", [lines[0], THEIRS, *lines[1:]], expected,
                             kernel.upstream, bounds=(900, 300, 3000))
            log, ktap = ((to / f"{f}.log").read_text(errors="replace")
                         for f in ("kmsg", "ktap"))
            ours.append(of_ours(log))
            theirs.append(of_theirs(log, ktap))
            ratios.append(ours[-1] / theirs[-1])
        show("a test of upstream's hmm-tests", [1000 * s for s in theirs], None, "ms")
        show("a test of ours in the same guest", [1000 * s for s in ours], None, "ms")
        show("their ratio", ratios, 1 / 20, "")

    def vng(self):
        if not shutil.which(virtme.PROGRAM) and \
                not (self.machine.cache() / "virtme-ng").exists():
            print("virtme-ng is not here")
            return
        runs = {what: [self.run("--test", ONE, *more) for _ in range(self.n)]
                for what, more in (("virtme-ng", ("--backend", "vng")),
                                   ("ours", ("--no-snapshot",)), ("ours, saved", ()))}
        for what, done in runs.items():
            booted = [bench.read(run / "boot.json")["times"]["tests"] for run, *_ in done]
            if what == "virtme-ng":
                theirs = statistics.median(booted)
            show(f"{what}: boot to the first test", booted,
                 None if what == "virtme-ng" else theirs)
            show(f"{what}: one test, from command to verdict", [whole for *_, whole in done])


def show_rows(runs):
    tables = [bench.rows(*run) for run in runs]
    for row in tables[0]:
        show(f"    {row}", [t[row] for t in tables])


def of_ours(log):
    """Seconds of a test, of the kernel's log"""
    seconds, n = bench.guest_rows(log)["tests"]
    return seconds / n


def of_theirs(log, ktap):
    """The same of hmm-tests, between the last test of our first program and the next one"""
    marks = [(int(us) / 1e6, program) for us, _, program in bench.MARK.findall(log)]
    first = marks[0][1]
    ended, began = next((at, later) for (at, program), (later, after)
                        in zip(marks, marks[1:]) if program == first != after)
    said = ktap.partition("# hmm_notifier: program ../bin/bounded")[2].partition(
        "# hmm_notifier: exit ")[0]
    ran = [line for line in re.findall(r"^# # (?:not )?ok \d+ .*", said, re.M)
           if "# SKIP" not in line]
    if not ran:
        raise Void("hmm-tests ran nothing")
    return (began - ended) / len(ran)


def main(n, kernel, names):
    known = re.findall(r"^    (\w+)  ", __doc__, re.M)
    if unknown := set(names) - set(known):
        sys.exit(f"bench.py: no goal {' '.join(unknown)}; there is {', '.join(known)}")

    def work(machine, tmp):
        goals, code = Goals(n, kernel, machine, pathlib.Path(tmp)), 0
        print(f"{'':50} {'now':>8} {'':5} {'at most':>8} {'ratio':>6}")
        for name in names or [k for k in known if k != "campaign"]:
            try:
                getattr(goals, name)()
            except Interrupted:
                raise
            except Stop as e:
                print(f"{name}: void: {e}")
                code = 2
        return code

    return guest.main(work)
