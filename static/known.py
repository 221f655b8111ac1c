# SPDX-License-Identifier: GPL-2.0
"""What was said of a report by somebody who read the code: the file `known`."""
from __future__ import annotations

import dataclasses
import functools
import pathlib

from .check import Finding

TABLE = pathlib.Path(__file__).resolve().parent / "known"
VERDICTS = ("real", "arguable", "false")


@dataclasses.dataclass
class Entry:
    verdict: str
    versions: frozenset[str]
    function: str
    rule: str
    what: frozenset[str]
    why: str = ""


def parse(text: str) -> list[Entry]:
    """verdict: versions: function: rule: what; the lines that are indented say why"""
    out: list[Entry] = []
    for nr, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            out[-1].why = f"{out[-1].why} {line.strip()}".strip()
            continue
        fields = [f.strip() for f in line.split(":", 4)]
        if len(fields) != 5 or fields[0] not in VERDICTS:
            raise ValueError(f"known:{nr}: expected VERDICT: VERSIONS: FUNCTION: RULE: WHAT")
        verdict, versions, function, rule, what = fields
        out.append(Entry(verdict, frozenset(versions.split()), function, rule,
                         frozenset(w.strip() for w in what.split(","))))
    return out


@functools.cache
def table() -> tuple[Entry, ...]:
    return tuple(parse(TABLE.read_text()))


def known(finding: Finding, version: str) -> Entry | None:
    for e in table():
        if (e.function, e.rule) == (finding.function, finding.rule) and \
                version in e.versions and finding.what in e.what:
            return e
    return None
