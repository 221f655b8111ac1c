# SPDX-License-Identifier: GPL-2.0
"""--kunit: the KUnit suite of mm/mmu_notifier.c, built and run by the kernel's own kunit.py.

It tests the rule inside of the kernel, with WARNs suppressed and counted, from Linux 7.2
on. Each parameter of its test is a test of ours; kunit.py says what became of it, the log
of the kernel why."""
from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import time
import typing

from runner import TOP, cache, describe, files, host, klog, ktap, qemu, report, results
from runner.errors import BadKernel, NoTest, writing
from runner.judge import KNOWN_BUG, verdict
from runner.linux import build, kconfig
from runner.linux.request import BROKEN, Extras
from runner.options import Options

SUITE = "mmu_notifier"
# What the suite has in common with the selftests, and where a tree has it
SHARED = [TOP / "lib/core" / name for name in ("rule.c", "rule.h")]
THERE = "tools/testing/selftests/mm/hmm_notifier/lib/core"
TIMEOUT = 300   # seconds that all tests may take
# A parameter's result: its test's is one level further out, its suite's two
RESULT = re.compile(r" {8}(?:not )?ok \d+ (\S+)(?: # SKIP ?(.*))?")
STAMP = re.compile(r"^\[ *\d+\.\d+\] ")
Test = report.Test


class Linux(build.Linux):
    """A kernel that runs the suite when it boots, and then ends"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.arch != "x86_64":
            raise BadKernel(f"--kunit: for x86_64, not for {self.arch}")
        self.asked, self.chosen = self.work / "asked", self.work / "chosen"

    def kinds(self) -> list[str]:
        return ["kunit", *(["fixes"] if self.fixes else [])]

    def make_tree(self) -> None:
        header = self.source / "include/kunit/test.h"
        if "kunit_warning_suppress" not in files.read_text(header):
            raise BadKernel(f"--kunit: {self.spec} can't suppress WARNs, as from Linux 7.2 on")
        super().make_tree()
        for source in SHARED:
            to = self.work / "tree" / THERE / source.name
            if not to.is_file() or to.read_bytes() != source.read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, to)

    def made_from(self) -> str:
        made = super().made_from()
        return made and " ".join([made, *map(cache.sum_of, SHARED)])

    def kunit_py(self, *args: str) -> list[str]:
        """What runs it, with the environment and the options of make()"""
        make = self.make()
        at = make.index("nice")
        options = [word for word in make[at:] if word.startswith(("CC=", "KCFLAGS="))]
        return [*make[:at], "python3", "-B", f"{self.work}/tree/tools/testing/kunit/kunit.py",
                *args, f"--arch={self.arch}", f"--build_dir={self.build}",
                *(f"--make_options={word}" for word in options),
                *(f"--kunitconfig={path}" for path in (self.asked, self.chosen))]

    def make_config(self) -> None:
        """kunit.py begins with what Kconfig has by default; so it is told all options. It
        stops if one of those that are asked for is not so."""
        names = (kconfig.CONFIGS / "kunit.config", self.work / "tree/mm/tests/.kunitconfig")
        asked = "".join(f"{line}\n" for line in kconfig.options(
            "".join(name.read_text() for name in names)).values())
        if self.chosen.exists() and self.asked.read_text() == asked:
            return
        self.chosen.unlink(missing_ok=True)
        self.asked.write_text(asked)
        log = self.build / "config.log"
        if self.machine.logged(log, *self.make(f"KCONFIG_ALLCONFIG={self.asked}",
                                               "allnoconfig")):
            raise BadKernel(f"the kernel can't be configured; see {log}", BROKEN)
        shutil.copyfile(self.build / ".config", self.chosen)

    def compile(self) -> None:
        host.say(f"building Linux {self.base} with the KUnit suite")
        log, jobs = self.work / "make.log", len(os.sched_getaffinity(0))
        if self.machine.logged(log, "nice", *self.kunit_py("build", f"--jobs={jobs}")):
            host.say("\n".join(build.errors(log.read_text(errors="replace"))[:20]))
            raise BadKernel(f"{self.spec} does not build; see {log}", BROKEN)

    def publish(self, made_from: str) -> None:
        with cache.new_directory(self.kernel) as new:
            (new / "base").write_text(f"{self.base}\n")
            cache.write_manifest(new)
            (new / "made-from").write_text(made_from)

    def say_config(self) -> None:
        """Its options are those of the suite; --config is refused."""


def cases(group: typing.Mapping[str, typing.Any], *path: str) -> dict[tuple[str, ...], str]:
    """{(suite, test, parameter): PASS, FAIL, SKIP or ERROR} of kunit.py's JSON"""
    found = {(*path, case["name"]): case["status"] for case in group["test_cases"]}
    for sub in group["sub_groups"]:
        found.update(cases(sub, *path, sub["name"]))
    return found


