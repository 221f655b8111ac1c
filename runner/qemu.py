# SPDX-License-Identifier: GPL-2.0
"""The virtual machine: one QEMU command line per architecture."""
import ctypes
import functools
import mmap
import pathlib
import platform
import time
import typing

from runner.errors import BadHost

# Measured on 6.12 under TCG, from start to power-off with an init that does
# nothing: pc 3.0 s, q35 3.0 s, microvm 2.6 s, and q35 with what stands here
# 2.5 s: no HPET and no SMM to emulate, a large translation buffer, no timer
# calibration.  virt: 3.4 s, without pointer authentication 3.0 s, and as long with
# another interrupt controller.
ARCHES: typing.Dict[str, typing.Dict[str, typing.Any]] = {
    "x86_64": {
        "binary": "qemu-system-x86_64",
        "machine": "q35,hpet=off,smm=off",
        "console": "ttyS0",
        "append": "no_timer_check tsc=reliable",
        # la57: a fifth level of page tables to walk, 7 % of the time of all tests.
        # erms, fsrm: the kernel would clear and copy pages by the byte, each of which is
        # an instruction to TCG; 18 % of those that tests run
        "cpu": {"tcg": "max,la57=off,erms=off,fsrm=off", "kvm": "host"},
        "serial": "virtio-serial-pci",
    },
    "aarch64": {
        "binary": "qemu-system-aarch64",
        "machine": "virt,gic-version=max",
        "console": "ttyAMA0",
        "append": "",
        "cpu": {"tcg": "max,pauth=off", "kvm": "host"},
        "serial": "virtio-serial-pci",
    },
}

# A guest that is Xen's domain 0. Without an HPET, Xen has a timer that wraps every 4.7 s; on
# a busy host it misses that, and the guest takes up to twice as long. With SMAP, domain 0
# crashes under TCG before its first word.
XEN: typing.Dict[str, typing.Any] = {
    **ARCHES["x86_64"],
    "machine": "q35,hpet=on,smm=off",
    "console": "hvc0",
    "cpu": {accel: f"{cpu},smap=off" for accel, cpu in ARCHES["x86_64"]["cpu"].items()},
    "hypervisor": "console=com1 dom0_mem=700M",
}

# One thread for all CPUs: with one for each, QEMU before 8.1 may translate code while
# another CPU writes it, and the kernel, which patches itself all the time (static keys,
# tracing), dies of an int3 that is not there any more.
ACCEL = {"tcg": "tcg,thread=single,tb-size=256", "kvm": "kvm"}

# quiet and loglevel=1: the serial line stays silent but for emergencies.  A panic
# prints the whole log there (panic_print), as nothing else comes out any more.
# mitigations: they cost TCG time, and are not what is tested.
APPEND = ("quiet loglevel=1 panic=-1 panic_print=0x20 log_buf_len=4M nokaslr "
          "mitigations=off nowatchdog audit=0 cryptomgr.notests")


# What QEMU says of a KVM that can't run this guest
INTERNAL_ERROR = b"KVM internal error"

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
RDTSC = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"


@functools.cache
def tsc_khz() -> typing.Optional[int]:
    """The frequency of this machine's time stamp counter, which TCG gives its guests as
    theirs. They measure it against a timer that is emulated, and on a busy host find none,
    or a tenth of it: then their seconds are a tenth of one. None if it can't be read."""
    if platform.machine() != "x86_64":
        return None
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE,
                         prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # memory that is executable and writable is not for everybody
        return None
    code.write(RDTSC)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(
        ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def read() -> typing.Tuple[int, int, int]:
        """(ns that the reading took, ns, ticks) of the quickest of some"""
        tries = []
        for _ in range(10):
            before, ticks = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), rdtsc()
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            tries.append((after - before, after, ticks))
        return min(tries)

    _, ns, ticks = read()
    time.sleep(0.02)
    _, later_ns, later_ticks = read()
    return (later_ticks - ticks) * 1000000 // (later_ns - ns)


