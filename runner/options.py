# SPDX-License-Identifier: GPL-2.0
"""The command line."""
import argparse
import dataclasses
import difflib
import os
import pathlib
import re
import typing

from runner import TOP, again, chosen, distro, host, packages, shards, subject
from runner.errors import BadHost, BadUsage

SPEC = re.compile(r"(debian|source|tree|image|host):.+|host(\+fixes)?", re.S)
SHORTEST = 5  # seconds: a program that takes so long for its first word is no hang
WAYS = ("say which: --kernel tree:DIR, --kernel source:TARBALL or --kernel "
        "image:BZIMAGE,BUILD_DIRECTORY")


@dataclasses.dataclass(frozen=True)
class Options:
    """What is to be run. machine is what uname -m says where the tests run; if that is
    not here, cross is Debian's name of it."""
    kernel: str
    compare: typing.Tuple[str, ...]
    machine: str
    cross: str
    debug: bool
    config: typing.Optional[pathlib.Path]
    choice: str
    globs: typing.Tuple[str, ...]
    shard: typing.Optional[shards.Part]
    jobs: int
    subject: str
    modules: typing.Tuple[str, ...]
    files: typing.Tuple[pathlib.Path, ...]
    list: bool
    stress: int
    asks_stress: bool
    seed: str
    accel: str
    backend: str
    timeout: int
    results: pathlib.Path
    bisect: bool
    panic_on_warn: bool
    kunit: bool
    strict: bool
    keep: bool
    snapshot: bool
    verbose: bool
    install: str
    append: str
    cpus: int
    memory: int
    boot_timeout: int
    log_limit: int
    selftests: pathlib.Path
    vmlinuz: typing.Optional[pathlib.Path]
    kvm_device: str
    guest_env: typing.Tuple[typing.Tuple[str, str], ...]
    again: str

    @property
    def built_here(self) -> bool:
        return self.kernel.startswith(("source:", "tree:"))


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        m = re.fullmatch(r"unrecognized arguments: (-[^\s=]*).*", message)
        known = [name for name, a in self._option_string_actions.items()
                 if a.help is not argparse.SUPPRESS]
        close = difflib.get_close_matches(m[1], known, 1) if m else []
        raise BadUsage(message + (f"; there is {close[0]}" if close else
                                  "; --help says what there is"))


def number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError("a number, 1 or more")
    return int(text)


def timeout(text: str) -> int:
    if number(text) < SHORTEST:
        raise argparse.ArgumentTypeError(
            f"{SHORTEST} or more: a program that is slow to start is no hang")
    return number(text)


def number_or_none(text: str) -> int:
    return number(text) if text else 0


def seed(text: str) -> str:
    if not re.fullmatch(r"[0-9]*", text):
        raise argparse.ArgumentTypeError("a number")
    return text


def file(text: str) -> pathlib.Path:
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"no file {text}")
    return pathlib.Path(text).resolve()


def directory(text: str) -> pathlib.Path:
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"no directory {text}")
    return pathlib.Path(text).resolve()


def variable(text: str) -> typing.Tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise argparse.ArgumentTypeError("NAME=VALUE")
    return name, value


