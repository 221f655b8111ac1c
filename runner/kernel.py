# SPDX-License-Identifier: GPL-2.0
"""A kernel to test, and what goes into its guest."""
import dataclasses
import hashlib
import pathlib

from runner import TOP, debian, host, subject
from runner.errors import BadKernel, OurFault
from runner.linux import build, image
from runner.linux.request import Extras
from runner.options import Options

VNG = TOP / "runner/config/vng.config"     # what --backend vng takes


@dataclasses.dataclass(frozen=True)
class Kernel:
    """directory holds vmlinuz, release, base, config, origin, build/, src/, modules/."""
    directory: pathlib.Path
    image: pathlib.Path

    def says(self, name: str) -> str:
        """The text of one of its files; what every kernel has is asked for by its name."""
        try:
            return (self.directory / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    @property
    def release(self) -> str:
        return self.says("release")

    @property
    def source(self) -> pathlib.Path:
        return self.directory / "src"


def extras(opt: Options) -> Extras:
    """A kernel with other options of Kconfig is kept beside the one without, under a
    name that says which they are. Those of a subject and of --backend give way to the
    user's own."""
    if not opt.config and (config := subject.config(opt.subject, opt.machine)):
        return Extras(variant="debug" if opt.debug else "", config=config, name=opt.subject)
    if opt.backend == "vng" and not opt.config:
        return Extras(variant="debug" if opt.debug else "", config=VNG, name="vng")
    key = hashlib.sha256(opt.config.read_bytes()).hexdigest()[:12] if opt.config else ""
    return Extras(variant="debug" if opt.debug else "", config=opt.config, name=key)


def get(machine: host.Host, spec: str, more: Extras = Extras()) -> Kernel:
    kind = spec.removesuffix("+fixes").partition(":")[0]
    if kind == "debian":
        directory = debian.get(machine, spec)
    elif kind in ("source", "tree"):
        directory = build.Linux(machine, spec, more).get()
    elif kind in ("image", "host"):
        directory = image.get(machine, spec)
    else:
        raise BadKernel(f"'{spec}': not a kernel; try debian:6.12 or debian:6.1")
    kernel = Kernel(directory, directory / "vmlinuz")
    if not kernel.release or not kernel.image.exists():
        raise OurFault(f"{directory} is no kernel directory")
    return kernel


@dataclasses.dataclass(frozen=True)
class Built:
    """directory holds modules/, tests/ and initramfs.cpio."""
    directory: pathlib.Path

    @property
    def initramfs(self) -> pathlib.Path:
        return self.directory / "initramfs.cpio"
