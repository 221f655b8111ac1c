# SPDX-License-Identifier: GPL-2.0
"""--backend vng: virtme-ng boots the guest, with its own options of QEMU and its own init,
on the root of this machine.

There a copy in memory of what our own guest consists of is unpacked, and its init started
in that: so the tests, the way of their results and the verdict are the same. It is run by
virtme-run, in which vng ends: the configuration file of vng can make the root writable.
The root is 9p, which QEMU itself keeps read-only; virtiofsd would leave that to the guest.
"""
from __future__ import annotations

import pathlib
import re
import shlex
import shutil
import typing

from runner import TOP, boot, build, cache, distro, host, modules, qemu, source
from runner.errors import BadHost, BadKernel, writing
from runner.kernel import VNG, Kernel
from runner.linux import kconfig

NAME = "vng"
PROGRAM = "virtme-run"
DRIVERS = ("9p", "9pnet_virtio", "virtio_pci", "virtio_console")
SCRIPT = TOP / "runner/vng.sh"
PACKAGES = "usr/lib/python3/dist-packages"


def packages(machine: host.Host) -> list[str]:
    """The group of runner/needs that it takes; Debian 12 has no such package."""
    return [] if distro.find(machine.env["PATH"]).has_debian_kernels else [NAME]


def find(machine: host.Host) -> list[str]:
    """The words that start it. If it is not installed, it is that of Debian's unstable,
    unpacked in the cache."""
    if here := shutil.which(PROGRAM, path=machine.env["PATH"]):
        return [here]
    where = machine.cache() / "virtme-ng"
    if not (where / "usr/bin" / PROGRAM).exists():
        with cache.locked(machine, where.name):
            if not where.exists():
                sid = source.unstable(machine)
                if not sid:
                    raise BadHost("virtme-ng is not here, and Debian unstable, which has it, "
                                  "can't be read; or: pipx install virtme-ng")
                sid.unpack("virtme-ng").replace(where)
    return ["env", f"PYTHONPATH={where / PACKAGES}", "/usr/bin/python3",
            str(where / "usr/bin" / PROGRAM)]


def check(kernel: Kernel) -> None:
    """Can it have such a root at all?"""
    lacks = kconfig.lacking(kconfig.options(VNG.read_text()), kernel.says("config"))
    if lacks:
        raise BadKernel(f"--backend {NAME}: this kernel lacks {' '.join(lacks)}, without "
                        "which it has no root there")


def lean(machine: host.Host, kernel: Kernel, to: pathlib.Path) -> pathlib.Path:
    """The image, beside the modules that such a root takes: with all of them, udev would
    spend minutes to load what an emulated machine has."""
    found = {file.name: file for name in DRIVERS
             for file in modules.needed(machine, kernel.directory, name)}
    where = to / "lib/modules" / kernel.release
    with writing(to):
        where.mkdir(parents=True)
        for name, file in found.items():
            (where / name).symlink_to(file.resolve())
        (to / "vmlinuz").symlink_to(kernel.image.resolve())
    if machine.logged(to / "depmod.log", "depmod", "-b", to, kernel.release):
        raise BadKernel((to / "depmod.log").read_text(errors="replace").strip())
    return to / "vmlinuz"


def script() -> str:
    """It goes onto the kernel's command line, which is short: without comments"""
    return re.sub("^#.*\n", "", SCRIPT.read_text(), flags=re.M)


def shared(its: boot.Boot) -> dict[str, pathlib.Path]:
    """What is shared with the guest, by its name in /run. virtme-run is told of a symbolic
    link of that name: it takes no comma, and no letter but a to z, in a directory's."""
    return {"built": its.initramfs.parent.resolve(), "results": its.results.resolve()}


def command(program: typing.Sequence[str], busybox: pathlib.Path, kernel: pathlib.Path,
            links: pathlib.Path, its: boot.Boot) -> list[str]:
    """virtme-run's command line; what these options mean is told in qemu.command()."""
    words = [*program, "--name", "hmm-notifier", "--kimg", str(kernel), "--mods", "auto",
             "--busybox", str(busybox), "--force-9p", "--cwd", "/", "--cpus",
             f"{its.cpus},sockets={its.cpus}", "--memory", f"{its.memory}M"]
    for node in (0, 1):
        words += ["--numa", f"{its.memory // 2}M{qemu.on_node(node, its.cpus)}"]
    for name in shared(its):
        words += ["--rodir", f"/run/{name}={links / name}"]
    # Its own console goes nowhere, and the kernel has one of each kind.
    for word in qemu.parameters(its.arch, its.accel, its.append, console="hvc0").split():
        words += ["--kopt", word]
    words += ["--script-sh", script()]
    emulator = []
    if its.accel == "tcg":  # it takes whatever opens as /dev/kvm
        words.append("--disable-kvm")
        emulator = qemu.accelerated(its.arch, its.accel, its.machine)
    return [*words, "--qemu-opts", *emulator,
            "-chardev", f"file,id=hmm-console,path={qemu.quote(its.results / 'console.log')}",
            *qemu.ports(its.arch, [(n, its.results / f"{n}.log") for n in ("ktap", "kmsg")],
                        ("-device", "virtconsole,chardev=hmm-console"))]


class Guest(boot.Guest):
    program = PROGRAM

    def virtme_run(self, kernel: pathlib.Path, links: pathlib.Path) -> list[str]:
        return command(find(self.machine), build.get_busybox(self.machine), kernel, links,
                       self.boot)

    def command(self, tmp: pathlib.Path) -> list[str]:
        """It leaves files when it is killed."""
        image = self.boot.kernel
        with writing(tmp):
            for name, where in shared(self.boot).items():
                (tmp / name).symlink_to(where)
        return ["env", f"TMPDIR={tmp}", *self.virtme_run(
            lean(self.machine, Kernel(image.parent, image), tmp / "kernel"), tmp)]

    def script(self) -> str:
        """The links are gone by then."""
        words = shlex.join(self.virtme_run(self.boot.kernel, pathlib.Path("LINKS")))
        return "".join(("links=$(mktemp -d) && trap 'rm -r \"$links\"' EXIT\n", *(
            f"ln -s {shlex.quote(str(where))} \"$links/{name}\"\n"
            for name, where in shared(self.boot).items()),
            re.sub(r"=LINKS(/\w+)", r'="$links"\1', words), "\n"))

    def is_failure(self, _code: int) -> bool:
        """It fails as well when a guest ends that it has not told to."""
        return "first" not in self.times
