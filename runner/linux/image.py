# SPDX-License-Identifier: GPL-2.0
"""image:BZIMAGE,DIR[,SOURCE] and host: something that was built elsewhere, by make or by a
distribution. It is told what it lacks before anything is built for it."""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import tempfile

from runner import cache, host, modules, source
from runner.errors import BadKernel, writing
from runner.linux import kconfig, series, tarball, tree

RELEASE = "include/generated/utsrelease.h"
KBUILD = {"x86_64": "x86_64", "aarch64": "arm64"}
# Nobody chooses these; without the first two test_hmm does not link, nor load with the last.
MODULE = {"CONFIG_MMU_NOTIFIER": "CONFIG_MMU_NOTIFIER=y",
          "CONFIG_HMM_MIRROR": "CONFIG_HMM_MIRROR=y",
          "CONFIG_MODULE_SIG_FORCE": "# CONFIG_MODULE_SIG_FORCE is not set"}


@dataclasses.dataclass(frozen=True)
class Image:
    """modules is a directory of /lib/modules, or the build directory; headers is what a
    module is built against."""
    spec: str
    file: pathlib.Path
    modules: pathlib.Path
    headers: pathlib.Path
    source: pathlib.Path

    @property
    def release(self) -> str:
        return release_of(self.headers)

    def key(self) -> str:
        """A hash of what tells whether it was built anew: a run that uses the directory
        sees no change"""
        text = [self.spec, self.file.resolve(), self.modules, self.headers, self.source,
                self.release, series.has_fail_points(self.source)]
        for path in (self.file, self.headers / "Module.symvers", self.headers / ".config"):
            text += [path.stat().st_size, path.stat().st_mtime_ns]
        return hashlib.sha256(os.fsencode("\n".join(map(str, text)))).hexdigest()[:16]

    def publish(self, machine: host.Host, to: pathlib.Path) -> None:
        with writing(to), cache.new_directory(to) as new:
            for name, target in (("vmlinuz", self.file.resolve()), ("build", self.headers),
                                 ("config", self.headers / ".config"), ("src", self.source)):
                (new / name).symlink_to(target)
            for name, text in (("release", self.release), ("base", self.base(machine)),
                               ("origin", self.spec)):
                (new / name).write_text(f"{text}\n", errors="surrogateescape")
            self.collect_modules(machine, new)
            if series.has_fail_points(self.source):
                (new / "patched").touch()
            cache.write_manifest(new)

    def base(self, machine: host.Host) -> str:
        """The first series that fits; if none does, the build says what of it doesn't."""
        bases = series.candidates(tree.version(self.source), series.bases())
        for base in bases if not series.has_fail_points(self.source) else []:
            with tempfile.TemporaryDirectory() as tmp, contextlib.suppress(series.DoesNotFit):
                series.patched_files(machine, self.source, pathlib.Path(tmp),
                                     series.of_base(base, "module"))
                return base
        return bases[0]

    def collect_modules(self, machine: host.Host, new: pathlib.Path) -> None:
        """modprobe goes by files of depmod, which a build directory and an unpacked package
        don't have: they are made here, beside links."""
        names = new / "lib/modules" / self.release
        names.mkdir(parents=True)
        if self.modules == self.headers:
            kos = [re.sub(r"\.o$", ".ko", line)  # as 6.1 has it
                   for line in lines_of(self.modules / "modules.order")]
            for ko in filter(lambda ko: (self.modules / ko).is_file(), kos):
                (names / ko).parent.mkdir(parents=True, exist_ok=True)
                (names / ko).symlink_to(self.modules / ko)
        for path in self.modules.iterdir():
            if path.is_dir():
                if self.modules != self.headers and path.name not in ("build", "source"):
                    (names / path.name).symlink_to(path.resolve())
            elif path.name.startswith("modules."):
                shutil.copyfile(path, names / path.name)
        if not (names / "modules.dep.bin").exists():
            host.say(f"reading the modules of {self.release}")
            if machine.logged(new / "depmod.log", "depmod", "-b", new, self.release):
                raise BadKernel((new / "depmod.log").read_text(errors="replace").strip())
        modules.collect(machine, new)


