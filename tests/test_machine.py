# SPDX-License-Identifier: GPL-2.0
"""A machine that is somebody's is after each program what it was before: listed, run with
and without what has to be asked for, killed at any moment.

CHECK_KILLS=50 kills more often than make check does, CHECK_SEED=N at other moments,
CHECK_ALL=1 runs all tests and not some of each program. With
CHECK_KERNEL=source:6.12+fixes those as well that hang on a kernel without."""
import contextlib
import functools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
import unittest

from support import (HANGS, KERNEL, TOP, TempDir, built, kernel_dir, machine, sh,
                     take_long)

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402

MACHINE = TOP / "tests/machine"
KILLS = int(os.environ.get("CHECK_KILLS", "6"))
SEED = int(os.environ.get("CHECK_SEED", "1"))
EVERYTHING = "CHECK_ALL" in os.environ

# What changes though nobody sets it, and why.
COUNTERS = {
    "/proc/sys/fs/(dentry|inode|file)-(nr|state)": "what is in use just now",
    "/proc/sys/kernel/(ns_last_pid|random/.*)": "the kernel's own",
    "/proc/sys/fs/quota/syncs": "each look syncs",
    "/proc/sys/kernel/tainted|/sys/kernel/warn_count": "a WARN that was asked for stays",
    "/sys/block/[^/]*/([a-z]+_)?stat|/sys/block/[^/]*/inflight": "how much a disk was used",
    "/sys/kernel/mm/ksm/(pages_(scanned|shar.*|skipped|unshared|volatile)|full_scans|"
    "general_profit|ksm_zero_pages|stable_node_(chains|dups))": "what ksmd has seen",
    "/sys/kernel/mm/transparent_hugepage/.*/(stats/.*|full_scans|pages_collapsed)":
        "what khugepaged and faults have seen",
    "/sys/kernel/uevent_seqnum|/sys/kernel/debug/sched/debug": "what has happened",
    "/sys/module/page_reporting/parameters/.*": "counters of some hosts",
    "/sys/kernel/tracing/(saved_cmdlines|touched_functions|.*_profile)": "what was ever traced",
    "/sys/fs/cgroup/.*(stat|pressure|procs|threads|current|peak|events)": "what is in use",
}
# Or a part of it
FIELDS = {
    "/proc/swaps": (r"(partition\\011\d+\\011\\011)\d+", "how much is swapped out"),
    # One that is left over stands in /sys/fs/cgroup, too.
    "/proc/cgroups": (r"(\\011\d+\\011)\d+(?=\\011[01]\\012)",
                      "removed cgroups count until they are freed (css_free_rwork_fn)"),
}

# What can be asked for. A hang on a kernel with the bug can't be put back.
CONSENTS = ["SPLATS", "MACHINE", "GLOBAL_OOM", "STRESS_SECONDS"]
if "+fixes" in KERNEL:
    CONSENTS.append("HANGS")


def asked(*consents: str) -> str:
    """What a shell reads, to have asked for these"""
    return "".join(f"export HMM_NOTIFIER_{c}=1\n" for c in consents)


ASKED = asked(*CONSENTS)
# Those that change the machine are killed more often.
KILLED = ["hmm_notifier_mmap"] * 3 + ["hmm_notifier_oom", "hmm_notifier_register",
                                      "hmm_notifier_contract"]


