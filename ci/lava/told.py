# SPDX-License-Identifier: GPL-2.0
"""What LAVA says of a job, compared with the judge, test by test."""
from __future__ import annotations

import json
import pathlib
import re
import typing

from runner.page import is_test

SAYS = {"pass": "pass", "known_bug": "pass", "skip": "skip", "fail": "fail"}
DEFINITION = "hmm-notifier"     # the name of the monitor in job.yaml.j2
Line = typing.Dict[str, typing.Any]


def read_log(log: pathlib.Path) -> list[Line]:
    """What lava-run says is a YAML document a line; a server's log is a list of them."""
    import yaml  # type: ignore  # LAVA brings it
    lines = [yaml.safe_load(line.removeprefix("- "))
             for line in log.read_text(errors="replace").splitlines()]
    return [line for line in lines if isinstance(line, dict)]


def cases(lines: list[Line]) -> dict[str, str]:
    """{test: result}; one that came twice is no result of anything"""
    found: dict[str, str] = {}
    for line in lines:
        said = line["msg"] if line["lvl"] == "results" else {}
        if said.get("definition") == DEFINITION:
            name = said["extra"]["test_case_id"]
            found[name] = "twice" if name in found else said["result"]
    return found


def slug(name: str) -> str:
    """LAVA has it in lower case, and an underscore for all that is no letter."""
    return re.sub(r"\W+", "_", name.lower())


def stored(rows: list[Line], lines: list[Line]) -> list[str]:
    """What a server's database has otherwise than the log that it came from"""
    said = {slug(name): result for name, result in cases(lines).items()}
    kept = {row["name"]: row["result"] for row in rows if row["suite"] == DEFINITION}
    return sorted(f"{name}: {said.get(name)} in the log, and {kept.get(name)} on the server"
                  for name in said.keys() | kept.keys() if said.get(name) != kept.get(name))


def is_broken(lines: list[Line]) -> bool:
    """Whether LAVA itself says that the run has not come to its end"""
    said = [line["msg"] for line in lines if line["lvl"] == "results"]
    return any(r["result"] == "fail" and (r["case"].startswith("panic_") or r["case"] == "job")
               for r in said)


def beside(to: pathlib.Path) -> set[str]:
    """Tests that run although nobody chose them: 6.1's harness can't leave any out."""
    programs = json.loads((to / "programs.json").read_text())
    return {f"{name}:{test}" for name, program in programs.items()
            if not program["selects"] for test in program["tests"]}


def differences(judged: list[Line], lines: list[Line],
                unasked: typing.Collection[str] = ()) -> list[str]:
    """What LAVA has otherwise than the judge, for whom each test has a result: those that
    had none when the run broke off have failed. Of unasked ones the judge says nothing."""
    lava, absent = cases(lines), "fail" if is_broken(lines) else "absent"
    tests = {test["name"]: SAYS[test["result"]] for test in judged if is_test(test["name"])}
    return [f"{name}: {said}, and {lava.get(name, absent)} in LAVA"
            for name, said in tests.items() if lava.get(name, absent) != said] + \
        [f"{name}: no test of this run, and a case in LAVA"
         for name in lava if is_test(name) and name not in tests and name not in unasked]


def console(lines: list[Line]) -> list[str]:
    return [str(line["msg"]) for line in lines if line["lvl"] == "target"]


def last_words(lines: list[Line]) -> str:
    last = lines[-1]["msg"] if lines else "nothing"
    return " ".join(str(last.get("error_msg") if isinstance(last, dict) else last).split())


def how_it_ended(lines: list[Line], to: pathlib.Path) -> tuple[str, str]:
    """As boot.py says it"""
    panic = [line for line in console(lines) if "Kernel panic" in line]
    if panic:
        return "panic", panic[0][panic[0].index("Kernel panic"):].strip()
    ktap = to / "ktap.log"
    if ktap.exists() and "\n# hmm_notifier: done " in ktap.read_text(errors="replace"):
        return "power-off", ""
    return "early-end", last_words(lines)
