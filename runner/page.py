# SPDX-License-Identifier: GPL-2.0
"""report.html: what a run found, in one file that needs nothing else.

Each test is a cell of a table, and leads to its check, the kernel's log of just that
test, and the command that runs it alone.  The page has no script: :target shows a test.
"""
from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import typing
from collections.abc import Iterable, Mapping, Sequence

from runner import files, headline, klog, screen

MISSING = "no report.html: python3-jinja2 is not installed"
TEMPLATE = pathlib.Path(__file__).with_name("report.html.j2")
# A sign beside each colour, for those who can't tell the colours apart.
RESULTS = {"pass": ("✓", "passed"), "fail": ("✗", "failed"),
           "known_bug": ("!", "known bug"), "skip": ("–", "skipped")}
# Bytes of logs: of a test that failed, of another, of all together
FAILED, OTHER, ROOM = 32 << 10, 1500, 3 << 20
SLOWEST = 10

KIND = "hlist_end|hlist|interval|two_pass"
RETURN = "0|eagain|enomem|true|false"
ONE, BESIDE, SITES, DETECTORS = ("The rule: one notifier", "The rule: beside others",
                                 "Call sites, by a change of the address space",
                                 "Detectors")
CHANGED_BY = rf"(?:second_)?(?:hlist|end|interval)_(?:{RETURN})"
# What a name matches: its table, row and column.  All others stand by their fixture.
PLACES = (
    (rf"hmm_notifier_contract:rule\.({KIND})_(nonblock|block)_(\w+)\.holds",
     ONE, r"\1 \2", r"\3"),
    (r"hmm_notifier_contract:release\.(true|false)\.holds", ONE, "interval release", r"\1"),
    (r"hmm_notifier_contract:release\.(two_pass)_(true|false)\.holds",
     ONE, r"\1 release", r"\2"),
    (r"hmm_notifier_contract:rule\.(nonblock|block)_(\w+)\.holds", BESIDE, r"\2", r"\1"),
    (r"hmm_notifier_contract:release\.(\w+)\.holds", BESIDE, r"\1", "release"),
    (rf"hmm_notifier_mmap:change\.(\w+?)_({CHANGED_BY})\.takes_effect", SITES, r"\1", r"\2"),
    (r"hmm_notifier_mmap:change\.(\w+?)_at_(\w+)\.takes_effect",
     "Changes at the edges of the address space", r"\1", r"\2"),
    (r"hmm_notifier_detectors:detector\.(\w+?)_sees_(\w+)\.as_one", DETECTORS, r"\2", r"\1"),
    (r"panic_on_warn:(\w+)\.panics_at_its_warn", DETECTORS, r"\1", "panic_on_warn"),
    (r"([\w.-]+:[\w-]+)\.([\w.-]+)\.([\w-]+)", r"\1", r"\2", r"\3"),
    (r"([\w.-]+:[\w-]+)\.([\w-]+)", r"\1", "", r"\2"),
    (r"(.*)", "The run itself", r"\1", ""))
WORDS = {"hlist_end": "hlist with range_end", "two_pass": "interval, two passes",
         "nonblock": "non-blockable", "block": "blockable", "minus_1": "-1", "plus_1": "+1",
         "int_min": "INT_MIN"}
CALLSITE = re.compile(r"[# ]*callsite: (\S+) triggered=(\d+) failed=(\d+) verdict=(.*)")

# The columns shown of other campaigns' tables, which lie beside the run
CAMPAIGNS = {
    "mutants": ("name", "what", "killers", "upstream", "spec"),
    "coverage": ("function", "lines", "branches", "hmm-tests' lines", "hmm-tests' branches",
                 "spec")}

Facts = Mapping[str, typing.Any]


@dataclasses.dataclass
class Shown:
    """One test on the page. log is its excerpt, left_out the lines that it lacks."""
    id: str
    name: str
    result: str
    reason: str
    cause: str      # what it is listed under
    seconds: float | None
    said: str
    log: str
    left_out: int
    file: str
    alone: str

    @property
    def sign(self) -> str:
        return RESULTS[self.result][0]

    @property
    def word(self) -> str:
        return RESULTS[self.result][1]


@dataclasses.dataclass
class Table:
    columns: dict[str, str] = dataclasses.field(default_factory=dict)  # key: what is shown
    rows: dict[str, dict[str, list[Shown]]] = dataclasses.field(default_factory=dict)

    def count(self, result: str) -> int:
        return sum(t.result == result for row in self.rows.values()
                   for cell in row.values() for t in cell)


def in_words(text: str) -> str:
    words = (WORDS.get(w, f"-{w.upper()}" if re.fullmatch("e[a-z]{3,6}", w) else w)
             for w in text.split(" "))
    return ", ".join(words)


def place(name: str) -> tuple[str, str, str]:
    """The table, the row and the column of a test"""
    for pattern, *where in PLACES:
        if m := re.fullmatch(pattern, name, re.S):
            table, row, column = map(m.expand, where)
            return table, row, column
    raise AssertionError(name)  # the last pattern takes all