def parser() -> Parser:
    p = Parser(
        prog="run_tests.sh", allow_abbrev=False, add_help=False,
        usage="run_tests.sh [OPTION...]",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=21,
                                                            width=84),
        epilog="exit: 0 all passed (known bugs aside), 1 a test failed, 2 usage or set-up "
               "error, 3 the kernel does not build, 4 nothing could be tested, 70 the "
               "runner itself failed, or what it needs of this machine: nothing is known "
               "of the kernel; 130 interrupted; with --bisect 125 this commit can't be "
               "tested, 255 stop")
    add = p.add_argument
    add("--kernel", metavar="SPEC", default="",
        help="what to boot; debian:6.12 (default where there is Debian's apt) or "
             "debian:6.1, debian:6.12-rt, source:BASE, source:newest, source:TARBALL, "
             "tree:DIR (built here; +fixes after it adds the fixes of mm/; tree:. is the "
             "default elsewhere, in a kernel tree), image:BZIMAGE,MODULES, host "
             "(run_tests.sh get-kernel --help says more)")
    add("--compare", metavar=("OLD", "NEW"), nargs=2, default=[],
        help="what changed between two runs; each is a results directory, a kernel as for "
             "--kernel, or a git revision of the tree: beside it; exits 1 when a test is "
             "worse")
    add("--arch", default="", metavar="ARCH",
        help="amd64 or arm64; default is this machine's. On amd64, arm64 is cross-built "
             "and emulated")
    add("--debug", action="store_true", help="build that kernel with the debugging options")
    add("--config", metavar="FILE", type=file,
        help="build it with these options of Kconfig, a fragment, or a whole .config as "
             "the base, beside the kernel without them; what of them had to change is "
             "listed")
    add("--all", action="store_true",
        help="run all tests; the default is some of each: every claim and every place "
             "that starts an invalidation, in seconds")
    add("--quick", action="store_true", help="run the rule's own tests only")
    add("--test", metavar="GLOB", action="append", default=[],
        help="run what matches: program:fixture.variant.test, or a part of it; may be "
             "given several times")
    add("--subject", metavar="CMD", default="",
        help="judge another driver, by a process whose memory it mirrors: kvm, rxe "
             "(soft RoCE; it builds a kernel of its own), gntdev (in a domain 0 of Xen), or a "
             "program of yours that speaks the protocol of subjects/README")
    add("--module", metavar="KO", action="append", default=[],
        help="a module for it, with parameters behind a blank; may be given several times")
    add("--file", metavar="FILE", type=file, action="append", default=[],
        help="a file for it, in /job in the guest; may be given several times")
    add("--list", action="store_true",
        help="print the names of the tests that would run, boot nothing")
    add("--shard", metavar="I/N", type=shards.parse,
        help="of these tests the part I of N, for N machines: each test is in one part, "
             "whatever the machine, and the parts take about the same time")
    add("--jobs", metavar="N", type=number, default=0,
        help="run them in N guests at once, of 1 GiB each; they are split as by --shard. "
             "--all has one more than CPUs, up to 4, where there is the memory")
    add("--stress", metavar="S", type=number_or_none, default=0,
        help="S seconds of random operations (default 10 if --test asks for them, 1 as "
             "part of --all)")
    add("--seed", metavar="N", type=seed, default="",
        help="of the random operations of an earlier run")
    add("--accel", metavar="ACCEL", choices=("auto", "kvm", "tcg"), default="auto",
        help="auto (default), kvm or tcg")
    add("--backend", metavar="NAME", choices=("qemu", "vng"), default="qemu",
        help="what boots the guest: qemu (default), or vng, virtme-ng on the root of this "
             "machine, which is read-only there")
    add("--timeout", metavar="S", type=timeout, default=300,
        help=f"seconds that one test program may take, {SHORTEST} or more (default 300)")
    add("--boot-timeout", metavar="S", type=number, default=0,
        help="seconds until the guest has to say its first word (default 120, and with "
             "--backend vng 600)")
    add("--append", metavar="PARAMS", default="", help="more parameters for the kernel")
    add("--cpus", metavar="N", type=number, default=2, help="of the guest (default 2)")
    add("--memory", metavar="MIB", type=number, default=1024,
        help="of the guest, in two nodes of half of it (default 1024)")
    add("--results", metavar="DIR", type=pathlib.Path, default=TOP / "results",
        help="where results go (default: results, beside run_tests.sh)")
    add("--bisect", action="store_true",
        help='exit as "git bisect run" wants it: 0 good, 1 bad, 125 when the kernel does '
             "not build or boot, or nothing was tested, 255 when the runner failed")
    add("--panic-on-warn", action="store_true",
        help="boot with it: once for all legal cases, which must survive, and once for "
             "each class of illegal ones, which must not")
    add("--kunit", action="store_true",
        help="build the KUnit suite of mm/mmu_notifier.c into a small kernel, without "
             "modules, and run that by the kernel's own kunit.py: no splat is on its "
             "console; source: or tree: of Linux 7.2 or later (default source:7.2)")
    add("--strict", action="store_true", help="count known kernel bugs as failures")
    add("--keep", action="store_true",
        help="keep the guest's initramfs and modules with the results")
    add("--no-snapshot", dest="snapshot", action="store_false",
        help="boot the guest, don't go on from one that was saved when it was up")
    add("--verbose", action="store_true", help="show all that the guest says")
    add("--install", action="store_const", const=packages.ALWAYS, default=packages.BY_APT,
        help="install missing packages by dnf, pacman or zypper, too; by apt it is done "
             "without being asked for")
    add("--no-install", dest="install", action="store_const", const=packages.NEVER,
        help="don't install missing packages: print the command, exit 2")
    add("--help", "-h", action="help", help="this text")
    # For tests/: other tests, other bounds, a kernel or a KVM that is none.
    for name, more in (("--selftests", {"type": directory, "default": TOP / "selftests"}),
                       ("--vmlinuz", {"type": file}),
                       ("--log-limit", {"type": number, "default": 0}),
                       ("--kvm-device", {"default": "/dev/kvm"}),
                       ("--guest-env", {"type": variable, "action": "append",
                                        "default": []})):
        add(name, help=argparse.SUPPRESS, **typing.cast(typing.Any, more))
    return p


