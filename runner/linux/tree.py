# SPDX-License-Identifier: GPL-2.0
"""A copy of a kernel tree that make can build incrementally. What is known of it lies
beside it: stats, the files that were copied, with their times; list, all of its files;
list.patched, those that patches touched."""
from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import typing
from collections.abc import Iterable, Sequence

from runner import host
from runner.errors import BadHost, BadKernel
from runner.linux import series

LEFT_BY_A_BUILD = re.compile(
    r".*\.(o|a|ko|mod|mod\.c|orig|rej)|\..*\.(cmd|d)|vmlinux|vmlinux\.bin.*|"
    r"\.tmp_.*|modules\.order", re.S)


def version(tree: pathlib.Path) -> str:
    """As in 6.12"""
    try:
        text = (tree / "Makefile").read_text(errors="replace")
    except OSError:
        text = ""
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL) = (\d+)$", text, re.M))
    if len(found) != 2:
        raise BadKernel(f"{tree} is not a kernel tree")
    return f"{found['VERSION']}.{found['PATCHLEVEL']}"


def files(machine: host.Host, tree: pathlib.Path) -> set[str]:
    """The files of a tree that are its source: what git tracks and what it does not
    ignore, as they lie there, uncommitted changes included. Without git, all but what a
    build leaves; so too where git is to ignore the source, as in Debian's linux-source."""
    git = ("git", "-c", "safe.directory=*", "-C", tree)
    with contextlib.suppress(BadHost):  # there may be no git here
        code, prefix = machine.output(*git, "rev-parse", "--show-prefix",
                                      stderr=subprocess.DEVNULL)
        ignored = machine.output(*git, "check-ignore", "-q", "--no-index", "mm/mmu_notifier.c",
                                 stderr=subprocess.DEVNULL)[0] == 0
        if code == 0 and not prefix.strip("\n") and not ignored:
            code, out = machine.output(*git, "ls-files", "-z", "-c", "-o",
                                       "--exclude-standard")
            if code:
                raise BadKernel(f"{tree}: cannot list its files")
            return set(out.split("\0")) - {""}
    return set(without_git(tree))


def without_git(tree: pathlib.Path) -> typing.Iterator[str]:
    for where, directories, names in os.walk(tree):
        links = [d for d in directories if os.path.islink(os.path.join(where, d))]
        directories[:] = [d for d in directories if d != ".git"]
        for name in names + links:
            if name != ".git" and not LEFT_BY_A_BUILD.fullmatch(name):
                yield os.path.relpath(os.path.join(where, name), tree)


def stats_of(tree: pathlib.Path, names: Iterable[str]) -> dict[str, str]:
    """{time, mode, size and name: name} of the files that are there"""
    found = {}
    for name in names:
        try:
            info = os.lstat(os.path.join(tree, name))
        except OSError:
            continue  # git tracks it, and somebody removed it
        if not stat.S_ISDIR(info.st_mode):
            seconds, rest = divmod(info.st_mtime_ns, 10 ** 9)
            found[f"{seconds}.{rest:09d} {stat.S_IMODE(info.st_mode):o} "
                  f"{info.st_size} {name}"] = name
    return found


def read_lines(path: pathlib.Path) -> set[str]:
    try:
        return set(os.fsdecode(path.read_bytes()).split("\n")) - {""}
    except FileNotFoundError:
        return set()


def write_lines(path: pathlib.Path, lines: Iterable[str], end: str = "\n") -> None:
    """In the order of their bytes, whole or not at all"""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(b"".join(sorted(os.fsencode(line + end) for line in lines)))
    new.replace(path)


def sync(machine: host.Host, source: pathlib.Path, work: pathlib.Path,
         patches: Sequence[pathlib.Path], pristine: bool) -> None:
    """WORK/tree becomes the source with the patches. A file that did not change keeps its
    time, a patched one too, so that make compiles what changed and no more. A pristine
    source of the cache never changes: its files are linked."""
    tree, scratch = work / "tree", work / "patched"
    shutil.rmtree(scratch, ignore_errors=True)
    for directory in (tree, scratch):
        directory.mkdir(parents=True, exist_ok=True)
    series.patched_files(machine, source, scratch, patches)
    stats = stats_of(source, files(machine, source))
    if not stats:
        raise BadKernel(f"{source}: cannot list its files")
    names, patched = set(stats.values()), set(without_git(scratch))
    # All, or what changed since the last time and what was patched then; rsync needs
    # as long to find nothing as make to build
    copied = {stats[line] for line in stats.keys() - read_lines(work / "stats")}
    copied |= read_lines(work / "list.patched") & names
    # if this run is interrupted from here on, the next one copies everything
    (work / "stats").unlink(missing_ok=True)
    write_lines(work / "list.patched", patched)
    for name in read_lines(work / "list") - names:
        with contextlib.suppress(OSError):
            (tree / name).unlink()
    copy(machine, source, work, copied - patched, pristine)
    if patched:
        # no -t: make goes by the time of the copy, and -c copies what differs
        rsync(machine, work, "-rc", f"{scratch}/", f"{tree}/")
    write_lines(work / "list", names | patched)
    write_lines(work / "stats", stats)
    shutil.rmtree(scratch)


def copy(machine: host.Host, source: pathlib.Path, work: pathlib.Path,
         names: set[str], pristine: bool) -> None:
    if not names:
        return
    write_lines(work / "list.copy", names, "\0")
    rsync(machine, work, "-lpt", *([f"--link-dest={source}"] if pristine else []), "--from0",
          f"--files-from={work}/list.copy", f"{source}/", f"{work}/tree/")
    (work / "list.copy").unlink()


def rsync(machine: host.Host, work: pathlib.Path, *args: str) -> None:
    if machine.logged(work / "rsync.log", "rsync", *args):
        said = (work / "rsync.log").read_text(errors="replace").splitlines()
        raise BadKernel("\n".join(["cannot copy the tree:", *said[-3:]]))


def clean(machine: host.Host, tree: pathlib.Path, arch: str) -> None:
    """Leftovers of a build inside a tree without git that files() can't know by name;
    kbuild refuses to build from such a tree elsewhere."""
    left = (".config", "include/config", f"arch/{arch}/include/generated")
    if any((tree / name).exists() for name in left):
        host.say("removing what a build left in the copy of the tree")
        machine.output("make", "-s", "-C", tree, f"ARCH={arch}", "mrproper",
                       stderr=subprocess.DEVNULL)
