# SPDX-License-Identifier: GPL-2.0
"""The test programs: which tests they hold, and what they can say.

The names come from the symbols that kselftest_harness.h makes: so nothing is run
on the host, a program for another architecture can be listed, and 6.1's harness,
which has no -l, is no exception.
"""
from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import functools
import pathlib
import re
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence

from runner import host
from runner.errors import OurFault

Programs = Mapping[str, "Program"]
SUBJECT = "hmm_notifier_subject"


@dataclasses.dataclass(frozen=True)
class Program:
    path: pathlib.Path
    tests: list[str]    # fixture.variant.test
    selects: bool       # whether its harness can run some of them


def symbols(machine: host.Host,
            paths: Sequence[pathlib.Path]) -> dict[pathlib.Path, list[str]]:
    code, out = machine.output(f"{machine.cross}nm", "-pA", *paths) if paths else (0, "")
    if code:
        raise OurFault("the names of the tests can't be read: nm failed for "
                       f"{', '.join(path.name for path in paths)}")
    found: dict[str, set[str]] = {}
    for line in out.splitlines():
        path, _, symbol = line.rpartition(":")
        found.setdefault(path, set()).add(symbol.split()[-1])
    return {path: sorted(found.get(str(path), ())) for path in paths}


def strings(machine: host.Host, path: pathlib.Path) -> set[str]:
    """What a program can print unchanged: its constant strings without formats."""
    with tempfile.NamedTemporaryFile(dir=machine.env.get("TMPDIR")) as f:
        objcopy = f"{machine.cross}objcopy"
        if machine.run(objcopy, "-O", "binary", "-j", ".rodata", path, f.name):
            raise OurFault(f"objcopy failed for {path}")
        data = pathlib.Path(f.name).read_bytes()
    return {s.decode() for s in re.findall(rb"[ -$&-~]{8,}(?=\0)", data)}


def names(syms: Sequence[str]) -> list[str]:
    """[fixture.variant.test] of the program with these symbols."""
    fixtures = [m[1] for s in syms if (m := re.fullmatch(r"_(\w+)_fixture_object", s))]
    variants: dict[str, list[str]] = {}
    found: list[str] = []

    def split(text: str) -> tuple[str, str]:
        """(fixture, rest); a plain TEST() has no fixture, the harness says global."""
        owners = [f for f in fixtures if text.startswith(f + "_")]
        owner = max(owners, key=len, default="global")
        return owner, text[len(owner) + 1:] if owners else text

    for sym in syms:
        if m := re.fullmatch(r"_(\w+)_variant", sym):
            fixture, variant = split(m[1])
            if fixture in fixtures:  # __register_fixture_variant is none
                variants.setdefault(fixture, []).append(variant)
    for sym in syms:
        if sym.endswith("_teardown") and sym.removesuffix("_teardown") in syms:
            continue  # newer harnesses make one of these for each test
        if m := re.fullmatch(r"wrapper_(\w+)", sym):
            fixture, test = split(m[1])
            for variant in variants.get(fixture) or [""]:
                found.append(".".join(p for p in (fixture, variant, test) if p))
    return sorted(found)


def can_select(path: pathlib.Path) -> bool:
    """Whether the harness has -r. That of 6.1 has not, and always runs all tests."""
    return b"run specified test" in path.read_bytes()


def read(machine: host.Host, directory: pathlib.Path, of_subject: bool = False) -> Programs:
    """Of a subject's tests, or all others: those are of no use without one."""
    found = {}
    paths = [path for path in sorted(directory.iterdir())
             if (path.name == SUBJECT) == of_subject]
    for path, syms in symbols(machine, paths).items():
        tests = names(syms)
        if not tests:
            raise OurFault(f"the names of the tests can't be read: {path.name} holds no test")
        found[path.name] = Program(path, tests, can_select(path))
    return found


def parts(full: str) -> Iterator[str]:
    """What a glob may match: the name, and each of its parts as a user says it."""
    program, _, rest = full.partition(":")
    programs = (program, program.removeprefix("hmm_notifier_"))
    bits = rest.split(".")
    said = [rest]
    for i in range(1, len(bits)):
        said += [".".join(bits[:i]), ".".join(bits[i:])]
    yield from programs
    yield from said
    yield from (f"{p}:{n}" for p in programs for n in said)


@functools.cache
def pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, globs)))


def selected(full: str, globs: Sequence[str]) -> bool:
    return not globs or any(map(pattern(tuple(globs)).match, parts(full)))


def close_to(programs: Programs, globs: Sequence[str], most: int = 3) -> list[str]:
    """What somebody may have meant who found nothing; the programs, if nothing is close"""
    words = dict.fromkeys(part for name, program in programs.items()
                          for test in program.tests for part in parts(f"{name}:{test}"))
    found = [word for glob in globs
             for word in difflib.get_close_matches(glob.strip("*"), words, most, 0.6)]
    return list(dict.fromkeys(found))[:most] or \
        [name.removeprefix("hmm_notifier_") for name in programs]


def lines(programs: Programs, chosen: Container[str]) -> tuple[list[str], list[str]]:
    """(the lines that run these tests, the full names of them)"""
    said, expected = [], []
    for name, program in programs.items():
        these = [t for t in program.tests if f"{name}:{t}" in chosen]
        if these:
            some = these != program.tests and program.selects
            said.append(" ".join([name, *(f"-r {t}" for t in these if some)]))
            expected += [f"{name}:{t}" for t in these]
    return said, expected


def select(programs: Programs, globs: Sequence[str]) -> tuple[list[str], list[str]]:
    """The same, of what is selected"""
    return lines(programs, {full for name, program in programs.items()
                            for test in program.tests
                            if selected(full := f"{name}:{test}", globs)})
