# SPDX-License-Identifier: GPL-2.0
"""kernel-patches/: which patches a base has, what they touch, and applying them."""
import os
import pathlib
import re
import shutil
import subprocess

from runner.linux import series

PATCHES, bases, of_base = series.PATCHES, series.bases, series.listed
# What a tool says is read, so it must not be translated
ENV = {**os.environ, "LC_ALL": "C"}


class Error(Exception):
    """What the user has to be told."""


def touched(patch: pathlib.Path) -> list[str]:
    """The files that it changes or makes"""
    return series.touched([patch])


def is_fix(patch: pathlib.Path) -> bool:
    """Does it change mm/ itself, and not what tests it?"""
    return all(f.startswith("mm/") for f in touched(patch))


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
    for name in {f for p in patches for f in touched(p)}:
        if (pristine / name).is_file():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(pristine / name, new / name)
            (new / name).chmod((new / name).stat().st_mode | 0o200)
    for p in patches:
        _apply_one(p, new)


def _apply_one(patch: pathlib.Path, where: pathlib.Path) -> None:
    """Applied, or there already"""
    command = ["patch", "-d", str(where), "-p1", "-F0", "-f", "-i", str(patch)]
    done = run(*command, "--dry-run")
    if done.returncode == 0:
        run(*command, "-s", "--no-backup-if-mismatch")
    elif run(*command, "-R", "--dry-run").returncode:
        raise Error(f"{patch.relative_to(PATCHES)} does not apply:\n{done.stdout}")
