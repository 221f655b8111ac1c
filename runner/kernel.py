# SPDX-License-Identifier: GPL-2.0
"""A kernel to test, and what goes into its guest. The shell programs in vm/ get and
build them, or find them in the cache."""
import dataclasses
import hashlib
import pathlib
import typing

from runner import VM, host
from runner.errors import BadKernel, OurFault
from runner.options import Options

OLD_LISTS = 6  # of kernel.sh: root has to run apt-get update


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
    cmd: typing.List[typing.Union[str, pathlib.Path]] = [VM / "kernel.sh", spec, *more]
    code, out = machine.output(*cmd)
    if code == OLD_LISTS and machine.asks_for_root("apt-get", "update"):
        code, out = machine.output(*cmd)
    if code == OLD_LISTS:
        raise BadKernel  # it has named the command
    if code:
        raise BadKernel(code=code)
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