def read_console(path: pathlib.Path) -> tuple[dict[str, tuple[str, list[str]]], list[str]]:
    """({parameter: (why it was skipped, what was said of it)}, splats)"""
    said: dict[str, tuple[str, list[str]]] = {}
    splats: list[str] = []
    lines: list[str] = []
    for raw in files.read_lines(path):
        line = STAMP.sub("", raw.rstrip())
        if klog.kind_of(line) == "REPORT":
            splats.append(line)
        if found := RESULT.fullmatch(line):
            said[found[1]] = (found[2] or "", lines)
            lines = []
        elif not line.startswith("        ok "):
            lines.append(line.strip())
    return said, splats


def judged(name: tuple[str, ...], status: str, why: str, lines: list[str],
           bugs: typing.Sequence[str]) -> Test:
    suite, test, parameter = (*name, "", "")[:3]
    result, reason = {"PASS": "pass", "SKIP": "skip"}.get(status, "fail"), why
    if result == "skip" and why.startswith(KNOWN_BUG):
        result = "known_bug" if why.removeprefix(KNOWN_BUG) in bugs else "fail"
    elif result == "fail":
        reason = "; ".join(line.removeprefix("# ") for line in lines[-6:]) or status
    return {"name": f"kunit:{suite}.{parameter}.{test}", "result": result,
            "reason": reason, "seconds": None, "log": lines if result == "fail" else []}


def judge(found: typing.Mapping[tuple[str, ...], str], console: pathlib.Path, code: int,
          bugs: typing.Sequence[str]) -> list[Test]:
    """All tests, and what is none and failed"""
    said, splats = read_console(console)
    tests = [judged(name, status, *said.get(name[-1], ("", [])), bugs)
             for name, status in found.items()]
    wrong = {"kernel-log": f"{len(splats)} splats, the first is {splats[0]}" if splats else "",
             "kunit": f"kunit.py ended with exit code {code}" if code and not any(
                 t["result"] == "fail" for t in tests) else ""}
    return tests + [{"name": name, "result": "fail", "reason": reason, "seconds": None,
                     "log": splats} for name, reason in wrong.items() if reason]


def execute(linux: Linux, accel: str, to: pathlib.Path, tmp: pathlib.Path) -> int:
    """kunit.py's exit code; what it found is in kunit.json, its words in kunit.log."""
    binary = qemu.ARCHES[linux.arch]["binary"]
    path = linux.machine.env["PATH"]
    real = shutil.which(binary, path=path) or binary
    (tmp / "bin").mkdir()
    starts = str(TOP / "runner/without-kvm.sh") if accel == "tcg" else real
    (tmp / "bin" / binary).symlink_to(starts)
    env, *command = linux.kunit_py("exec", f"--json={to / 'kunit.json'}",
                                   f"--timeout={TIMEOUT}", SUITE)
    code = linux.machine.logged(to / "kunit.log", env, f"PATH={tmp / 'bin'}:{path}",
                                f"QEMU={real}", *command)
    if (linux.build / "test.log").is_file():
        shutil.copyfile(linux.build / "test.log", to / "console.log")
    return code


def describe_it(opt: Options, linux: Linux, accel: str) -> dict[str, typing.Any]:
    base = (linux.kernel / "base").read_text().strip()
    release = linux.build / "include/config/kernel.release"
    return {"kernel": release.read_text().strip(), "origin": f"{opt.kernel} --kunit",
            "base": base, "known_bugs": describe.known_bugs(base, opt.kernel),
            "warn_sites": describe.warn_sites(linux.machine, linux.work / "tree"),
            "selected": False, "left_out": {}, "spec": opt.kernel, "arch": opt.machine,
            "accel": accel, "suite": linux.machine.describe_suite(), "choice": "kunit",
            "again": opt.again, "shard": "", "stress": "", "seed": "",
            "qemu": linux.machine.version_of(qemu.ARCHES[opt.machine]["binary"])}


def run(opt: Options, machine: host.Host, to: results.Results, tmp: pathlib.Path) -> int:
    """The exit code of the run"""
    linux = Linux(machine, opt.kernel, Extras(name="kunit"))
    linux.get()
    accel = "kvm" if opt.accel == "kvm" else "tcg"
    meta, began = describe_it(opt, linux, accel), time.monotonic()
    host.say(f"running the KUnit suite on {meta['kernel']} ({accel})")
    code = execute(linux, accel, to.directory, tmp)
    seconds = round(time.monotonic() - began, 2)
    with writing(to.directory):
        files.write_json(to.directory / "meta.json", meta)
    try:
        found = cases(json.loads(files.read_text(to.directory / "kunit.json")))
    except (ValueError, LookupError, TypeError):
        found = {}
    if not found:
        raise NoTest(f"the suite did not run: see kunit.log and console.log in {to.directory}")
    tests = judge(found, to.directory / "console.log", code, meta["known_bugs"])
    what, code = verdict(tests, ktap.Stream(begun=True), opt.strict)
    report.Report(to.directory, opt.strict, opt.verbose).finish(
        meta, {"ended": "power-off", "seconds": seconds, "wall_s": seconds}, tests,
        klog.Log(), what)
    return code
