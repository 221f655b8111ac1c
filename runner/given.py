# SPDX-License-Identifier: GPL-2.0
"""What testbed.py and boot.py wrote for the judge.  Read back it is somebody's data: of
the types that it should have, or files.Damaged."""
from __future__ import annotations

import pathlib
import re
import typing

from runner import files, klog


def must(what: bool, file: str, why: str) -> None:
    if not what:
        raise files.Damaged(f"{file}: {why}")


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and \
        0 <= value < 1e9


def are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def read_meta(results: pathlib.Path) -> dict[str, typing.Any]:
    meta = files.read_json(results / "meta.json")
    must(bool(meta), "meta.json", "nothing is known of this run")
    for key, value in meta.items():
        if key == "warn_sites":
            must(isinstance(value, dict) and set(value) <= set(klog.SITES) and
                 all(isinstance(lines, list) and len(lines) % 2 == 0 and
                     all(isinstance(n, int) for n in lines) for lines in value.values()),
                 "meta.json", "warn_sites are no lines of the four sites")
        elif key == "left_out":
            must(isinstance(value, dict) and all(map(is_number, value.values())),
                 "meta.json", "left_out are no numbers of tests")
        elif key == "known_bugs":
            must(are_strings(value), "meta.json", "known_bugs are no strings")
        else:
            must(isinstance(value, (str, bool)), "meta.json", f"{key} is no text")
    return meta


def read_boot(results: pathlib.Path) -> dict[str, typing.Any]:
    boot = files.read_json(results / "boot.json")
    for key in ("ended", "detail"):
        must(isinstance(boot.get(key, ""), str), "boot.json", f"{key} is no text")
    times = boot.get("times", {})
    must(isinstance(times, dict) and all(map(is_number, times.values())) and
         all(is_number(boot.get(key, 0)) for key in ("seconds", "wall_s")),
         "boot.json", "a time is no number")
    return boot


def read_programs(results: pathlib.Path) -> dict[str, dict[str, typing.Any]]:
    found = files.read_json(results / "programs.json")
    must(bool(found), "programs.json", "nothing is known of the programs")
    for info in found.values():
        must(isinstance(info, dict) and are_strings(info.get("tests")) and
             are_strings(info.get("strings")) and isinstance(info.get("selects"), bool),
             "programs.json", "a program is not described as it should be")
    return found


def read_expected(results: pathlib.Path) -> list[str]:
    names = files.read_text(results / "expected").split()
    must(bool(names), "expected", "no test is expected")
    must(len(set(names)) == len(names) and
         all(re.fullmatch(r"[\w.-]+:[\w.-]+", name, re.A) for name in names),
         "expected", "something is no name of a test, or there twice")
    return names
