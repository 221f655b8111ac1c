# SPDX-License-Identifier: GPL-2.0
"""--subject: a driver that nothing is known of, and the process whose memory it mirrors.
subjects/README says how that talks; what it needs in the guest travels with the job."""
from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
import typing

from runner import TOP, host, initrd, modules, xen
from runner.errors import BadHost, BadKernel, BadUsage
from runner.linux import kconfig

COMMAND = "HMM_NOTIFIER_SUBJECT"    # what programs.SUBJECT reads
SOURCES = TOP / "subjects"
JOB_HAS = {"tests", "expected", "env", "modules", "settings"}

Paths = typing.Tuple[pathlib.Path, ...]
ByArch = typing.Mapping[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Known:
    """subjects/NAME.c. By the guest's architecture: modules, and options of QEMU's machine.
    accel: the one that it works with, where not each one does. kernel: the default, if that
    is not everybody's; each has to have the options of subjects/NAME.config, or of
    NAME-ARCH.config, and one that is built here has.
    library: what it is linked with, as pkg-config names it. xen: its guest is a domain 0 of
    Xen. Either comes from the packages of the group NAME."""
    modules: ByArch
    machine: ByArch = dataclasses.field(default_factory=dict)
    accel: str = ""
    kernel: str = ""
    library: str = ""
    xen: bool = False


KNOWN = {
    # SVM and EL2, as TCG emulates them; whether KVM nests depends on the host
    "kvm": Known({"x86_64": ["kvm_amd"]}, {"aarch64": "virtualization=on"}, "tcg"),
    # On-demand paging came with 6.15. What is not built in, these load.
    "rxe": Known({"x86_64": ["dummy", "rdma_rxe", "ib_uverbs"]}, kernel="source:7.2",
                 library="libibverbs"),
    # It has notifiers in PV guests only, as domain 0 is
    "gntdev": Known({"x86_64": ["xen-gntdev", "xen-gntalloc"]}, accel="tcg", xen=True),
}
NONE = Known({})


@dataclasses.dataclass(frozen=True)
class Subject:
    """command is for a shell in the guest; files go to /job there; load says which of these
    are modules, a line each, with parameters."""
    command: str
    files: Paths
    load: list[str]
    machine: str
    xen: typing.Optional[pathlib.Path] = None


def check(name: str, files: Paths, mods: typing.Sequence[str]) -> None:
    """Can it be one at all?"""
    if not name and (files or mods):
        raise BadUsage("--module and --file are for a --subject")
    words = split(name)
    if words and name not in KNOWN and not files and not pathlib.Path(words[0]).is_file():
        raise BadUsage(f"--subject {name}: there is {', '.join(KNOWN)}, and no such program")


def check_machine(name: str, arch: str) -> None:
    if KNOWN.get(name, NONE).xen and arch != "x86_64":
        raise BadUsage(f"--subject {name}: Xen has PV guests on amd64 only")


def split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as e:
        raise BadUsage(f"--subject: {e}") from e


def accel(name: str) -> str:
    return KNOWN.get(name, NONE).accel


def slower(name: str) -> int:
    """How many times as long as others its guest may take: under Xen there are two kernels,
    and what domain 0 does to its page tables is a call of the other one."""
    return 3 if KNOWN.get(name, NONE).xen else 1


def kernel(name: str) -> str:
    return KNOWN.get(name, NONE).kernel


def config(name: str, arch: str) -> typing.Optional[pathlib.Path]:
    """Of Kconfig: what a kernel needs for it"""
    files = [SOURCES / f"{name}-{arch}.config", SOURCES / f"{name}.config"]
    return next((f for f in files if name in KNOWN and f.is_file()), None)


def check_config(kernel: pathlib.Path, name: str, arch: str) -> None:
    if not (asked := config(name, arch)):
        return
    lacks = kconfig.lacking(kconfig.options(asked.read_text()),
                            (kernel / "config").read_text(errors="replace"))
    if lacks:
        raise BadKernel(f"--subject {name} needs a kernel with {', '.join(lacks)}; --config "
                        f"{asked} has all that it needs")


def packages(name: str) -> list[str]:
    known = KNOWN.get(name, NONE)
    return [name] if known.library or known.xen else []


def link_words(machine: host.Host, library: str) -> list[str]:
    """Of a static library, with all that it is linked with itself"""
    if not library:
        return []
    code, out = machine.output("pkg-config", "--static", "--cflags", "--libs", library)
    if code:
        raise BadHost(f"pkg-config knows no {library}")
    return out.split()


def compile_known(machine: host.Host, name: str, to: pathlib.Path) -> pathlib.Path:
    """Static where the libraries are to be had like that"""
    log, more = to / f"{name}.log", link_words(machine, KNOWN[name].library)
    for link in ("-static", "-dynamic"):
        if not machine.logged(log, f"{machine.cross}gcc", "-O2", "-pthread", "-D_GNU_SOURCE",
                              link, "-o", to / name, SOURCES / f"{name}.c", *more):
            return to / name
    raise BadHost(f"subjects/{name}.c does not build: "
                  f"{log.read_text(errors='replace').strip()}")


def with_libraries(machine: host.Host, program: pathlib.Path) -> tuple[list[str], Paths]:
    """(the words that start it in the guest, all that goes there)"""
    here = f"/job/{program.name}"
    libraries = () if machine.cross else tuple(initrd.libraries(machine, program))
    loader = [lib for lib in libraries if lib.name.startswith("ld-")]
    words = [f"/job/{loader[0].name}", "--library-path", "/job", here] if loader else [here]
    return words, (program, *libraries)


def command_of(machine: host.Host, name: str,
               tmp: pathlib.Path) -> tuple[list[str], Paths]:
    words = split(name)
    if name in KNOWN:
        return with_libraries(machine, compile_known(machine, name, tmp))
    program = pathlib.Path(words[0])
    if not program.is_file():
        return words, ()
    start, files = with_libraries(machine, program.resolve())
    return [*start, *words[1:]], files


def depends(machine: host.Host, ko: pathlib.Path) -> list[str]:
    code, out = machine.output("modinfo", "-F", "depends", ko)
    if code:
        raise BadUsage(f"--module {ko}: no module")
    return [name for name in re.split(r"[,\s]+", out) if name]


def load(machine: host.Host, kernel: pathlib.Path, names: typing.Iterable[str],
         own: typing.Sequence[str], tmp: pathlib.Path) -> tuple[Paths, list[str]]:
    """(the files of these modules, with what they depend on; the lines that load them)"""
    asked = [(pathlib.Path(ko), parameters) for ko, _, parameters in
             (text.strip().partition(" ") for text in own)]
    wanted = [*names, *(name for ko, _ in asked for name in depends(machine, ko))]
    files: dict[str, pathlib.Path] = {}
    for name in wanted:
        for file in modules.needed(machine, kernel, name):
            ko = modules.plain(file)
            if ko not in files:
                files[ko] = tmp / ko
                modules.unpack(machine, file, files[ko])
    lines = list(files)
    for ko_path, parameters in asked:
        files[ko_path.name] = ko_path
        lines.append(f"{ko_path.name} {parameters}".strip())
    return tuple(files.values()), lines


def prepare(machine: host.Host, kernel: pathlib.Path, arch: str, name: str, files: Paths,
            mods: typing.Sequence[str], tmp: pathlib.Path) -> Subject:
    tmp = tmp / "subject"
    tmp.mkdir()
    known = KNOWN.get(name, NONE)
    if known.xen:
        xen.check(kernel)
    check_config(kernel, name, arch)
    words, program = command_of(machine, name, tmp)
    kos, lines = load(machine, kernel, known.modules.get(arch, []), mods, tmp)
    every = (*program, *files, *kos)
    twice = {f.name for f in every if [g.name for g in every].count(f.name) > 1}
    if taken := sorted(twice | {f.name for f in every} & JOB_HAS):
        raise BadUsage(f"--file, --module: {taken[0]} is there already")
    return Subject(f"exec {shlex.join(words)}", every, lines, known.machine.get(arch, ""),
                   xen.get(machine) if known.xen else None)
