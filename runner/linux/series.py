# SPDX-License-Identifier: GPL-2.0
"""Which patches of which series, and applying them without fuzz."""
from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from runner import TOP, host

PATCHES = TOP / "kernel-patches"


class DoesNotFit(Exception):
    """Says which patch, and where."""


def number(version: str) -> list[int]:
    """6.9 is older than 6.12"""
    return [int(n) for n in version.split(".")]


def bases() -> list[str]:
    """Oldest first"""
    return sorted((p.parent.name for p in PATCHES.glob("[0-9]*/series")), key=number)


def candidates(version: str, known: Iterable[str]) -> list[str]:
    """The series to try, best first: its own, then the newest of the older ones and so
    on, then the newer ones."""
    this, known = number(version), sorted(known, key=number)
    older = [base for base in known if number(base) <= this]
    return older[::-1] + [base for base in known if number(base) > this]


def touched(patches: Iterable[pathlib.Path]) -> list[str]:
    text = "".join(p.read_text(errors="surrogateescape") for p in patches)
    return sorted(set(re.findall(r"^\+\+\+ [ab]/(\S+)", text, re.M)))


def kind(patch: pathlib.Path) -> str:
    """fixes change mm/, kunit its tests; module is all that is neither, nor a selftest."""
    names = touched([patch])
    if any(name.startswith("mm/tests/") for name in names):
        return "kunit"
    folders = {name.partition("/")[0] for name in names}
    kinds = {"mm": "fixes", "tools": "selftests"}
    return next((of for folder, of in kinds.items() if folder in folders), "module")


def listed(base: str) -> list[pathlib.Path]:
    """Its patches, in the order of quilt's series file"""
    lines = (PATCHES / base / "series").read_text().splitlines()
    names = [words[0] for line in lines if (words := line.partition("#")[0].split())]
    return [PATCHES / base / name for name in names]


def of_base(base: str, *kinds: str) -> list[pathlib.Path]:
    """Kind after kind, each in the order of the series"""
    return [p for wanted in kinds for p in listed(base) if kind(p) == wanted]


def has_fail_points(tree: pathlib.Path) -> bool:
    """Is the module's part of the series there already?"""
    try:
        return b"HMM_DMIRROR_FAIL_POINT" in (tree / "lib/test_hmm_uapi.h").read_bytes()
    except OSError:
        return False


def apply_one(machine: host.Host, where: pathlib.Path, patch: pathlib.Path) -> None:
    """Applied, or there already"""
    cmd = ("patch", "-d", where, "-p1", "-F0", "-f", "-i", patch)
    code, said = machine.output(*cmd, "--dry-run", stderr=subprocess.STDOUT)
    if code == 0:
        code, said = machine.output(*cmd, "-s", "--no-backup-if-mismatch",
                                    stderr=subprocess.STDOUT)
    elif machine.output(*cmd, "-R", "--dry-run", stderr=subprocess.DEVNULL)[0] == 0:
        return
    if code:
        name = patch.relative_to(PATCHES) if PATCHES in patch.parents else patch
        raise DoesNotFit("\n".join([f"{name} does not apply:", *(
            line for line in said.splitlines()
            if re.search("^checking file|FAILED|^can.t find|^patch: ", line))]))


def patched_files(machine: host.Host, tree: pathlib.Path, to: pathlib.Path,
                  patches: Sequence[pathlib.Path]) -> None:
    """Puts what the patches touch into a directory, patched."""
    for name in touched(patches):
        if (tree / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / name, to / name)
            (to / name).chmod((to / name).stat().st_mode | 0o200)
    for patch in patches:
        apply_one(machine, to, patch)
