# SPDX-License-Identifier: GPL-2.0
"""Writes and prints what the judge found."""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys
import typing
from collections.abc import Sequence

from runner import files, headline, junit, kcidb, klog, page, screen
from runner.errors import NOT_UP

COUNTS = (("passed", "pass"), ("failed", "fail"), ("skipped", "skip"),
          ("known_bugs", "known_bug"))
Test = typing.Dict[str, typing.Any]
Facts = typing.Mapping[str, typing.Any]
# On the screen, of a failing run: causes, of which the first EXAMPLES have a test in full,
# with so many lines of it, and reasons of what did not run. All is in failures.txt.
CAUSES, EXAMPLES, SAID, LOG_LINES, REASONS = 10, 2, 6, 6, 4
NAMED = 3  # tests of a reason
STRESS = "HMM_NOTIFIER_STRESS_SECONDS"


def properties(tests: Sequence[Test]) -> list[dict[str, str]]:
    """What a test found that is no failure"""
    return [{"test": t["name"], "property": found} for t in tests
            for line in t["log"] for found in re.findall(r":property: (.*)", line)]


def say(text: str) -> None:
    print("\n".join(map(screen.plain, text.split("\n"))))


class Report:
    def __init__(self, directory: pathlib.Path, strict: bool, verbose: bool):
        self.dir, self.strict, self.verbose = directory, strict, verbose
        self.meta: Facts = {}
        self.stress: set[str] = set()   # programs that make random operations
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and \
            os.environ.get("TERM") != "dumb"

    def paint(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def write(self, summary: Facts) -> None:
        files.write_summary(self.dir, summary)

    def finish(self, meta: Facts, boot: Facts, tests: list[Test], log: klog.Log,
               verdict: str, notes: Sequence[str] = ()) -> None:
        self.meta, self.stress = meta, self.stressed()
        counts = {name: sum(t["result"] == r for t in tests) for name, r in COUNTS}
        sections = {s.name: s for s in log.sections}
        self.kernel_logs(log.sections)
        summary = {
            "kernel": meta.get("kernel"), "arch": meta.get("arch"),
            "accel": meta.get("accel"), **counts, "wall_s": boot.get("wall_s"),
            "verdict": verdict, "strict": self.strict, "ended": boot.get("ended"),
            "times": boot.get("times", {}), "meta": meta,
            "tests": [{k: t[k] for k in ("name", "result", "reason", "seconds")}
                      for t in tests],
            "properties": properties(tests),
        }
        junit.write(self.dir / "junit.xml", meta, boot, tests, sections, self.strict)
        kcidb.write(self.dir / "kcidb.json", meta, boot, tests, sections, verdict)
        no_page = page.write(self.dir, summary, tests, sections, self.log_file, self.alone)
        try:
            for note in [*notes, no_page] if no_page else notes:
                say(note)
            self.show(summary, tests, sections)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self.write(summary)

    def kernel_logs(self, sections: list[klog.Section]) -> None:
        where = self.dir / "kernel-log"
        if where.is_symlink():
            where.unlink()
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        for s in sections:
            with open(self.log_file(s.name), "a", encoding="utf-8") as f:
                f.write("\n".join(s.lines) + "\n")

    def log_file(self, name: str) -> pathlib.Path:
        """A name without what artifact uploads refuse, as a colon."""
        safe = re.sub(r"[^\w.+-]", "_", name, flags=re.A)[:200]
        return self.dir / "kernel-log" / f"{safe}.log"

    def show(self, summary: Facts, tests: list[Test],
             sections: dict[str, klog.Section]) -> None:
        def of(result: str) -> list[Test]:
            return [t for t in tests if t["result"] == result]

        failed = of("fail")
        if failed:
            self.show_failures(failed, sections)
        self.show_reasons("skipped", of("skip"), bool(failed))
        self.show_reasons("known bugs of this kernel", of("known_bug"), bool(failed))
        for found in dict.fromkeys(p["property"] for p in summary["properties"]):
            say(f"property: {found}")
        say(self.how_many(tests))
        # no test failed: none was begun
        no_boot = not sections and summary["ended"] in NOT_UP
        counts = f"none of {sum(page.is_test(t['name']) for t in tests)} tests began" \
            if no_boot else \
            ", ".join(f"{summary[n]} {n.replace('_', ' ')}" for n, _ in COUNTS)
        colour = {"pass": 32, "fail": 31}.get(summary["verdict"], 33)
        verdict = "COULD NOT BOOT" if no_boot else summary["verdict"].upper()
        print(self.paint(colour, verdict) + screen.plain(
            f": {counts}; kernel {summary['kernel']}, {summary['accel']}, "
            f"{summary['wall_s']} s"))
        if self.strict and not failed and of("known_bug"):
            say("With --strict known bugs are failures: it is they that make it FAIL.")
        say(f"results: {self.dir}")

    def how_many(self, tests: list[Test]) -> str:
        """How many of how many ran, and what was left out"""
        idle = sum(t["reason"].startswith("did not run: ") for t in tests)
        ran = sum(":" in t["name"] for t in tests) - idle
        out: dict[str, int] = self.meta.get("left_out", {})
        text = f"{ran} of {ran + idle + sum(out.values())} tests ran"
        if out:
            text += "; left out: " + ", ".join(
                f"{why} ({n})" for why, n in sorted(out.items(), key=lambda item: -item[1]))
            if self.meta.get("choice") in ("default", "quick"):
                text += "; --all runs them"
        return text

    def show_reasons(self, title: str, tests: list[Test], short: bool) -> None:
        """Each reason once, with its tests; the most frequent ones if others matter more."""
        if tests:
            say(f"{title}:")
        reasons: dict[str, list[str]] = {}
        for t in tests:
            reasons.setdefault(t["reason"], []).append(t["name"])
        most = sorted(reasons.items(), key=lambda kv: -len(kv[1]))
        for reason, names in most[:REASONS] if short else most:
            bug = reason.removeprefix("known bug: ")
            say(f"  {bug}: {len(names)} test{'s'[:len(names) > 1]}")
            if bug in headline.MEANS and bug != reason:
                say(f"    to its users: {headline.MEANS[bug]}")
            # with --strict known bugs are what failed
            for line in [] if short else self.some(names, self.strict and bug != reason):
                say(f"    {line}")
        if short and most[REASONS:]:
            say(f"  and {len(most) - REASONS} more reasons")

    def some(self, names: list[str], few_of_many: bool) -> list[str]:
        if self.verbose or len(names) <= NAMED:
            return names
        return [*names[:NAMED], f"and {len(names) - NAMED} more; --verbose names them"] \
            if few_of_many else []

    def show_failures(self, tests: list[Test], sections: dict[str, klog.Section]) -> None:
        """The causes, two tests in full, and all of them in a file."""
        found = headline.causes(tests, self.meta)
        for text, group in found if self.verbose else found[:CAUSES]:
            number = sum(page.is_test(t["name"]) for t in group)
            print(self.paint(31, "FAIL"), screen.plain(
                text + (f": {number} test{'s'[:number > 1]}" if number else ""))[:400])
        if found[CAUSES:] and not self.verbose:
            say(f"and {len(found) - CAUSES} more causes")
        tried = [t for t in tests if not t["reason"].startswith("did not run: ")] or tests
        best = [group[0] for _, group in found] + [t for _, g in found for t in g[1:]]
        for t in [t for t in best if t in tried][:EXAMPLES]:
            say("\n".join(line[:400] for line in self.failure(t, sections.get(t["name"]))))
        whole = self.dir / "failures.txt"
        files.write_text(whole, "\n".join(
            screen.plain(line) for t in tests
            for line in self.failure(t, sections.get(t["name"]), True)) + "\n")
        if len(tests) > EXAMPLES:
            say(f"all {len(tests)} in {whole}")

    def failure(self, test: Test, section: klog.Section | None,
                whole: bool = False) -> list[str]:
        """A failed test: each check once, in words"""
        said = [headline.in_words(line) for line in test["log"]
                if not re.match(r"#\s+(RUN|OK|FAIL)\s|#\s+\w+: Test failed", line)]
        raw = [re.sub(r"^#\s*", "", line) for line in test["log"]]
        more = [part for part in test["reason"].split("; ")
                if part not in raw and part not in said]
        lines = list(dict.fromkeys([*more, *said]))
        cut = lines if whole else lines[:SAID]
        out = [f"FAIL {test['name']}", *(f"    {line}" for line in cut)]
        if lines[len(cut):]:
            out.append(f"    ... {len(lines) - len(cut)} lines more")
        if section and section.lines:
            log = section.lines if whole else section.lines[:LOG_LINES]
            out += ["    the kernel's log of this test:", *(f"      {li}" for li in log)]
            if section.lines[len(log):]:
                out.append(f"      ... {len(section.lines) - len(log)} lines more in "
                           f"{self.log_file(test['name'])}")
        if page.is_test(test["name"]):
            out.append(f"    alone: {self.alone(test)}")
        return out

    def stressed(self) -> set[str]:
        try:
            found = files.read_json(self.dir / "programs.json")
            return {name for name, p in found.items() if STRESS in p["strings"]}
        except (files.Damaged, KeyError, TypeError):
            return set()

    def alone(self, test: Test) -> str:
        """The command that runs this test alone, on the same kernel, in the same way"""
        words = [str(self.meta.get("again", "./run_tests.sh"))]
        if test["name"].partition(":")[0] in self.stress:
            seed = re.search(r"seeds? (?:from )?(\d+)", "\n".join(test["log"]))
            words.append(f"--stress {self.meta.get('stress') or 10}")
            if seed or self.meta.get("seed"):
                words.append(f"--seed {seed[1] if seed else self.meta['seed']}")
        return " ".join([*words, f"--test '{test['name']}'"])