def tables(tests: Iterable[Shown]) -> dict[str, Table]:
    found = {table: Table() for table in (ONE, BESIDE, SITES, DETECTORS)}
    for t in tests:
        name, row, column = place(t.name)
        table = found.setdefault(name, Table())
        table.columns.setdefault(column, in_words(column) if name in (ONE, BESIDE) else column)
        row = in_words(row) if name == ONE else row
        table.rows.setdefault(row, {}).setdefault(column, []).append(t)
    return {name: table for name, table in found.items() if table.rows}


def excerpt(lines: Sequence[str], room: int) -> tuple[str, int]:
    """The first lines that have room, and how many have none"""
    taken = []
    for line in lines:
        line = screen.plain(line)
        room -= len(line.encode(errors="replace")) + 1
        if room < 0:
            break
        taken.append(line)
    return "\n".join(taken), len(lines) - len(taken)


def is_test(name: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+:[\w.-]+", name, re.A))


def shown(tests: Sequence[Facts], sections: Mapping[str, klog.Section],
          log_file: typing.Callable[[str], pathlib.Path],
          alone: typing.Callable[[typing.Any], str], meta: Facts) -> list[Shown]:
    """In the order of tests. What failed gets its room first."""
    left, found = ROOM, {}
    order = sorted(range(len(tests)), key=lambda n: bool(tests[n]["result"] != "fail"))
    for n in order:
        t = tests[n]
        section, most = sections.get(t["name"]), FAILED if t["result"] == "fail" else OTHER
        said, cut = excerpt([re.sub("^# ?", "", line) for line in t["log"]], min(most, left))
        left -= len(said)
        log, left_out = excerpt(section.lines if section else [], min(most, left))
        left -= len(log)
        file = log_file(t["name"])
        found[n] = Shown(f"t{n}", screen.plain(t["name"]), t["result"],
                         screen.plain(t["reason"]), screen.plain(
                             headline.cause(dict(t), meta) if t["result"] == "fail"
                             else t["reason"]), t["seconds"],
                         said + f"\n... {cut} lines more in ktap.log" * bool(cut), log,
                         left_out, f"{file.parent.name}/{file.name}",
                         alone(t) if is_test(t["name"]) else "")
    return [found[n] for n in range(len(tests))]


def by_cause(tests: Iterable[Shown], result: str) -> dict[str, list[Shown]]:
    causes: dict[str, list[Shown]] = {}
    for t in tests:
        if t.result == result:
            causes.setdefault(t.cause, []).append(t)
    return dict(sorted(causes.items(), key=lambda item: -len(item[1])))


def callsites(results: pathlib.Path) -> list[tuple[str, ...]]:
    """What the program said of each call site at its end"""
    try:
        return [tuple(screen.plain(text) for text in m.groups())
                for line in files.read_lines(results / "ktap.log")
                if (m := CALLSITE.fullmatch(line))]
    except files.Damaged:  # which the judge has told
        return []


def flat(value: object) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - 1} more" if value[1:] else ""
        return f"{flat(value[0])}{more}" if value else ""
    if isinstance(value, dict):
        return ", ".join(f"{flat(key)}: {flat(of)}" for key, of in value.items())
    return screen.plain("" if value is None else str(value))


def campaign(results: pathlib.Path, name: str) -> list[list[str]]:
    """The rows of its table; none if there is no table, or it is none"""
    try:
        rows = json.loads(files.read_text(results.resolve().parent / name / "table.json"))
    except (ValueError, RecursionError, files.Damaged):
        return []
    return [[flat(row.get(key)) for key in CAMPAIGNS[name]]
            for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def facts(results: pathlib.Path, summary: Facts, tests: list[Shown]) -> dict[str, typing.Any]:
    """All that the template uses"""
    timed = sorted((t for t in tests if t.seconds), key=lambda t: -(t.seconds or 0))
    return {
        "s": summary, "tests": tests, "tables": tables(tests), "results": RESULTS,
        "failures": by_cause(tests, "fail"), "known": by_cause(tests, "known_bug"),
        "skipped": by_cause(tests, "skip"), "callsites": callsites(results),
        "campaigns": {name: (keys, rows) for name, keys in CAMPAIGNS.items()
                      if (rows := campaign(results, name))},
        "slowest": timed[:SLOWEST], "in_tests": sum(t.seconds or 0 for t in tests),
        "name": results.resolve().name}


def write(results: pathlib.Path, summary: Facts, tests: Sequence[Facts],
          sections: Mapping[str, klog.Section],
          log_file: typing.Callable[[str], pathlib.Path],
          alone: typing.Callable[[typing.Any], str]) -> str:
    """Writes the page. Returns "", or why there is none"""
    to = results / "report.html"
    try:
        import jinja2  # pylint: disable=import-outside-toplevel
    except ImportError:
        to.unlink(missing_ok=True)  # of an earlier judge, which had jinja2
        return MISSING
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    environment.filters["plain"] = lambda value: screen.plain(str(value))
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    all_shown = shown(tests, sections, log_file, alone, summary["meta"])
    files.write_text(to, template.render(facts(results, summary, all_shown)))
    return ""
