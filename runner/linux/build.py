# SPDX-License-Identifier: GPL-2.0
"""source: and tree:, a kernel that is built here. The build directory and ccache (when
installed) stay in the cache, so that a second build compiles what changed.

CACHE/linux/KEY has tree, the copy of the source; build, where make works; and kernel,
the kernel directory. A variant has a build and a kernel of its own."""
from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from runner import cache, host, source
from runner.errors import BadKernel, writing
from runner.linux import kconfig, objects, series, tarball, tree
from runner.linux.request import BROKEN, Extras

KBUILD = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64"}
SHOWN = 12  # lines of what became of somebody's options
IMAGES = {"x86_64": "arch/x86/boot/bzImage", "arm64": "arch/arm64/boot/Image"}


def kbuild_arch(machine: host.Host) -> str:
    arch = machine.arch or machine.debian_arch()
    if arch not in KBUILD:
        raise BadKernel(f"cannot build for {arch}")
    return KBUILD[arch]


def find(machine: host.Host, spec: str) -> tuple[pathlib.Path, str]:
    """(the source, what the name of its directory in the cache begins with)"""
    kind, _, what = spec.removesuffix("+fixes").partition(":")
    if kind == "source" and what == "newest":
        what = source.newest(machine)
    if kind == "source" and re.fullmatch(r"\d+\.\d+", what):
        return source.pristine(machine, what)[0], f"source-{what}"
    path = pathlib.Path(what)
    if kind == "source" and path.is_file():
        pristine = tarball.unpacked(machine, path)
        return pristine, f"source-{pristine.name}"
    if not path.is_dir():
        raise BadKernel(f"{spec}: no such directory" if kind == "tree" else
                        f"{spec}: expected source:SERIES, as in source:6.12, "
                        "source:newest, source:TARBALL or source:DIR")
    path = path.resolve()
    if not (path / "mm/mmu_notifier.c").is_file():
        raise BadKernel(f"{path} is not a kernel tree")
    _, out = machine.output("sh", "-c", "printf '%s\\n' \"$1\" | cksum", "sh", path)
    return path, f"tree-{out.split()[0]}"