def joined(argv: typing.Sequence[str], p: argparse.ArgumentParser) -> typing.List[str]:
    """--test -x as --test=-x: what follows such an option is its value."""
    takes_value = {name for action in p._actions if action.nargs is None
                   for name in action.option_strings}
    out: typing.List[str] = []
    words = iter(argv)
    for word in words:
        value = next(words, None) if word in takes_value else None
        out.append(word if value is None else f"{word}={value}")
    return out


def choose_machine(got: argparse.Namespace, here: str) -> typing.Tuple[str, str]:
    """(machine, cross)"""
    if not got.arch or (here, got.arch) in (("x86_64", "amd64"), ("aarch64", "arm64")):
        return here, ""
    if got.arch == "amd64":
        raise BadUsage(f"--arch amd64: this is {here}, and only arm64 is built for elsewhere "
                       "than on itself")
    if (here, got.arch) != ("x86_64", "arm64"):
        raise BadUsage("--arch: amd64 or arm64")
    if not got.kernel.startswith(("debian:", "source:", "tree:")):
        raise BadUsage(f"--arch {got.arch}: Debian's kernels, or one that is built here")
    if got.accel == "kvm":
        raise BadUsage(f"--accel kvm: not for --arch {got.arch}")
    return "aarch64", "arm64"


def kernel_tree(where: pathlib.Path) -> typing.Optional[pathlib.Path]:
    """The kernel tree that this directory is in"""
    return next((top for top in (where, *where.parents)
                 if (top / "mm/mmu_notifier.c").is_file()), None)


def choose_kernel(spec: str, system: distro.Distro, where: pathlib.Path,
                  default: str = "debian:6.12") -> str:
    """The default is Debian's, where its packages are to be had."""
    if spec and not SPEC.fullmatch(spec):
        raise BadUsage(f"--kernel {spec}: not a kernel; there is debian:6.12, source:6.12, "
                       "tree:DIR and image:BZIMAGE,MODULES")
    by_apt = re.fullmatch(r"debian:.*|source:([0-9.]+|newest)(\+fixes)?", spec)
    if by_apt and not (system.manager == "apt" and system.is_here):
        raise BadHost(f"{spec} comes from apt, and there is no apt-get here; {WAYS}")
    if spec or system.has_debian_kernels:
        return spec or default
    tree = kernel_tree(where)
    if not tree:
        raise BadHost(f"no kernel to test: Debian's are not to be had here; {WAYS}")
    return "tree:." if tree == where else f"tree:{tree}"


