# SPDX-License-Identifier: GPL-2.0
"""A kernel tree, and the headers that kbuild would generate for it."""
from __future__ import annotations

import dataclasses
import fcntl
import functools
import hashlib
import os
import pathlib
import re
import subprocess

from runner import place

HERE = pathlib.Path(__file__).resolve().parent
ARCH = "x86"  # all callbacks that are given a range can be compiled for it


class Unusable(Exception):
    """The tree can't be checked; the text says why."""


def cache() -> pathlib.Path:
    path = place.cache(os.environ) / "static"
    path.mkdir(parents=True, exist_ok=True)
    return path


@dataclasses.dataclass(frozen=True)
class Tree:
    source: pathlib.Path
    build: pathlib.Path

    @functools.cached_property
    def version(self) -> str:
        text = (self.source / "Makefile").read_text()
        return ".".join(n for name in ("VERSION", "PATCHLEVEL")
                        for n in re.findall(rf"^{name} = *(\d+)", text, re.M))

    @functools.cached_property
    def event(self) -> str:
        """What the non-blockable caller says that happens"""
        for name in ("mm/memory.c", "mm/oom_kill.c"):
            file = self.source / name
            before = file.read_text().split("_range_start_nonblock(") if file.exists() else []
            if len(before) > 1:
                return str(re.findall(r"\bMMU_NOTIFY_\w+", before[0])[-1])
        return "MMU_NOTIFY_CLEAR"  # a tree of headers only

    def name(self, path: str | pathlib.Path) -> str:
        """A path as it is called in the tree"""
        path = os.path.normpath(path)
        return os.path.relpath(path, self.source) \
            if path.startswith(f"{self.source}/") else path


def _make(source: pathlib.Path, build: pathlib.Path, *what: str) -> None:
    log = build / "make.log"
    with open(log, "ab") as out:
        done = subprocess.run(
            ["make", "-s", f"-j{os.cpu_count()}", "-C", source, f"O={build}",
             f"ARCH={ARCH}", f"KCONFIG_ALLCONFIG={HERE / 'config'}", *what],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-5:]
        raise Unusable("\n".join([f"make {' '.join(what)} failed; {log} ends with", *tail]))


def _state(source: pathlib.Path) -> str:
    """Changes with anything that generated headers are made of"""
    seen = hashlib.sha256((HERE / "config").read_bytes())
    names = subprocess.run(
        ["find", "Makefile", "Kconfig", "include", f"arch/{ARCH}", "scripts", "init",
         "kernel", "mm", "drivers", "lib", "fs", "net", "virt", "security", "crypto",
         "block", "sound", "(", "-name", "Kconfig*", "-o", "-path", f"arch/{ARCH}/*.[chS]",
         "-o", "-path", "include/*.h", "-o", "-path", "scripts/*", "-o", "-name", "Makefile",
         ")", "-type", "f", "-printf", r"%p %s %T@\n"],
        cwd=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    seen.update(b"\n".join(sorted(names.stdout.splitlines())))
    return seen.hexdigest()


def prepare(source: pathlib.Path) -> Tree:
    """Generates the headers of a tree in the cache, which takes a minute once."""
    source = source.resolve()
    if not (source / "include/linux/mmu_notifier.h").is_file():
        raise Unusable(f"{source} is not the source of a kernel")
    build = cache() / ("headers-" + hashlib.sha256(bytes(source)).hexdigest()[:16])
    build.mkdir(exist_ok=True)
    with open(build / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state, stamp = _state(source), build / ".state"
        if not stamp.exists() or stamp.read_text() != state:
            if (source / ".config").exists():
                raise Unusable(f"{source} was built in place; check a clean copy of it, as "
                               f"'git worktree add' makes one")
            stamp.unlink(missing_ok=True)
            print(f"generating the headers of {source}", flush=True)
            _make(source, build, "allmodconfig")
            _make(source, build, "prepare0")
            stamp.write_text(state)
    return Tree(source, build)


def generate(tree: Tree, header: str, near: pathlib.Path) -> str | None:
    """Has kbuild generate a header that a driver makes by a tool of its own, as xe does, and
    returns the directory to include.  A build directory of somebody else's is left alone."""
    if tree.build.parent != cache():
        return None
    for up in near.parents:
        if tree.source not in up.parents:
            break
        obj = up.relative_to(tree.source)
        with open(tree.build / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                ["make", "-s", "-C", tree.build, "-f", tree.source / "scripts/Makefile.build",
                 f"obj={obj}", "objtree=.", f"SRCARCH={ARCH}", "HOSTCC=gcc", "CC=gcc", "LD=ld",
                 # where the sources are, as 6.12 calls it and as 7.2 does
                 *(f"{name}={tree.source}" for name in ("srctree", "VPATH", "srcroot")),
                 "CONFIG_SHELL=sh", f"{obj}/{header}"],
                stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if not done.returncode:
            return str(tree.build / obj)
    return None