def some(names: list[str], most: int) -> list[str]:
    """Of each fixture, as many as there may be, spread over its variants."""
    fixtures: dict[str, list[str]] = {}
    for name in names:
        fixtures.setdefault(name.partition(".")[0], []).append(name)
    most = max(1, most // len(fixtures))
    return [n for f in fixtures.values() for n in f[::max(1, -(-len(f) // most))]]


def run_only(names: list[str]) -> list[str]:
    return [arg for name in names for arg in ("-r", name)]


class Plan:
    """The lines of /job/plan, and files that go with them."""

    def __init__(self, programs, tmp):
        self.programs, self.tmp = programs, tmp
        self.lines, self.files, self.ended = [], [], {}

    def step(self, program, what, args, env="", kill=(0, "-")):
        """@what is also what the step has to end with: 0, or what a kill leaves."""
        name = f"{len(self.ended)}-{program.removeprefix('hmm_notifier_')}-{what}"
        if env:
            self.files.append(self.tmp / f"{name}.env")
            self.files[-1].write_text(env)
        self.ended[name] = what
        self.lines.append(" ".join([name, str(kill[0]), kill[1], program, *args]))
        return name

    def look(self, name):
        self.lines.append(f"look {name.replace(' ', '_')}")

    def chosen(self, program):
        names = self.programs[program].tests
        if EVERYTHING:
            return names
        if program == "hmm_notifier_mmap":
            return [n for n in names if re.search(r"\.\w+_hlist_0\.|\.\w*_?end_0\.is", n)]
        return some(names, 6)

    def each_program(self):
        for program in self.programs:
            for args in (["-l"], ["-h"], ["-r", "nosuch"]):
                self.step(program, f"touches-nothing{args[0]}", args)
            self.look(f"{program} that ran no test")
        for program in self.programs:
            args = run_only(self.chosen(program))
            self.step(program, "unasked", args)
            for consent in CONSENTS:
                self.step(program, f"asked-{consent}", args, asked(consent))
            self.step(program, "asked", args, ASKED)
            self.look(f"{program} that ran")

    def kills(self):
        """A look takes longer than a kill: with many, one for five."""
        rnd = random.Random(SEED)
        for i in range(1, KILLS + 1):
            program = rnd.choice(KILLED)
            who = rnd.choice(["program", "program", "test"])
            seconds = round(rnd.uniform(0.1, 5), 2)
            names = self.chosen(program)
            args = run_only(rnd.sample(names, min(len(names), 12)))
            name = self.step(program, "killed", args, ASKED, (seconds, who))
            if KILLS < 10 or i % 5 == 0 or i == KILLS:
                self.look(f"{name}, {who} after {seconds} s")


def build_snapshot(to):
    # glob() could want libraries, for names of users that we have none of
    subprocess.run(["gcc", "-O2", "-static", "-w", "-o", to, MACHINE / "snapshot.c"],
                   check=True, stderr=subprocess.DEVNULL)
    return to


def of_session(session):
    """All who did not leave it, and live"""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[3] == str(session) and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def kill_session(session):
    for pid in of_session(session):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def differences(lines: list[str]) -> dict[str, list[str]]:
    """What is not in both of two snapshots, of these lines with their sign, by its path;
    without counters"""
    found: dict[str, list[str]] = {}
    for line in lines:
        path, _, what = line[1:].partition("\t")
        if path in FIELDS:
            what = re.sub(FIELDS[path][0], r"\1-", what)
        if not any(re.fullmatch(p, path) for p in COUNTERS):
            found.setdefault(path, []).append(f"{line[0]}{what}")
    return {path: what for path, what in found.items()
            if len(what) == 1 or len({w[1:] for w in what}) > 1}


class Somebodys(unittest.TestCase):
    """A guest that is told to be nobody's VM"""

    @classmethod
    @functools.cache
    def guest_says(cls, kind):
        case = cls("test_is_as_it_was")
        tmp = TempDir(case, "").path
        kernel = guest.Kernel(machine(), kernel_dir(), tmp, tmp / "results", None,
                              upstream=False)
        plan = Plan(kernel.testbed.programs, tmp)
        getattr(plan, kind)()
        (tmp / "plan").write_text("".join(f"{line}\n" for line in plan.lines))
        files = [MACHINE / "guest.sh", tmp / "plan", build_snapshot(tmp / "snapshot"),
                 *plan.files]
        results = kernel.boot("machine", [" ".join(["../job/guest.sh", *kernel.testbed.programs])],
                              [], files, bounds=(1800, 600, 1900))
        said = re.sub("^# ", "", (results / "ktap.log").read_text(errors="replace"),
                      flags=re.M)
        case.doCleanups()
        return plan, said

    def check(self, kind):
        plan, said = self.guest_says(kind)
        if os.environ.get("CHECK_SAID"):
            with open(os.environ["CHECK_SAID"], "w", encoding="utf-8") as f:
                f.write(said)
        self.assertIn("# in use 0\n", said)
        self.assertIn("# plan done\n", said, said[-3000:])
        looks = re.findall(r"^# look (.*)\n((?:.*\n)*?)# looked \1$", said, re.M)
        self.assertEqual([name for name, _ in looks], ["nothing", *(
            line.removeprefix("look ") for line in plan.lines if line.startswith("look ")),
            "all"])
        for name, text in looks:
            lines = re.findall(r"^# differs (.*)$", text, re.M)
            self.assertEqual(differences(lines), {}, f"{name}; CHECK_SEED={SEED}")
        return said

    def test_is_as_it_was(self):
        take_long(self)
        said = self.check("each_program")
        self.assertEqual(re.findall("^not ok .*", said, re.M), [])

    def test_is_as_it_was_when_killed(self):
        take_long(self)
        print(f"CHECK_SEED={SEED}", flush=True)
        self.check("kills")


class Ledger(unittest.TestCase):
    """lib/core/ledger.c and its guardian, on files that play settings"""

    FILES = {"one": "1234", "two": "5678", "both": "90ab"}

    def setUp(self):
        self.tmp = TempDir(self, "").path
        self.dir = self.tmp / "machine"
        self.dir.mkdir()
        for name, text in self.FILES.items():
            (self.dir / name).write_text(text)

    def build(self, program):
        lib = [TOP / f"lib/core/{name}.c" for name in
               ("bounded", "consent", "ledger", "machine_state", "sysfile")]
        r = sh("gcc", "-O1", "-Wall", "-D_GNU_SOURCE", f"-I{TOP}/lib", "-o",
               self.tmp / program, MACHINE / f"{program}.c", *lib)
        self.assertEqual(r.returncode, 0, r.stdout)
        return self.tmp / program

    def start(self, how):
        """The changer, that says "ready" when it has changed all"""
        return subprocess.Popen([self.changer, self.dir, how], stdout=subprocess.PIPE,
                                stdin=subprocess.PIPE, text=True, start_new_session=True,
                                env={**os.environ, "HMM_NOTIFIER_MACHINE": "1"})

    def now(self):
        return {p.name: p.read_text() if p.is_file() else "" for p in self.dir.iterdir()}

    def is_back(self, what=None):
        """Within the time that a busy machine takes"""
        until = time.monotonic() + 20
        while self.now() != (what or self.FILES) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(self.now(), what or self.FILES)

    def test_units(self):
        r = sh(self.build("units"), self.dir)
        self.assertEqual((r.returncode, r.stdout), (0, ""))

    def test_all_is_back_before_the_end(self):
        self.changer = self.build("changer")
        for how in ("returns", "exits"):
            with self.start(how) as p:
                self.assertIn("ready\n", p.communicate(timeout=HANGS)[0])
            self.assertEqual(self.now(), self.FILES, how)

    def test_nothing_is_changed_unasked(self):
        self.changer = self.build("changer")
        for env in ({}, {"HMM_NOTIFIER_MACHINE": "0"}, {"HMM_NOTIFIER_MACHINE": ""}):
            p = sh(self.changer, self.dir, "exits", env=env)
            self.assertIn("Operation not permitted\n", p.stdout)
            self.assertEqual(self.now(), self.FILES)

    def test_what_a_killed_test_set_is_back(self):
        """And what the program set stays until that ends."""
        self.changer = self.build("changer")
        with self.start("child") as p:
            child = int(p.stdout.readline())
            self.assertEqual(p.stdout.readline(), "ready\n")
            os.kill(child, signal.SIGKILL)
            self.is_back({"one": "ours", "two": "5678", "both": "ours", "made": ""})
            p.communicate("\n", timeout=HANGS)
        self.assertEqual(self.now(), self.FILES)

    def test_what_a_killed_test_left_running_ends_with_the_program(self):
        self.changer = self.build("changer")
        with self.start("orphan") as p:
            child = int(p.stdout.readline())
            self.assertEqual(p.stdout.readline(), "ready\n")
            os.kill(child, signal.SIGKILL)
            p.communicate("\n", timeout=HANGS)
        self.assertEqual(self.now(), self.FILES)
        self.assertEqual(of_session(p.pid), [])

    def test_a_panic(self):
        self.changer = self.build("changer")
        with self.start("aborts") as p:
            p.communicate(timeout=HANGS)
            self.assertEqual(p.returncode, -signal.SIGABRT)
        self.is_back()

    def test_sigkill_at_any_moment(self):
        """Of the program, or of its session with all that is in it"""
        self.changer = self.build("changer")
        rnd = random.Random(SEED)
        for i in range(50):
            with self.start("waits") as p:
                wait = rnd.uniform(0, 0.06)
                if rnd.random() < 0.5:
                    p.stdout.readline()
                    p.stdout.readline()
                time.sleep(wait)
                os.kill(p.pid, signal.SIGKILL)
                if i % 2:
                    kill_session(p.pid)
            self.is_back()

    def test_one_after_the_other(self):
        self.changer = self.build("changer")
        with self.start("child") as first, self.start("exits") as second:
            first.stdout.readline()
            self.assertEqual(first.stdout.readline(), "ready\n")
            time.sleep(0.5)
            os.kill(first.pid, signal.SIGKILL)
            self.assertIn("ready\n", second.communicate(timeout=HANGS)[0])
        self.is_back()


SCRIPT = TOP / "intree/test_hmm_notifier.sh"


class Script(unittest.TestCase):
    @classmethod
    @functools.cache
    def says(cls):
        if os.geteuid():
            raise unittest.SkipTest("takes root")
        return sh("unshare", "-m", MACHINE / "script.sh", SCRIPT).stdout

    def test_unloads_what_it_loaded(self):
        said = re.findall(r"^(?:ends|killed|another|theirs):.*\b|^\w+:(?= *$)", self.says(), re.M)
        self.assertEqual(said, ["ends: loaded unloaded", "killed: loaded unloaded", "another:",
                                "theirs:", "theirs: stays"])

    def test_refuses_what_it_does_not_know(self):
        for what, name in (("nonsense", "nonsense"), ("splats splats", "splats splats"),
                           ("--splats", "--splats"),
                           ("in the environment: HMM_NOTIFIER_SPLAT", "misspelt")):
            self.assertIn(f"test.sh: unknown{' ' if 'env' in what else ': '}{what}; --help says "
                          f"what there is\n{name}: exit 2\n", self.says())
        self.assertIn("\nknown: exit 0\n", self.says())

    def test_all_skipped_is_not_passed(self):
        none, skipped, half = re.findall(r"^TAP version 13\n((?:.*\n)*?)(\w+): exit (\d)$",
                                         self.says(), re.M)
        self.assertEqual(none[1:], ("none", "1"))
        self.assertRegex(none[0], r"^not ok 1 there are no programs in /.*\n$")
        self.assertEqual(skipped, ("1..1\n# ok 1 skips # SKIP why not\n# # SKIPPED: all tests\n"
                                   "ok 1 hmm_notifier_skips # SKIP\n# Totals: pass:0 fail:0 "
                                   "xfail:0 xpass:0 skip:1 error:0\n", "skipped", "4"))
        self.assertIn("\n# # PASSED: 2 / 2 tests passed.\nok 1 hmm_notifier_skips\n", half[0])
        self.assertEqual(half[1:], ("half", "0"))

    def test_help_has_every_variable(self):
        """That a program reads, and README as well"""
        read = {name for where in ("lib", "selftests") for p in (TOP / where).rglob("*.c")
                for name in re.findall(r'"(HMM_NOTIFIER_[A-Z_]+)"', p.read_text())}
        # test_stress.py has these make the tests wrong
        read -= {"HMM_NOTIFIER_STRESS_FORGETS", "HMM_NOTIFIER_STRESS_BUGS"}
        self.assertIn("HMM_NOTIFIER_SPLATS", read)
        for option in ("--help", "-h"):
            r = sh(SCRIPT, option)
            self.assertEqual(r.returncode, 0)
            self.assertEqual(set(re.findall("^  (HMM_NOTIFIER_[A-Z_]+)=", r.stdout, re.M)), read)
        text = (TOP / "README").read_text()
        self.assertEqual(set(re.findall("^ +(HMM_NOTIFIER_[A-Z_]+)=", text, re.M)), read)


ZRAM = pathlib.Path("/sys/class/zram-control")


class Host(unittest.TestCase):
    """The programs on the build machine: listing their tests changes nothing."""

    def disk(self):
        """One of our own, in use"""
        if os.geteuid() or not ZRAM.exists():
            self.skipTest("takes root and zram")
        number = (ZRAM / "hot_add").read_text().strip()
        self.addCleanup((ZRAM / "hot_remove").write_text, number)
        pathlib.Path(f"/sys/block/zram{number}/disksize").write_text("8M")
        disk = pathlib.Path(f"/dev/zram{number}")
        disk.write_bytes(os.urandom(3 << 20))
        return disk

    def test_looking_changes_nothing(self):
        tmp = TempDir(self, "").path
        look = [build_snapshot(tmp / "snapshot"), "-a", self.disk()]
        before = set(sh(*look).stdout.splitlines())
        for program in sorted((built().directory / "tests").iterdir()):
            for args in (["-l"], ["-h"], ["-r", "nosuch"]):
                sh(program, *args)
        after = set(sh(*look).stdout.splitlines())
        changed = differences([f"-{line}" for line in before - after] +
                              [f"+{line}" for line in after - before])
        # others are at work here, too
        ours = re.compile("/proc/sys/.*|/proc/(swaps|modules)|/sys/(kernel|block|module)/.*|"
                          "/dev/zram.*")
        self.assertEqual({p: c for p, c in changed.items() if ours.fullmatch(p)}, {})


if __name__ == "__main__":
    unittest.main()
