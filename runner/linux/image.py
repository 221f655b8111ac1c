# SPDX-License-Identifier: GPL-2.0
"""image:BZIMAGE,MODULES: something that was built elsewhere."""
from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil

from runner import cache, host
from runner.errors import BadKernel, writing
from runner.linux import series


@dataclasses.dataclass(frozen=True)
class Image:
    spec: str
    file: pathlib.Path
    build: pathlib.Path

    @property
    def release(self) -> pathlib.Path:
        return self.build / "include/config/kernel.release"

    @property
    def source(self) -> pathlib.Path:
        source = self.build / "source"
        return source.resolve() if source.is_dir() else self.build

    @property
    def base(self) -> str:
        version = ".".join(self.release.read_text().split(".")[:2])
        try:
            return series.candidates(version, series.bases())[0]
        except ValueError as e:
            raise BadKernel(f"{self.release}: '{version}' is no version of Linux") from e

    def key(self) -> str:
        """A hash of all that is in the directory: a run that uses it sees no change"""
        text = (f"{self.spec.partition(':')[2]} {self.file.resolve()} {self.build} "
                f"{self.source} {self.base}\n{self.release.read_text()}")
        if series.has_fail_points(self.source):
            text += "patched\n"
        return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]

    def publish(self, to: pathlib.Path) -> None:
        with writing(to), cache.new_directory(to) as new:
            (new / "modules").mkdir()
            (new / "modules/order").touch()
            for name, target in (("vmlinuz", self.file.resolve()), ("build", self.build),
                                 ("config", self.build / ".config"), ("src", self.source)):
                (new / name).symlink_to(target)
            shutil.copyfile(self.release, new / "release")
            (new / "base").write_text(f"{self.base}\n")
            (new / "origin").write_text(f"{self.spec}\n", errors="surrogateescape")
            if series.has_fail_points(self.source):
                (new / "patched").touch()
            cache.write_manifest(new)


def parse(spec: str) -> Image:
    file, comma, modules = spec.partition(":")[2].partition(",")
    if not comma or not os.path.isfile(file):
        raise BadKernel(f"{spec}: expected image:BZIMAGE,MODULES")
    for build in (pathlib.Path(modules), pathlib.Path(modules, "build")):
        if all((build / name).is_file() for name in ("Module.symvers", ".config")):
            image = Image(spec, pathlib.Path(file), build.resolve())
            if image.release.is_file() and (image.source / "lib/test_hmm.c").is_file():
                return image
            raise BadKernel(f"{image.source} has no lib/test_hmm.c")
    raise BadKernel(f"{modules}: neither a build directory nor one of /lib/modules with a "
                    "build link that works; test_hmm is built against it")


def get(machine: host.Host, spec: str) -> pathlib.Path:
    """The kernel directory"""
    image = parse(spec.removesuffix("+fixes"))
    to = machine.cache() / "kernels" / f"image-{image.key()}"
    with cache.locked(machine, "kernels"):
        if not cache.is_whole(to):
            image.publish(to)
    return to
