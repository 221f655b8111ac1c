# SPDX-License-Identifier: GPL-2.0
"""A kernel to test, and what goes into its guest. The shell programs in vm/ get and
build them, or find them in the cache."""
import dataclasses
import hashlib
import pathlib
import typing

from runner import TOP, VM, host
from runner.errors import BadKernel, OurFault
from runner.options import Options


@dataclasses.dataclass(frozen=True)
class Kernel:
    """directory is laid out as vm/kernel.sh says."""
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


def extras(opt: Options) -> typing.List[str]:
    """What is asked for beside the spec. A kernel with other options of Kconfig is kept
    beside the one without, under a name that says which they are."""
    more = ["--debug"] if opt.debug else []
    if opt.config:
        key = hashlib.sha256(opt.config.read_bytes()).hexdigest()[:12]
        more += ["--config", str(opt.config), "--as", key]
    return more


def get(machine: host.Host, spec: str, *more: typing.Union[str, pathlib.Path]) -> Kernel:
    code, out = machine.output(VM / "kernel.sh", spec, *more)
    if code:
        raise BadKernel(code)
    directory = pathlib.Path(out.rstrip("\n"))
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


def build(machine: host.Host, kernel: Kernel, tmp: pathlib.Path,
          selftests: typing.Optional[pathlib.Path] = None) -> Built:
    """selftests: other tests than ours"""
    out = tmp / "out"
    for cmd in ([VM / "build.sh", kernel.directory, out, selftests or TOP / "selftests"],
                [VM / "initramfs.sh", kernel.directory, out]):
        if machine.run(*cmd):
            raise BadKernel
    return Built(out.resolve())