def quote(path: typing.Union[str, pathlib.Path]) -> str:
    """A file name inside an option value."""
    return str(path).replace(",", ",,")


def on_node(node: int, cpus: int) -> str:
    """Words of -numa: which of them are there"""
    return "".join(f",cpus={cpu}" for cpu in range(node, cpus, 2))


def accelerated(arch: str, accel: str, more: str = "", xen: bool = False) -> typing.List[str]:
    """The machine, with nothing that costs an emulator time; more: options of it"""
    a = XEN if xen else ARCHES[arch]
    machine = ",".join(filter(None, (a["machine"], more)))
    return ["-machine", machine, "-accel", ACCEL[accel], "-cpu", a["cpu"][accel]]


def ports(arch: str, names: typing.Iterable[typing.Tuple[str, pathlib.Path]],
          first: typing.Sequence[str] = ()) -> typing.List[str]:
    """names: (name, file) of virtio-console ports; first: options of one more, which is
    there for the guest when these are."""
    words = ["-device", ARCHES[arch]["serial"], *first]
    for name, path in names:
        words += ["-chardev", f"file,id={name},path={quote(path)}",
                  "-device", f"virtserialport,chardev={name},name={name}"]
    return words


def parameters(arch: str, accel: str, append: str = "", console: str = "") -> str:
    """The kernel's"""
    a = ARCHES[arch]
    text = f"console={console or a['console']} {a['append']} {APPEND} {append}"
    if arch == "x86_64" and accel == "tcg" and (khz := tsc_khz()):
        text = f"tsc_early_khz={khz} {text}"
    return " ".join(text.split())


def command(arch: str, accel: str, kernel: pathlib.Path, initrd: pathlib.Path,
            console: pathlib.Path,
            logs: typing.Iterable[typing.Tuple[str, pathlib.Path]] = (),
            append: str = "", memory: int = 1024, cpus: int = 2, machine: str = "",
            first_port: typing.Sequence[str] = (),
            xen: typing.Optional[pathlib.Path] = None) -> typing.List[str]:
    """logs and first_port: see ports(); memory: in MiB; machine: more options of it; xen:
    the hypervisor whose domain 0 the guest is to be."""
    cmd = [ARCHES[arch]["binary"], "-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", *accelerated(arch, accel, machine, xen is not None),
           "-smp", f"{cpus},sockets={cpus}", "-m", f"{memory}M"]
    # Two nodes always, as some tests bind memory to one, the second one without a CPU if
    # there is but one; each CPU in a socket of its own, or the kernel warns of a topology
    # that is not sane.
    for node in (0, 1):
        cmd += ["-object", f"memory-backend-ram,id=mem{node},size={memory // 2}M",
                "-numa", f"node,nodeid={node},memdev=mem{node}{on_node(node, cpus)}"]
    cmd += ["-chardev", f"file,id=console,path={quote(console)}",
            "-serial", "chardev:console"]
    if logs:
        cmd += ports(arch, logs, first_port)
    # the kernel unpacks the initramfs into a tmpfs of half of what is free then
    root = "rootfstype=ramfs" if memory < 512 else ""
    text = parameters(arch, accel, f"{root} {append}", XEN["console"] if xen else "")
    return cmd + boot(kernel, initrd, text, xen)


def boot(kernel: pathlib.Path, initrd: pathlib.Path, text: str,
         xen: typing.Optional[pathlib.Path]) -> typing.List[str]:
    """text is the kernel's command line. What Xen boots are modules of it, each with one
    of its own, behind the first blank."""
    if not xen:
        return ["-kernel", str(kernel), "-initrd", str(initrd), "-append", text]
    for path in (kernel, initrd):
        if " " in str(path):
            raise BadHost(f"{path}: with Xen, QEMU can't load a file with a blank in its path")
    return ["-kernel", str(xen), "-append", XEN["hypervisor"], "-initrd",
            f"{quote(kernel)} {quote(text)},{quote(initrd)}"]
