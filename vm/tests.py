#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""tests.py DIR list|job [GLOB...] - the tests that the programs in DIR hold.

list prints the full names, program:fixture.variant.test; job prints one line per
program to run in the guest, with the arguments that select its tests.

The names come from the symbols that kselftest_harness.h makes: so nothing is run
on the host, a program for another architecture can be listed, and 6.1's harness,
which has no -l, is no exception.
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def symbols(path):
    nm = os.environ.get("CROSS_COMPILE", "") + "nm"
    out = subprocess.run([nm, path], capture_output=True, text=True, check=True)
    return sorted({line.split()[-1] for line in out.stdout.splitlines()})


def strings(path):
    """What a program can say as it is: its constant strings, but for formats."""
    objcopy = os.environ.get("CROSS_COMPILE", "") + "objcopy"
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([objcopy, "-O", "binary", "-j", ".rodata", path, f.name], check=True)
        data = pathlib.Path(f.name).read_bytes()
    return {s.decode() for s in re.findall(rb"[ -$&-~]{8,}(?=\0)", data)}


def names(path):
    """[fixture.variant.test] of one program."""
    syms = symbols(path)
    fixtures = [m[1] for s in syms if (m := re.fullmatch(r"_(\w+)_fixture_object", s))]
    variants, found = {}, []

    def split(text):
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


def parts(full):
    """What a glob may match: the name, and each of its parts as a user says it."""
    program, _, rest = full.partition(":")
    programs = (program, program.removeprefix("hmm_notifier_"))
    bits = rest.split(".")
    names = [rest]
    for i in range(1, len(bits)):
        names += [".".join(bits[:i]), ".".join(bits[i:])]
    yield from programs
    yield from names
    yield from (f"{p}:{n}" for p in programs for n in names)


def selected(full, globs):
    return not globs or any(fnmatch.fnmatchcase(part, g)
                            for g in globs for part in parts(full))


def can_select(path):
    """Whether the harness has -r; 6.1's runs all its tests, whatever is asked."""
    with open(path, "rb") as f:
        return b"run specified test" in f.read()


def programs(directory):
    """{program: (its tests, whether some of them can be selected)}"""
    paths = {p: os.path.join(directory, p) for p in sorted(os.listdir(directory))}
    return {p: (names(path), can_select(path)) for p, path in paths.items()}


def job(found, globs):
    """(the lines that run what is selected, the full names of it) of programs()"""
    lines, expected = [], []
    for program, (tests, selects) in found.items():
        chosen = [t for t in tests if selected(f"{program}:{t}", globs)]
        if chosen:
            some = chosen != tests and selects
            lines.append(" ".join([program, *(f"-r {t}" for t in chosen if some)]))
            expected += [f"{program}:{t}" for t in chosen]
    return lines, expected


def main():
    directory, what, globs = sys.argv[1], sys.argv[2], sys.argv[3:]
    try:
        found = programs(directory)
    except (OSError, subprocess.CalledProcessError) as e:
        print(f"tests.py: {getattr(e, 'stderr', None) or e}".rstrip(), file=sys.stderr)
        return 70
    for program, (tests, _) in found.items():
        if not tests:
            print(f"tests.py: {program} holds no test", file=sys.stderr)
            return 70
    lines, expected = job(found, globs)
    if expected:
        print("\n".join(expected if what == "list" else lines))
    return 0 if expected else 4


if __name__ == "__main__":
    sys.exit(main())
