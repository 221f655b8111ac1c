# SPDX-License-Identifier: GPL-2.0
"""The command that repeats a run, for a shell, from whichever directory."""
import os
import re
import shlex
import typing

from runner import TOP
from runner.linux import image

# What is not of a run that repeats one test of another; --stress and --seed are said of
# the tests that they are for.
NOT_AGAIN = {"--all", "--quick", "--test", "--shard", "--jobs", "--list", "--stress",
             "--seed", "--verbose", "-h", "--help", "--bisect", "--panic-on-warn",
             "--no-install"}
PATHS = {"--config", "--file", "--results", "--selftests", "--vmlinuz"}


def kernel(spec: str) -> str:
    """SPEC with the paths in it from the root. +fixes is no part of a name."""
    kind, colon, rest = spec.partition(":")
    what = rest[:-len("+fixes")] if rest.endswith("+fixes") else rest
    parts = [what]
    if kind == "image":
        if "," in os.getcwd():
            return spec  # BZIMAGE and SOURCE can't have any
        file, modules, source = image.split(what)
        parts = [file, modules, *([source] if source else [])]
    elif kind == "debian" or (kind == "source" and re.fullmatch(r"\d+\.\d+|newest", what)):
        return spec
    return kind + colon + ",".join(os.path.abspath(p) if p else p for p in parts) + \
        rest[len(what):]


def first_word(text: str) -> str:
    """--subject and --module: a path, perhaps, and what it is given"""
    path, blank, rest = text.strip().partition(" ")
    return (os.path.abspath(path) if os.path.isfile(path) else path) + blank + rest


def compared(word: str) -> str:
    """A results directory, a kernel or a revision of the tree beside it"""
    if os.path.isdir(word):
        return os.path.abspath(word)
    return kernel(word) if ":" in word else word


def command(words: typing.Sequence[str]) -> str:
    """The command line without its tests"""
    here = os.getcwd() == str(TOP)
    out = ["./run_tests.sh" if here else str(TOP / "run_tests.sh")]
    rest = iter(words)
    for word in rest:
        if word == "--compare":
            out += [word, compared(next(rest)), compared(next(rest))]
            continue
        name, equals, value = word.partition("=")
        if name in PATHS:
            value = os.path.abspath(value)
        elif name == "--kernel":
            value = kernel(value)
        elif name in ("--subject", "--module"):
            value = first_word(value)
        if name not in NOT_AGAIN:
            out.append(name + equals + value)
    return shlex.join(out)
