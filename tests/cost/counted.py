# SPDX-License-Identifier: GPL-2.0
"""How many instructions an invalidation takes, counted by QEMU: with -icount, what a guest
takes for time is how many it has run, so each run has the same figures. An instruction is
8 ns; with 1 ns (shift=0) two CPUs don't get through their boot."""
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "tests"), str(TOP)]
from support import pristine_module  # noqa: E402
from runner import boot, build, initrd  # noqa: E402
from runner.errors import BadHost, OurFault  # noqa: E402
from runner.job import Job  # noqa: E402

NUMBERS = (0, 1, 4, 16)
KINDS = ("hlist", "interval")
MODULES = ("pristine", "ours")
# No random numbers of the host's: they would be in the figures
COUNTED = ("-icount", "shift=3", "-rtc", "base=2026-01-01,clock=vm")


class Counted(boot.Guest):
    def qemu(self, initramfs, port=()):
        cmd = super().qemu(initramfs, port)
        cpu = cmd.index("-cpu") + 1
        return [*cmd[:cpu], f"{cmd[cpu]},rdrand=off,rdseed=off", *cmd[cpu + 1:], *COUNTED]


def program(machine, built, to):
    done = machine.run("gcc", "-O2", "-static", f"-I{TOP}/lib", f"-I{built}/module/lib",
                       f"-I{built}/obj", "-D_GNU_SOURCE", "-o", to, HERE / "madvise.c",
                       built / "obj/lib.a")
    if done:
        raise BadHost("tests/cost/madvise.c does not build")
    return to


def job():
    lines = ["../job/swap-module.sh pristine.ko", "../job/madvise mirror 1",
             "../job/swap-module.sh ours.ko", "../job/madvise mirror 1"]
    return lines + [f"../job/madvise {kind} {n}" for kind in KINDS for n in NUMBERS]


def count(machine, kernel, tmp, results):
    """{(module, kind, number): instructions}"""
    built = build.build(machine, kernel)
    files = [TOP / "tests/proof/swap-module.sh",
             program(machine, built.directory, tmp / "madvise")]
    for name, ko in zip(MODULES, (pristine_module(kernel.directory, tmp / "lib"),
                                  built.directory / "modules/test_hmm.ko")):
        files.append(pathlib.Path(shutil.copy(ko, tmp / f"{name}.ko")))
    made = Job(tmp / "job", job(), [], (), 240, 120, 600).write(files)
    guest = Counted(boot.Boot(kernel.image, built.initramfs, made.directory, results, "tcg",
                              "x86_64", boot_timeout=300, silence=300), machine)
    initrd.pack_job(made.directory, guest.job)
    how = guest.run(guest.command(tmp))
    ktap = (results / "ktap.log").read_text(errors="replace")
    found = re.findall(r"^# cost: (\w+) (\d+) (\d+)$", ktap, re.M)
    if len(found) != len(job()) - 2:
        raise OurFault(f"the guest did not count all ({' '.join(how)}): {ktap[-1000:]}")
    counts, modules = {}, iter(MODULES)
    for kind, n, instructions in found:
        module = next(modules) if kind == "mirror" else "ours"
        counts[module, kind, int(n)] = int(instructions)
    return counts
