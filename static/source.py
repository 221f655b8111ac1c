# SPDX-License-Identifier: GPL-2.0
"""Preprocesses files of a kernel tree, without asking kbuild for the command line."""
from __future__ import annotations

import functools
import os
import pathlib
import re
import resource
import signal
import subprocess

from .tree import ARCH, Tree, generate

FLAGS = """-nostdinc -std=gnu11 -fms-extensions -fshort-wchar -funsigned-char -m64 -O2
    -mcmodel=kernel -mno-sse -mno-red-zone -fno-PIE -fno-strict-aliasing -fno-builtin
    -D__KERNEL__ -w""".split()


HERE = pathlib.Path(__file__).resolve().parent


UNIT = "<stdin>"  # where the entries stand
BUILT_IN = ("mm/", "kernel/", "fs/proc/")  # all else is compiled as a module
# in the words of clang, and of gcc
MISSING = re.compile(r"'([^']+)' file not found|: ([^:]+): No such file or directory")


class Failed(Exception):
    """It can't be preprocessed or parsed; the text says why."""


def run(cmd: list[str], text: str = "", seconds: int = 240) -> tuple[str, str]:
    """What a command printed, or Failed with the first error.  It has so much time of the
    CPU, whatever else is running there."""
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    done = subprocess.run(cmd, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", check=False, preexec_fn=limit,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Failed(f"{cmd[0]} takes more than {seconds} s of CPU time")
    if done.returncode:
        errors = [e for e in done.stderr.splitlines() if "error:" in e] or \
            done.stderr.splitlines()[-1:] or [f"{cmd[0]} ends with {done.returncode}"]
        raise Failed(errors[0])
    return done.stdout, done.stderr


@functools.cache
def kernel_flags(tree: Tree) -> list[str]:
    s, b = tree.source, tree.build
    arch = f"arch/{ARCH}/include"
    dirs = (s / arch, b / arch / "generated", s / "include", b / "include",
            s / arch / "uapi", b / arch / "generated/uapi", s / "include/uapi",
            b / "include/generated/uapi")
    first = [s / "include/linux" / h
             for h in ("compiler-version.h", "kconfig.h", "compiler_types.h")]
    # kconfig.h includes autoconf.h: what is to be different comes after it
    first.insert(2, HERE / "options.h")
    return [*FLAGS, *(f"-I{d}" for d in dirs),
            *(f for h in first if h.exists() for f in ("-include", str(h)))]


@functools.cache
def makefile_dirs(makefile: pathlib.Path, tree: Tree) -> tuple[str, ...]:
    """The include directories that a Makefile asks for"""
    text = makefile.read_text(errors="replace").replace("\\\n", " ")
    values = dict(re.findall(r"^\s*(\w+)\s*:?=\s*(\S+)\s*$", text, re.M))
    values |= {"src": str(makefile.parent), "obj": str(makefile.parent),
               "srctree": str(tree.source), "objtree": str(tree.build)}

    def expand(path: str, depth: int = 8) -> str:
        new = re.sub(r"\$[({](\w+)[)}]", lambda m: values.get(m[1], m[0]), path)
        return new if new == path or not depth else expand(new, depth - 1)
    dirs = (expand(d) for d in re.findall(r"-I\s*(\S+)", text))
    return tuple(str(d) for p in dirs if (d := tree.source / p).is_dir())


def driver_dirs(file: pathlib.Path, tree: Tree) -> list[str]:
    """Those of the Makefiles above a file, and of those beside it that name its directory,
    as amdgpu's does with ../amdkfd."""
    makefiles = []
    for up in file.parents:
        if up == tree.source or tree.source not in up.parents:
            break
        makefiles += [up / "Makefile"]
        if up.parent != tree.source:
            makefiles += [m for m in sorted(up.parent.glob("*/Makefile")) if m.parent != up
                          and f"../{up.name}" in m.read_text(errors="replace")]
    return list(dict.fromkeys(
        [str(file.parent), *(d for m in makefiles if m.exists()
                             for d in makefile_dirs(m, tree))]))


def _look_for(header: str, file: pathlib.Path, tree: Tree) -> str | None:
    """The include directory near the file that has a header"""
    for up in file.parents:
        if up == tree.source or tree.source not in up.parents:
            break
        for path in sorted(up.glob(f"**/{header}")):
            return str(path)[:-len(header) - 1]
    return None


def preprocess(tree: Tree, files: list[pathlib.Path], compiler: str = "clang") -> str:
    """The text of these files as one unit.  A header that no Makefile leads to is looked
    for around the first of them."""
    unit = "".join(f'#include "{f}"\n' for f in files) + \
        "#include <linux/gfp.h>\n" \
        "_Static_assert(__GFP_DIRECT_RECLAIM == STATIC_RECLAIM, \"\");\n"
    name = re.sub(r"\W", "_", files[0].stem)
    dirs = list(dict.fromkeys(d for f in files for d in driver_dirs(f, tree)))
    names = [f'-DKBUILD_MODNAME="{name}"', f'-DKBUILD_BASENAME="{name}"',
             f'-DKBUILD_MODFILE="{name}"', f"-D__KBUILD_MODNAME={name}"]
    if not tree.name(files[0]).startswith(BUILT_IN):
        names.append("-DMODULE")
    for _ in range(20):
        try:
            return run([compiler, "-E", *kernel_flags(tree), *(f"-I{d}" for d in dirs),
                        *names, "-x", "c", "-"], unit)[0]
        except Failed as e:
            missing = MISSING.search(str(e))
            header = missing and (missing[1] or missing[2])
            found = header and (_look_for(header, files[0], tree) or
                                generate(tree, header, files[0]))
            if not found or found in dirs:
                raise
            dirs.append(found)
    raise Failed("too many headers that no Makefile leads to")
