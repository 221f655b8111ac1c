# SPDX-License-Identifier: GPL-2.0
"""Puts the series and the tests into a kernel tree, without committing anything, and
takes all of it out again.

TREE/.hmm-notifier-tests remembers what was there before, so that uninstall can restore
it to the byte, and what was put there, so that nobody's work gets lost."""
import filecmp
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable

from . import patches
from .patches import Error
from .selftests import Selftests, edited

STATE = ".hmm-notifier-tests"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _sum(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _files(where: pathlib.Path) -> list[str]:
    return sorted(str(p.relative_to(where)) for p in where.rglob("*") if p.is_file())


class Tree:
    """A user's kernel tree, and what is installed there."""

    def __init__(self, path: str) -> None:
        if not path or not os.path.isdir(path):
            raise Error(f"KDIR={path}: no such directory")
        self.dir = pathlib.Path(path).resolve()
        for name in ("mm/mmu_notifier.c", "lib/test_hmm.c"):
            if not (self.dir / name).is_file():
                raise Error(f"{self.dir} is not a kernel tree")
        self.state = self.dir / STATE
        self.before = self.state / "before"
        self.manifest = self.state / "manifest"
        # {file: its SHA-256}, in the format of sha256sum
        self.installed: dict[str, str] = {}
        if self.manifest.is_file():
            lines = self.manifest.read_text().splitlines()
            self.installed = {line[66:]: line[:64] for line in lines}

    def install(self, fixes: bool) -> None:
        """All, or all but the fixes of mm/"""
        dirty = self.dirty()
        if dirty:
            raise Error(f"{self.dir} has uncommitted changes; commit or stash them first: "
                        + " ".join(dirty[:5]))
        self.refuse_if_changed("install")
        with tempfile.TemporaryDirectory() as tmp:
            pristine, new = pathlib.Path(tmp) / "pristine", pathlib.Path(tmp) / "new"
            new.mkdir()
            self.make_pristine(pristine)
            wanted = patches.of_base(patches.base_of(self.dir))
            patches.apply([p for p in wanted if fixes or not patches.is_fix(p)],
                          pristine, new)
            selftests = Selftests(pristine, new)
            selftests.all()
            self.put(new)
        _say(f"{self.dir}: {len(self.installed)} files; "
             f"try make kselftest TARGETS={pathlib.Path(selftests.mm).name}")

    def uninstall(self) -> None:
        """As if there had been no install"""
        if not self.installed:
            _say(f"{self.dir}: nothing is installed there")
            return
        self.refuse_if_changed("uninstall")
        for name in self.installed:
            self.restore(name)
        shutil.rmtree(self.state)

    def git(self, *args: str) -> list[str]:
        """The lines that git prints"""
        done = patches.run("git", "-c", "safe.directory=*", "-C", self.dir, *args)
        return done.stdout.splitlines() if done.returncode == 0 else []

    def dirty(self) -> list[str]:
        """Files that differ from the last commit and are not ours"""
        top = self.git("rev-parse", "--show-toplevel")
        if not top or pathlib.Path(top[0]).resolve() != self.dir:
            return []
        found = {*self.git("diff", "--name-only", "HEAD"),
                 *self.git("ls-files", "-o", "--exclude-standard")}
        return sorted(f for f in found - set(self.installed)
                      if not f.startswith(f"{STATE}/"))

    def refuse_if_changed(self, what: str) -> None:
        """Ours, and neither as we left it nor as it was before"""
        found = [f for f, was in self.installed.items()
                 if _sum(self.dir / f) not in (was, _sum(self.before / f))]
        if found:
            raise Error(f"{what}: changed since it was installed; nothing was done: "
                        + " ".join(found))

    def make_pristine(self, to: pathlib.Path) -> None:
        """What the tree was before, of all that install may touch: what is ours comes
        from what we kept."""
        names = {f for base in patches.bases() for p in patches.of_base(base)
                 for f in patches.touched(p)} | set(edited(self.dir))
        kept = set(_files(self.before)) if self.before.is_dir() else set()
        for name in names - (set(self.installed) - kept):
            source = (self.before if name in kept else self.dir) / name
            if source.is_file():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, to / name)

    def put(self, new: pathlib.Path) -> None:
        """A file that is there as it should be keeps its time: nothing is built twice."""
        names = _files(new)
        self.before.mkdir(parents=True, exist_ok=True)
        # it must not make a tree dirty that was clean
        (self.state / ".gitignore").write_text("*\n")
        for name in names:
            if name not in self.installed and (self.dir / name).is_file():
                (self.before / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.dir / name, self.before / name)
        for name in set(self.installed) - set(names):
            self.restore(name)
        self.installed = {name: _sum(new / name) for name in names}
        self.manifest.write_text("".join(f"{was}  {name}\n"
                                         for name, was in self.installed.items()))
        for name in names:
            there = self.dir / name
            if not (there.is_file() and filecmp.cmp(new / name, there, shallow=False)):
                there.parent.mkdir(parents=True, exist_ok=True)
                _replace(new / name, there, shutil.copy)

    def restore(self, name: str) -> None:
        """As it was before; a directory that is empty then was ours."""
        if (self.before / name).is_file():
            _replace(self.before / name, self.dir / name, shutil.copy2)
            return
        ours = pathlib.PurePath(name)
        for path in (ours, *_built(ours)):
            (self.dir / path).unlink(missing_ok=True)
        for parent in (self.dir / name).parents:
            if parent == self.dir or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()


def _built(path: pathlib.PurePath) -> list[pathlib.PurePath]:
    """What make has made of a file of ours, when it was told of no other place"""
    if path.name == "hmm_notifier.mk":
        return [path.with_name("lib.a"), path.with_name("warn_sites.h")]
    if path.stem.endswith("_kunit"):
        return [path.with_suffix(".o")]
    if path.suffix != ".c" or "hmm_notifier" not in path.parts:
        return []
    if path.parent.name == "hmm_notifier":
        return [path.parent.parent / path.stem]
    return [path.with_suffix(".o")]


def _replace(source: pathlib.Path, to: pathlib.Path,
             copy: Callable[[pathlib.Path, pathlib.Path], object]) -> None:
    """Not in place: the file may have other names."""
    new = to.with_name(f"{to.name}.hmm-new")
    copy(source, new)
    new.replace(to)