def choose_tests(got: argparse.Namespace) -> typing.Tuple[str, typing.Tuple[str, ...]]:
    """(how they are chosen, see chosen.py; globs, of which none is everything)"""
    subject.check(got.subject, tuple(got.file), got.module)
    choices = ["all", "quick", *(["subject", "stress", "panic_on_warn", "compare"]
                                 if got.subject else ["test"])]
    said = [f"--{name.replace('_', '-')}" for name in choices if getattr(got, name)]
    if len(said) > 1:
        raise BadUsage(f"{' or '.join(said)}, not both")
    if got.subject:
        return "subject", tuple(got.test)
    if got.test:
        return "test", tuple(got.test)
    if got.quick:
        return "quick", chosen.QUICK
    if got.all or got.panic_on_warn:
        return "all", ()
    return ("test", ("stress",)) if got.stress or got.seed else ("default", ())


def guests(got: argparse.Namespace, cpus: int, memory: int) -> int:
    """As many as have the verdict soonest, of those that this machine can bear: memory is what
    it has left, in MiB. One more than CPUs, as some of the tests wait."""
    asked: int = got.jobs
    each: int = got.memory
    if asked or not got.all or got.panic_on_warn or got.subject or got.backend == "vng":
        return asked or 1
    return max(1, min(cpus + 1, 4, memory // 2 // each))


def check_kunit(got: argparse.Namespace) -> None:
    """What it has no use for"""
    for name in ("all", "quick", "test", "subject", "compare", "list", "shard", "bisect",
                 "panic_on_warn", "stress", "seed", "debug", "config", "arch", "append"):
        if getattr(got, name):
            raise BadUsage(f"--kunit: not with --{name.replace('_', '-')}")
    if got.jobs > 1:
        raise BadUsage("--kunit: not with --jobs")
    if not got.kernel.startswith(("source:", "tree:")):
        raise BadUsage("--kunit needs a kernel that is built here: source: or tree:")


def parse(argv: typing.Sequence[str], here: str = os.uname().machine) -> Options:
    p = parser()
    words = joined(argv, p)
    got = p.parse_args(words)
    system = distro.find(host.environment()["PATH"])
    got.kernel = choose_kernel(got.kernel or subject.kernel(got.subject), system,
                               pathlib.Path.cwd(),
                               "source:7.2" if got.kunit else "debian:6.12")
    if got.kernel.startswith("tree:") and "--kernel" not in " ".join(words):
        words.append(f"--kernel={got.kernel}")  # by default it depends on the directory
    machine, cross = choose_machine(got, here)
    choice, globs = choose_tests(got)
    subject.check_machine(got.subject, machine)
    if got.compare and (got.list or got.bisect):
        raise BadUsage("--compare: not with --list or --bisect")
    if got.kunit:
        check_kunit(got)
    if got.backend == "vng" and (got.kunit or machine != "x86_64"):
        raise BadUsage(f"--backend vng: {'not with --kunit' if got.kunit else 'on x86_64'}")
    if got.shard and (got.panic_on_warn or got.bisect or got.compare):
        raise BadUsage("--shard: not with --panic-on-warn, --bisect or --compare")
    got.jobs = guests(got, len(os.sched_getaffinity(0)), host.memory_left())
    if got.jobs > 1 and (got.panic_on_warn or got.subject):
        raise BadUsage("--jobs: not with --panic-on-warn or --subject")
    if not got.compare and not got.kernel.startswith(("source:", "tree:")):
        for option in ("debug", "config"):
            if getattr(got, option):
                raise BadUsage(f"--{option} needs a kernel that is built here")
    # Short as a part of --all; a failed run also needs time to be shrunk.
    stress = got.stress or (10 if globs else 1)
    asks_stress = bool(got.stress or got.seed)
    got.log_limit = got.log_limit or 64 + stress // 2
    got.boot_timeout = got.boot_timeout or (600 if got.backend == "vng" else 120)
    names = {f.name for f in dataclasses.fields(Options)}
    values = {k: v for k, v in vars(got).items() if k in names}
    values.update(compare=tuple(got.compare), machine=machine, cross=cross, choice=choice,
                  globs=globs, stress=stress, asks_stress=asks_stress,
                  guest_env=tuple(got.guest_env), modules=tuple(got.module),
                  files=tuple(got.file), again=again.command(words))
    return Options(**values)