def check(file: pathlib.Path, where: pathlib.Path, headers: pathlib.Path) -> None:
    """What it needs may be a module, if there is one."""
    needed = {**kconfig.needed(KBUILD.get(os.uname().machine, "")), **MODULE}
    config = (headers / ".config").read_text(errors="replace")
    got = kconfig.options(config)
    lacks = [f"{needed[sym]} (is: {got.get(sym, 'nothing')})"
             for sym in kconfig.differing(needed, config)
             if got.get(sym) != f"{sym}=m" or
             not any(where.rglob(f"{sym.removeprefix('CONFIG_').lower()}.ko*"))]
    if lacks:
        raise BadKernel("\n".join([f"{file}: the tests can't do without", *lacks,
                                   *([f"what is a module is not in {where}"]
                                     if any("=m)" in line for line in lacks) else [])]))


def lines_of(path: pathlib.Path) -> list[str]:
    return path.read_text(errors="replace").split() if path.is_file() else []


def release_of(headers: pathlib.Path) -> str:
    """As uname -r says; kernel.release of Debian's 6.1 has another name."""
    text = (headers / RELEASE).read_text(errors="replace")
    return "".join(re.findall(r'^#define UTS_RELEASE "(.+)"$', text, re.M))


def split(what: str) -> tuple[str, str, str]:
    """BZIMAGE, MODULES and SOURCE, if that is given; MODULES may have commas."""
    file, _, where = what.partition(",")
    if os.path.isdir(where) or "," not in where:
        return file, where, ""
    where, _, given = where.rpartition(",")
    return file, where, given


def parse(machine: host.Host, spec: str) -> Image:
    file, where, given = split(spec.partition(":")[2])
    for name, is_there in ((file, os.path.isfile), (where, os.path.isdir)):
        if not is_there(name):
            raise BadKernel(f"{spec}: expected image:BZIMAGE,MODULES[,SOURCE], and there is "
                            f"no {name or 'MODULES'}")
    return of(machine, spec, pathlib.Path(file), pathlib.Path(where), given)


def of(machine: host.Host, spec: str, file: pathlib.Path, where: pathlib.Path,
       given: str) -> Image:
    for headers in (where, where / "build"):
        if all((headers / name).is_file() for name in (
                "Module.symvers", ".config", RELEASE)):
            headers = headers.resolve()
            check(file, where, headers)
            return Image(spec, file, where.resolve(), headers,
                         source_of(machine, headers, given))
    raise BadKernel(f"{where}: neither a build directory nor one of /lib/modules with a "
                    "build link that works (the package of the kernel's headers, or -devel); "
                    "test_hmm is built against it")


def source_of(machine: host.Host, headers: pathlib.Path, given: str) -> pathlib.Path:
    """Headers have no source. The one of the nearest base does as long as
    mm/mmu_notifier.c, lib/test_hmm.c and the harness are not other ones."""
    version = re.match(r"\d+\.\d+", release_of(headers))
    if not version:
        raise BadKernel(f"{headers}: '{release_of(headers)}' is no version of Linux")
    if given:
        found = pathlib.Path(given)
        found = tarball.unpacked(machine, found) if found.is_file() else found.resolve()
        if tree.version(found) != version[0]:
            raise BadKernel(f"{given} is Linux {tree.version(found)}, and the image "
                            f"{version[0]}")
        return found
    for found in (headers / "source", headers):
        if (found / "lib/test_hmm.c").is_file():
            return found.resolve()
    base = series.candidates(version[0], series.bases())[0]
    found, debian = source.pristine(machine, base)
    host.say(f"{headers} has no lib/test_hmm.c: taking those of Debian's Linux {debian}, and "
             "its lines of the WARNs in mm/mmu_notifier.c; if the image was built of other "
             "ones, say image:BZIMAGE,MODULES,SOURCE")
    return found


def running(machine: host.Host, spec: str, root: pathlib.Path = pathlib.Path("/")) -> Image:
    """host or host:SOURCE, the kernel that runs here"""
    release = os.uname().release
    where = root / "lib/modules" / release
    places = (root / f"boot/vmlinuz-{release}", where / "vmlinuz",
              root / f"boot/Image-{release}")
    file = next((f for f in places if f.is_file()), None)
    if not file:
        raise BadKernel(f"{spec}: this machine runs {release}, and has no image of it: none "
                        f"of {' '.join(map(str, places))}")
    if not os.access(file, os.R_OK):
        raise BadKernel(f"{spec}: {file} is for root to read")
    return of(machine, spec, file, where, spec.partition(":")[2])


def get(machine: host.Host, spec: str) -> pathlib.Path:
    """The kernel directory"""
    spec = spec.removesuffix("+fixes")
    image = parse(machine, spec) if spec.startswith("image:") else running(machine, spec)
    to = machine.cache() / "kernels" / f"image-{image.key()}"
    with cache.locked(machine, "kernels"):
        if not cache.is_whole(to):
            image.publish(machine, to)
    return to