@dataclasses.dataclass
class Linux:
    machine: host.Host
    spec: str
    extras: Extras

    def __post_init__(self) -> None:
        self.arch = kbuild_arch(self.machine)
        self.cache = self.machine.cache()
        self.source, key = find(self.machine, self.spec)
        self.fixes = self.spec.endswith("+fixes")
        self.pristine = self.cache / "src" in self.source.parents
        self.key = "".join([key, "+fixes" if self.fixes else "",
                            "" if self.arch == "x86_64" else f"-{self.arch}",
                            f"-{self.extras.name}" if self.extras.name else ""])
        variant = f"-{self.extras.variant}" if self.extras.variant else ""
        self.work = self.cache / "linux" / self.key
        self.build, self.kernel = (self.work / f"{name}{variant}"
                                   for name in ("build", "kernel"))
        self.base = ""
        self.request = kconfig.Request(self.arch, self.extras)

    def make(self, *args: str) -> list[str]:
        """Building beside the tree under names that are the same for all kernels lets
        ccache find a file that was compiled for another one."""
        env, cc = self.machine.env, f"{self.machine.cross}gcc"
        if shutil.which("ccache", path=env["PATH"]):
            cc = f"ccache {cc}"
        cross = [f"CROSS_COMPILE={self.machine.cross}"] if self.machine.cross else []
        return ["env", f"CCACHE_BASEDIR={self.work}", "CCACHE_NOHASHDIR=1",
                f"CCACHE_DIR={env.get('CCACHE_DIR') or self.cache / 'ccache'}",
                "LOCALVERSION=", "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
                "KBUILD_BUILD_USER=user", "KBUILD_BUILD_HOST=host", "nice", "make", "-s",
                f"-j{len(os.sched_getaffinity(0))}", "-C", f"{self.work}/tree",
                f"O={self.build}", f"ARCH={self.arch}", f"CC={cc}",
                *cross, "KCFLAGS=-fmacro-prefix-map=../tree/=", *args]

    def compiler(self) -> bytes:
        return self.machine.output(f"{self.machine.cross}gcc", "--version")[1].encode()

    def kinds(self) -> list[str]:
        """Of the patches of a series"""
        return [*([] if series.has_fail_points(self.source) else ["module"]),
                *(["fixes"] if self.fixes else [])]

    def make_tree(self) -> None:
        """Chooses the base: the series whose patches apply."""
        version = tree.version(self.source)
        tried = []
        for base in series.candidates(version, series.bases()):
            try:
                tree.sync(self.machine, self.source, self.work,
                          [*series.of_base(base, *self.kinds()), *self.extras.patches],
                          self.pristine)
            except series.DoesNotFit as e:
                tried.append(str(e))
                continue
            self.base = base
            break
        else:
            host.say("\n".join(tried))
            raise BadKernel(f"no series of kernel-patches/ fits Linux {version} ({self.spec})")
        tree.clean(self.machine, self.work / "tree", self.arch)
        if self.base != version:
            host.say(f"Linux {version}: using the series of {self.base}")

    def config_sum(self, request: str) -> str:
        """A hash of all that a .config is made from: the request, the compiler, and Kconfig"""
        digest = hashlib.sha256(request.encode() + self.compiler())
        for line in (self.work / "stats").read_bytes().splitlines(keepends=True):
            if re.search(rb" (.*/)?Kconfig| scripts/", line):
                digest.update(line)
        for name in sorted(tree.read_lines(self.work / "list.patched")):
            if re.search("(^|/)Kconfig|^scripts/", name):
                digest.update((self.work / "tree" / name).read_bytes())
        return f"{digest.hexdigest()}  -\n"

    def make_config(self) -> None:
        request = self.request.text()
        config, requested, memo = (self.build / name for name in (
            ".config", "requested.config", "config.sum"))
        made_from = self.config_sum(request)
        if config.exists() and memo.exists() and memo.read_text() == made_from:
            return
        memo.unlink(missing_ok=True)
        # make goes on from the .config that is there, and asks for what is new
        if config.exists() and requested.exists() and requested.read_text() == request:
            cmd = self.make("olddefconfig")
        else:
            requested.write_text(request)
            cmd = self.make(f"KCONFIG_ALLCONFIG={requested}", self.request.target)
        log = self.build / "config.log"
        if self.machine.logged(log, *cmd):
            host.say("\n".join(log.read_text(errors="replace").splitlines()[-15:]))
            raise BadKernel("the kernel can't be configured", BROKEN)
        gone = self.request.lost(self.machine, self.work / "tree", config.read_text())
        if gone:
            requested.unlink()  # look again the next time
            raise BadKernel("\n".join(["these options were asked for and did not survive "
                                       "olddefconfig:", *gone]))
        memo.write_text(made_from)

    def compile(self) -> None:
        _, release = self.machine.output(*self.make("kernelrelease"),
                                         stderr=subprocess.DEVNULL)
        what = f"building Linux {release.strip()}"
        host.say(what)
        gcov = ["GCOV_PROFILE_mmu_notifier.o=y"] if self.extras.variant else []
        log = self.build / "make.log"
        image = pathlib.PurePath(IMAGES[self.arch]).name
        kind = f"objects-{self.base}-{self.arch}-{self.extras.variant or 'plain'}"
        shown, code = objects.Objects(what, self.build, self.cache / kind), 1
        try:
            code = self.machine.logged(log, *self.make(*gcov, image, "modules"),
                                       tick=shown.tick)
        finally:
            shown.close(code == 0)
        if code:
            host.say("\n".join(errors(log.read_text(errors="replace"))[:20]))
            raise BadKernel(f"{self.spec} does not build; see {log}", BROKEN)

    def publish(self, made_from: str) -> None:
        """The kernel directory, which is replaced whole"""
        variant = f" --{self.extras.variant}" if self.extras.variant else ""
        with cache.new_directory(self.kernel) as new:
            (new / "modules").mkdir()
            shutil.copy2(self.build / IMAGES[self.arch], new / "vmlinuz")
            # with its time: what is built for this kernel goes by it
            shutil.copy2(self.build / ".config", new / "config")
            shutil.copyfile(self.build / "include/config/kernel.release", new / "release")
            (new / "base").write_text(f"{self.base}\n")
            (new / "origin").write_text(f"{self.spec}{variant}\n", errors="surrogateescape")
            (new / "modules/order").touch()
            (new / "build").symlink_to(self.build)
            # what was built; runner/build.py has nothing to patch there
            (new / "src").symlink_to(self.work / "tree")
            (new / "pristine").symlink_to(self.source)
            (new / "patched").touch()
            (new / "changed.config").write_text("".join(
                f"{line}\n" for line in self.request.changed((new / "config").read_text())))
            cache.write_manifest(new)
            (new / "made-from").write_text(made_from)

    def made_from(self) -> str:
        """A hash of all that a kernel is made from, when its source never changes"""
        if not self.pristine:
            return ""
        digest = hashlib.sha256(os.fsencode(f"{self.source}\n") + self.compiler())
        here = pathlib.Path(__file__).parent
        for path in [*sorted(p for p in series.PATCHES.glob("[0-9]*/*") if p.is_file()),
                     *sorted(kconfig.CONFIGS.iterdir()), *sorted(here.glob("*.py")),
                     *([self.extras.config] if self.extras.config else []),
                     *self.extras.patches]:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def tree_made_from(self) -> pathlib.Path:
        return self.work / "made-from"

    def is_made(self, made_from: str) -> bool:
        """Its tree is that of other variants, too, and of other checkouts of ours."""
        memos = (self.kernel / "made-from", self.tree_made_from)
        return bool(made_from) and cache.is_whole(self.kernel) and \
            all(memo.is_file() and memo.read_text() == made_from for memo in memos)

    def get(self) -> pathlib.Path:
        made_from = self.made_from()
        with cache.locked(self.machine, f"linux-{self.key}"):
            if not self.is_made(made_from):
                with writing(self.work):
                    self.build.mkdir(parents=True, exist_ok=True)
                    self.tree_made_from.unlink(missing_ok=True)
                    self.make_tree()
                    self.tree_made_from.write_text(made_from)
                    self.make_config()
                    self.compile()
                    self.publish(made_from)
        self.say_config()
        return self.kernel

    def say_config(self) -> None:
        """What of the user's own options is not so"""
        given, theirs = self.extras.config, self.source / ".config"
        if not given:
            if theirs.is_file():
                host.say(f"{theirs} is not used; with --config {theirs} it is the base")
            return
        changed = self.kernel / "changed.config"
        lines = changed.read_text().splitlines()
        more = [f"and {len(lines) - SHOWN} more: {changed}"] if len(lines) > SHOWN else []
        for line in [*lines[:SHOWN], *more]:
            host.say(f"{given.name}: {line}")


def errors(log: str) -> list[str]:
    """What make and the compiler say is wrong, with the three lines that follow"""
    lines = log.splitlines()
    found = [n for n, line in enumerate(lines)
             if re.search(r"error:|Error \d|undefined reference", line)]
    return [line for n, line in enumerate(lines) if any(0 <= n - m <= 3 for m in found)]
