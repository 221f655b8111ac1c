# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh --compare OLD NEW: what another kernel, or a change of one, does to the
tests.  Each is a results directory, or a kernel that is tested now, or a revision in git
of the tree: that the other one is; that is unpacked in the cache, the tree not touched.
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import typing
from collections.abc import Iterator, Mapping, Sequence

from runner import cache, ending, files, given, host, report
from runner.errors import FAIL, NOTHING, PASS, BadUsage, OurFault, Stop
from runner.options import SPEC, Options
from runner.run import Run

BAD = {"pass": 0, "skip": 0, "known_bug": 1, "fail": 2}
SLOWER, AT_LEAST = 2, 0.5  # times as long, and seconds more
SHOWN = 20
TITLES = ("newly failing", "new and failing", "newly passing", "otherwise another result",
          "gone", "new", f"slower (more than {SLOWER} times, and {AT_LEAST} s)")

Facts = Mapping[str, typing.Any]


class Nothing(Stop):
    code = NOTHING


def read(results: pathlib.Path) -> dict[str, typing.Any]:
    """The summary of a run that was judged"""
    try:
        summary = files.read_json(results / "summary.json")
    except files.Damaged as e:
        raise BadUsage(f"--compare {results}: {e}") from e
    tests = summary.get("tests")
    if not isinstance(tests, list):
        raise BadUsage(f"--compare {results}: no results: "
                       f"{summary.get('reason', 'it has no summary.json')}")
    for t in tests:
        if not (isinstance(t, dict) and isinstance(t.get("name"), str) and
                isinstance(t.get("reason"), str) and t.get("result") in [*BAD] and
                (t.get("seconds") is None or given.is_number(t["seconds"]))):
            raise BadUsage(f"--compare {results}: summary.json holds no tests")
    return summary


def kind(old: Facts | None, new: Facts | None) -> str:
    """Which of TITLES it is; "" for none"""
    failing, worse, passing, other, gone, is_new, slower = TITLES
    if not new:
        return gone
    if not old:
        return worse if new["result"] == "fail" else is_new
    before, after = old["result"], new["result"]
    if BAD[after] > BAD[before]:
        return failing
    if before != after:
        return passing if after == "pass" and BAD[before] else other
    if old["seconds"] is not None and new["seconds"] is not None and \
            new["seconds"] > SLOWER * old["seconds"] and \
            new["seconds"] - old["seconds"] > AT_LEAST:
        return slower
    return ""


def line(title: str, name: str, old: Facts | None, new: Facts | None) -> str:
    if title == TITLES[-1] and old and new:
        return f"  {name}: {old['seconds']} s, now {new['seconds']} s"
    if old and new:
        return f"  {name}: {old['result']}, now {new['result']}" + (
            f": {new['reason']}" if new["reason"] else "")
    return f"  {name}" + (f": {new['reason']}" if new and new["reason"] else "")


def differences(old: Facts, new: Facts) -> dict[str, list[str]]:
    """The lines under each title"""
    sides: list[dict[str, Facts]] = [{t["name"]: t for t in s["tests"]} for s in (old, new)]
    found: dict[str, list[str]] = {title: [] for title in TITLES}
    for name in dict.fromkeys([*sides[1], *sides[0]]):
        both = sides[0].get(name), sides[1].get(name)
        if title := kind(*both):
            found[title].append(line(title, name, *both))
    return found


def ran(summary: Facts) -> set[str]:
    return {t["name"] for t in summary["tests"] if t["result"] != "skip"}


def show(names: Sequence[str], summaries: Sequence[Facts]) -> int:
    """The exit code: 1 when something is worse than it was, 4 when nothing says so"""
    for which, name, s in zip(("old", "new"), names, summaries):
        report.say(f"{which}: {name}: {s.get('kernel')}, {s.get('passed')} passed, "
                   f"{s.get('failed')} failed, {s.get('skipped')} skipped, "
                   f"{s.get('known_bugs')} known bugs")
    found = differences(*summaries)
    for title, lines in found.items():
        if lines:
            more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            report.say("\n".join([f"{title}: {len(lines)}", *lines[:SHOWN], *more]))
    worse = sum(len(found[title]) for title in TITLES[:2])
    if not worse and not ran(summaries[0]) & ran(summaries[1]):
        raise Nothing("--compare: no test ran in both")
    report.say(f"REGRESSION: {worse} worse" if worse else "no regression")
    return FAIL if worse else PASS


def tree_of(spec: str) -> tuple[str, str]:
    """(the directory of tree:DIR, what follows it)"""
    if not spec.startswith("tree:"):
        return "", ""
    fixes = "+fixes" if spec.endswith("+fixes") else ""
    return spec[len("tree:"):len(spec) - len(fixes)], fixes


@contextlib.contextmanager
def unpacked(machine: host.Host, tree: str, revision: str) -> Iterator[pathlib.Path]:
    """Under the same name each time, so that what was built of it is found again"""
    git = ("git", "-c", "safe.directory=*", "-C", tree)
    code, out = machine.output(*git, "rev-parse", "--verify", "--quiet",
                               "--end-of-options", f"{revision}^{{commit}}")
    commit = out.strip()
    if code:
        raise BadUsage(f"--compare {revision}: neither a results directory, nor a kernel, "
                       f"nor a revision of {tree}")
    with cache.locked(machine, f"compare-{commit}"):
        to = machine.cache() / "compare" / commit
        try:
            with cache.new_directory(to) as new:
                tar = new.with_name(f"{new.name}.tar")
                try:
                    if machine.run(*git, "archive", "--output", tar.resolve(), commit) or \
                            machine.run("tar", "-C", new, "-xf", tar):
                        raise OurFault(f"{revision} of {tree} can't be unpacked")
                finally:
                    tar.unlink(missing_ok=True)
            yield to
        finally:
            shutil.rmtree(to, ignore_errors=True)


def test(opt: Options, spec: str) -> pathlib.Path:
    """Runs the tests on a kernel; returns its results."""
    host.say(f"testing {spec}")
    run = Run(dataclasses.replace(opt, kernel=spec, compare=()))
    try:
        code = run.run()
    except Stop as e:
        ending.last_words(run.results, e)
        raise
    if not run.results or code == NOTHING:
        raise Nothing(f"--compare {spec}: nothing could be tested")
    return run.results.directory


def side(opt: Options, which: str, other: str) -> pathlib.Path:
    """The results of one of the two"""
    if os.path.isdir(which):
        return pathlib.Path(which)
    if SPEC.fullmatch(which):
        return test(opt, which)
    tree, fixes = tree_of(other)
    if not tree:
        raise BadUsage(f"--compare {which}: neither a results directory nor a kernel; a "
                       "revision needs a tree: beside it")
    with unpacked(host.Host(), tree, which) as directory:
        return test(opt, f"tree:{directory}{fixes}")


def run_both(opt: Options) -> int:
    """The exit code"""
    old, new = opt.compare
    # check both arguments before a kernel is built
    for which in (old, new):
        if os.path.isdir(which):
            read(pathlib.Path(which))
    found = [side(opt, old, new), side(opt, new, old)]
    return show((old, new), [read(results) for results in found])
