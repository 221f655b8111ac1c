# SPDX-License-Identifier: GPL-2.0
"""kernel-patches/: which patches a base has, what they touch, and applying them."""
import os
import pathlib
import re
import subprocess

from runner import host
from runner.errors import Stop
from runner.linux import series

PATCHES, bases, of_base = series.PATCHES, series.bases, series.listed
# What a tool says is read, so it must not be translated
ENV = {**os.environ, "LC_ALL": "C"}


class Error(Stop):
    """What the user has to be told."""


def touched(patch: pathlib.Path) -> list[str]:
    """The files that it changes or makes"""
    return series.touched([patch])


def is_fix(patch: pathlib.Path) -> bool:
    """Does it change mm/ itself, and not what tests it?"""
    return series.kind(patch) == "fixes"


def is_kunit(patch: pathlib.Path) -> bool:
    """Is it a part of the KUnit suite, which is built with a file of the selftests?"""
    return series.kind(patch) == "kunit"


def version(tree: pathlib.Path) -> list[str]:
    """What its Makefile says: 6, 12, 117"""
    text = (tree / "Makefile").read_text()
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", text, re.M))
    return [found.get(name, "") for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]


def base_of(tree: pathlib.Path) -> str:
    """The series that is made for it"""
    base = ".".join(version(tree)[:2])
    if base not in bases():
        raise Error(f"{tree} is Linux {base}; there are series for {' '.join(bases())}")
    return base


def run(*command: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """To its end; stdout and stderr in .stdout"""
    return subprocess.run(command, env=ENV, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def apply(patches: list[pathlib.Path], pristine: pathlib.Path, new: pathlib.Path) -> None:
    """Puts what they touch into new, patched without fuzz."""
    try:
        series.patched_files(host.Host(), pristine, new, patches)
    except series.DoesNotFit as why:
        raise Error(str(why)) from why
