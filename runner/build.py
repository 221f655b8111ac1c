# SPDX-License-Identifier: GPL-2.0
"""What goes into the guest: modules/test_hmm.ko, patched with the series of this base,
the static test programs in tests/, the guest's own programs in bin/, and
initramfs.cpio. It lies in the cache under a key of all that it is made from, so that a
warm run builds nothing."""
from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time
import typing
from collections.abc import Iterable, Iterator

from runner import TOP, apt, cache, host, initrd
from runner.errors import BadHost, BadKernel
from runner.kernel import Built, Kernel

Word = typing.Union[str, "os.PathLike[str]"]
GUEST = TOP / "runner/guest"
KEPT = 30 * 86400  # seconds for which a build that nobody uses stays


class Build:
    def __init__(self, machine: host.Host, kernel: Kernel, selftests: pathlib.Path):
        self.machine, self.kernel = machine, kernel
        self.dir = kernel.directory.resolve()
        self.selftests = selftests.resolve()
        self.series = TOP / "kernel-patches" / kernel.says("base")
        if not (self.series / "series").is_file():
            raise BadKernel(f"there is no series for {kernel.says('base')} kernels in "
                            "kernel-patches/")
        self.cc = self.compiler()
        self.cache = machine.cache()
        self.numa = self.cache / f"numa-{machine.arch}" if machine.arch else None
        self.link = "-static" if self.numa or self.has("libc.a", "libnuma.a") else ""
        self.busybox = get_busybox(machine)
        self.final = self.cache / "builds" / f"{kernel.release}-{self.key()}"

    def compiler(self) -> str:
        """The test programs are compiled by the compiler that compiles the module."""
        config = self.kernel.says("config")
        said = re.search(r'^CONFIG_CC_VERSION_TEXT="([^ "]*)', config, re.M)
        cross = self.machine.cross
        # some say gcc-12, some x86_64-linux-gnu-gcc-12
        name = cross + (said[1] if said else "").removeprefix(cross)
        if shutil.which(name, path=self.machine.env["PATH"]):
            return name
        host.say(f"the kernel's compiler, {name}, is not here; using {cross}gcc")
        return f"{cross}gcc"

    def has(self, *libraries: str) -> bool:
        """Not all distributions have libraries to link statically; Fedora's libnuma isn't.
        The compiler prints the name alone when it does not find the file."""
        return all(os.path.isabs(self.machine.output(self.cc, f"-print-file-name={name}")[1])
                   for name in libraries)

    def sources(self) -> Iterator[tuple[str, pathlib.Path]]:
        """(name, file): the same commit in another clone is the same"""
        src = self.dir / "src"
        for path in [*src.glob("lib/test_hmm*.[ch]"), src / "mm/mmu_notifier.c"]:
            yield f"src/{path.relative_to(src)}", path
        yield from files(self.series, TOP / "lib", self.selftests, GUEST)
        for name in ("build.py", "initrd.py"):
            yield f"runner/{name}", TOP / "runner" / name

    def key(self) -> str:
        its = [cache.sum_of(self.busybox), os.fspath(self.dir)]
        for name in ("config", "build/Module.symvers", "src/lib/test_hmm.c"):
            stat = (self.dir / name).stat()
            its.append(f"{stat.st_size} {int(stat.st_mtime)}")
        return self.key_of(self.sources(), *its)

    def key_of(self, sources: Iterable[tuple[str, pathlib.Path]], *more: str) -> str:
        said = [self.cc, self.link, self.machine.output(self.cc, "--version")[1], *more]
        said += [f"{name} {cache.sum_of(path)}" for name, path in sorted(sources)
                 if path.exists()]
        return hashlib.sha256("\n".join(said).encode(errors="surrogateescape")
                              ).hexdigest()[:16]

    def sources_of_tests(self, module: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
        """Of it, what selftests/Makefile and programs() take"""
        src = self.dir / "src"
        for path in [src / "Makefile", src / "mm/mmu_notifier.c", *module.glob("*.h"),
                     *(src / "tools/testing/selftests").glob("*.h"),
                     TOP / "runner/build.py"]:
            yield path.name, path
        yield from files(TOP / "lib", self.selftests)

    def must(self, what: str, log: pathlib.Path, *cmd: Word,
             cwd: typing.Optional[pathlib.Path] = None) -> None:
        """Runs a command that must succeed; its output is shown only if it fails."""
        with open(log, "wb") as f, self.machine.started(
                cmd, stdout=f, stderr=subprocess.STDOUT, cwd=cwd) as child:
            code = self.machine.code(cmd, child.wait())
        if code:
            host.say(log.read_text(errors="replace").rstrip())
            raise BadKernel(what)

    def patch_module(self, new: pathlib.Path) -> None:
        """git apply takes no fuzz, and the parts of a patch that lie outside lib/ are not
        this build's business."""
        (new / "module/lib").mkdir(parents=True)
        for f in self.dir.glob("src/lib/test_hmm*.[ch]"):
            shutil.copyfile(f, new / "module/lib" / f.name)
        if (self.dir / "patched").exists():
            return  # the kernel was built with the series
        for line in (self.series / "series").read_text().splitlines():
            patch, *strip = line.partition("#")[0].split()[:2] or [""]
            if patch:
                self.must(f"{self.series.name}/{patch} does not apply to this kernel",
                          new / "log", "env", f"GIT_CEILING_DIRECTORIES={new}", "git", "apply",
                          *(strip or ["-p1"]), "--whitespace=nowarn",
                          "--include=lib/test_hmm*", self.series / patch, cwd=new / "module")

    def kbuild(self, where: pathlib.Path, new: pathlib.Path) -> None:
        """No BTF: nothing reads it, and it would want pahole."""
        self.must("the module does not build", where / "log", "make", "-C", self.dir / "build",
                  f"M={where}", "CONFIG_DEBUG_INFO_BTF_MODULES=", *self.cross(), "modules")
        for ko in where.glob("*.ko"):
            shutil.copy(ko, new / "modules")
            self.must("strip failed", where / "log", f"{self.machine.cross}strip",
                      "--strip-debug", new / "modules" / ko.name)

    def cross(self) -> typing.List[str]:
        arch, cross = self.machine.arch, self.machine.cross
        return [f"ARCH={arch}", f"CROSS_COMPILE={cross}"] if arch else []

    def modules(self, new: pathlib.Path) -> None:
        (new / "modules").mkdir()
        self.patch_module(new)
        (new / "module/lib/Kbuild").write_text("obj-m := test_hmm.o\n")
        self.kbuild(new / "module/lib", new)
        if (self.selftests / "Kbuild").exists():
            shutil.copytree(self.selftests, new / "extra")
            self.kbuild(new / "extra", new)

    def tests(self, new: pathlib.Path) -> None:
        """They take longer than the module, and are the same for most changes of a kernel."""
        module = new / "module/lib"
        made = self.final.with_name(f"tests-{self.key_of(self.sources_of_tests(module))}")
        with cache.locked(self.machine, f"build-{made.name}"):
            if cache.damaged(made / "sums"):
                with cache.new_directory(made) as its:
                    self.programs(its, module)
                    cache.write_sums(its / "sums", (its / "tests").iterdir())
            os.utime(made)
        shutil.copytree(made, new, copy_function=os.link, dirs_exist_ok=True)

    def programs(self, new: pathlib.Path, module: pathlib.Path) -> None:
        """The Makefile in selftests/ is the one place that says how a test is built. The
        stand-ins have no Makefile: they need the harness only."""
        cc, harness = self.cc, self.dir / "src/tools/testing/selftests"
        (new / "tests").mkdir()
        (new / "obj").mkdir()
        if self.numa:
            cc += (f" -isystem {self.numa}/usr/include "
                   f"-L{self.numa}/usr/lib/{self.machine.cross.rstrip('-')}")
        if (self.selftests / "Makefile").exists():
            self.must("the tests do not build", new / "tests.log", "make", "-s", "-C",
                      self.selftests, "-j2", f"CC={cc}", f"KERNEL_SRC={self.dir}/src",
                      f"TEST_HMM={module}", f"OUTPUT={new}/obj",
                      f"LDFLAGS={self.link}", *self.cross())
        for src in self.selftests.glob("hmm_notifier_*.c"):
            program = new / "tests" / src.stem
            if (new / "obj" / src.stem).exists():
                (new / "obj" / src.stem).rename(program)
            else:
                self.must(f"{src.stem} does not build", new / "tests.log", self.cc, "-O2",
                          *self.link.split(), "-D_GNU_SOURCE", "-fno-builtin-snprintf", "-o",
                          program,
                          f"-fmacro-prefix-map={self.selftests}/=", f"-I{harness}", src)

    def guest(self, new: pathlib.Path) -> None:
        (new / "bin").mkdir()
        for name in ("bounded", "kmsg", "wake"):
            self.must(f"guest/{name}.c does not build", new / "guest.log", self.cc, "-O2",
                      "-Wall", "-Wextra", *self.link.split(), "-o", new / "bin" / name,
                      GUEST / f"{name}.c")

    def is_intact(self, tell: bool = False) -> bool:
        """The files themselves are checked: a program that is cut short is not one with
        fewer tests."""
        lost = cache.damaged(self.final / "sums")
        if lost and tell and self.final.exists():
            host.say(f"{self.final} is damaged ({lost}): building it again")
        return not lost

    def make(self) -> None:
        host.say(f"building test_hmm.ko and the tests for {self.kernel.release}")
        with cache.new_directory(self.final) as new:
            self.modules(new)
            self.tests(new)
            self.guest(new)
            cache.write_sums(new / "sums", [f for d in ("bin", "modules", "tests")
                                            for f in (new / d).iterdir()])
        # old builds are small, but they would pile up for ever
        until = time.time() - KEPT
        for old in [*self.final.parent.iterdir(), *self.cache.glob(".lock-build-*")]:
            stat = old.lstat()
            if max(stat.st_atime, stat.st_mtime) < until:
                shutil.rmtree(old) if old.is_dir() else old.unlink()

    def get(self) -> Built:
        if self.numa and not self.numa.exists():
            with cache.locked(self.machine, "numa"):
                unpack(self.machine, "libnuma-dev", self.numa)
        if not self.is_intact():
            with cache.locked(self.machine, f"build-{self.final.name}"):
                if not self.is_intact(tell=True):
                    self.make()
        os.utime(self.final)
        return Built(self.final)


def files(*trees: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """As sources() has them"""
    for tree in trees:
        for path in tree.rglob("*"):
            if path.is_file() and path.suffix != ".o":
                yield f"{tree.name}/{path.relative_to(tree)}", path


def unpack(machine: host.Host, package: str, to: pathlib.Path, file: str = "") -> None:
    """A Debian package, or one file of it; not installed here: for another architecture
    it can't be, and busybox-static would throw out a busybox that somebody may want."""
    if to.exists():
        return
    new = apt.of(machine).unpack(package)
    what = [p for p in new.rglob(file) if p.is_file() and p.stat().st_mode & 0o100] \
        if file else [new]
    if not what:
        raise BadHost(f"{package} has no program {file}")
    what[0].replace(to)
    shutil.rmtree(new, ignore_errors=True)


def get_busybox(machine: host.Host) -> pathlib.Path:
    """Debian's static one where there is apt; else the one of this machine."""
    here = shutil.which("busybox", path=machine.env["PATH"])
    if not shutil.which("apt-get", path=machine.env["PATH"]) and here:
        return pathlib.Path(here)
    busybox = machine.cache() / f"busybox-{machine.arch or machine.debian_arch()}"
    if not os.access(busybox, os.X_OK):
        with cache.locked(machine, "busybox"):
            unpack(machine, "busybox-static", busybox, "busybox")
    return busybox


def build(machine: host.Host, kernel: Kernel,
          selftests: pathlib.Path = TOP / "selftests") -> Built:
    """selftests: other tests than ours"""
    made = Build(machine, kernel, selftests).get()
    if cache.damaged(made.directory / "initramfs.sum"):
        with cache.locked(machine, f"build-{made.directory.name}"):
            make_initramfs(machine, kernel, made)
    return made


def make_initramfs(machine: host.Host, kernel: Kernel, made: Built) -> None:
    if cache.damaged(made.directory / "initramfs.sum"):
        if made.initramfs.exists():
            host.say(f"{made.initramfs} is damaged: making it again")
        initrd.base(machine, made.directory, kernel.directory / "modules",
                    get_busybox(machine), GUEST)
