# SPDX-License-Identifier: GPL-2.0
"""What the compilers make of the rule's check in mm/mmu_notifier.c, and of other ways to
write it: only that object is built, each time, by the command of a prepared tree."""
import collections
import dataclasses
import heapq
import os
import pathlib
import re
import shlex
import shutil
import subprocess

from runner.linux import kconfig
from runner.linux.request import Extras

OBJECT = "mm/mmu_notifier.o"
SOURCE = "mm/mmu_notifier.c"
# What each way makes of CHECK(condition), which says whether it is so
WAYS = {
    "no check": "(condition)",
    "WARN_ON": "WARN_ON(condition)",
    "if + pr_warn": '({ bool is = (condition); if (is) pr_warn("failed\\n"); is; })',
    "if (unlikely) + pr_warn":
        '({ bool is = (condition); if (unlikely(is)) pr_warn("failed\\n"); unlikely(is); })',
    "WARN": 'WARN(condition, "failed\\n")',
    "WARN_ON_ONCE": "WARN_ON_ONCE(condition)",
}
# The checks, and the functions that have them; each by itself, whatever would be inlined
CHECKS = (r"\bWARN_ON(?=\(mmu_notifier_range_blockable\(range\) \|\|\s+_ret != -EAGAIN\);)",
          r"\bWARN_ON(?=\(mmu_notifier_range_blockable\(range\)\)\))")
STARTS = {"hlist": "mn_hlist_invalidate_range_start", "interval": "mn_itree_invalidate"}
# (the kernel's name, what the names of GNU tools begin with) by the machine's
ARCHES = {"x86_64": ("x86_64", ""), "aarch64": ("arm64", "aarch64-linux-gnu-")}
COMPILERS = ("gcc", "clang")
CLANG = "clang-19"  # 7.2 wants one newer than Debian 12's own
# No callback has succeeded on a way that goes here, or where -EAGAIN is returned
FAILS = re.compile(r"_printk|__warn_printk|\bud2\b|\bbrk\b|0xfffffff5|#-0xb\b|\$-11\b")
INDIRECT = re.compile(r"^(?:call +\*|call .*__x86_indirect_thunk|blr\b)")
JUMP = re.compile(r"^(?:j\w+|b|b\.\w+|cbn?z|tbn?z)\s+(?:.*[ ,])?([0-9a-f]+) <")


class Unclear(Exception):
    """What was compiled is not what is understood here."""


@dataclasses.dataclass
class Cost:
    arch: str
    compiler: str
    way: str
    start: str
    hot: int        # instructions, of a start with one callback, which succeeds
    size: int       # bytes of the function, wherever they are
    object: int     # bytes of the whole object, but for its debugging information


def with_check(text, way):
    """The source with another check in both places"""
    for check in CHECKS:
        text, n = re.subn(check, "CHECK", text)
        if n != 1:
            raise Unclear(f"{SOURCE} has {n} times {check}")
    for start in STARTS.values():
        text, n = re.subn(rf"^static int (?={start}\()", "static noinline int ", text,
                          flags=re.M)
        if n != 1:
            raise Unclear(f"{SOURCE} has {n} times {start}()")
    return f"#define CHECK(condition) {WAYS[way]}\n#line 1\n{text}"


class Tree:
    """A prepared one, for one architecture and compiler"""

    def __init__(self, source, out, arch, compiler):
        self.source, self.dir, self.arch, self.compiler = source, out, arch, compiler
        self.kernel_arch, self.cross = ARCHES[arch]
        self.clean_source = (source / SOURCE).read_text()

    def make(self, target):
        cc = f"{self.cross}gcc" if self.compiler == "gcc" else CLANG
        with open(self.dir / "log", "a", encoding="utf-8") as log:
            done = subprocess.run(
                ["make", "-C", self.source, f"O={self.dir}", f"ARCH={self.kernel_arch}",
                 f"CROSS_COMPILE={self.cross}", f"CC={cc}", f"-j{os.cpu_count()}", target],
                env={**os.environ, "KCONFIG_ALLCONFIG": str(self.dir / "asked")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise Unclear(f"make {target} failed, see {self.dir}/log")

    def prepare(self):
        """Our smallest config, what it is of; the object as it is, and its command"""
        asked = kconfig.Request(self.arch, Extras()).text()
        self.dir.mkdir(parents=True, exist_ok=True)
        if not (self.dir / OBJECT).exists() or (self.dir / "asked").read_text() != asked:
            (self.dir / "asked").write_text(asked)
            self.make("allnoconfig")
            self.make(OBJECT)
        saved = (self.dir / "mm/.mmu_notifier.o.cmd").read_text().partition("\n")[0]
        command = saved.partition(" := ")[2].partition(" ; ")[0]
        self.command = shlex.split(command.replace("$(pound)", "#"))

    def compile(self, way, to):
        path = to / f"{self.arch}-{self.compiler}-{re.sub(r'[^a-z]+', '-', way.lower())}.c"
        path.write_text(with_check(self.clean_source, way))
        obj = path.with_suffix(".o")
        words = [w for w in self.command if not w.startswith("-Wp,-MMD")]
        words[words.index("-o") + 1] = str(obj)
        words[-1] = str(path)
        done = subprocess.run([*words, f"-I{self.source}/mm"], cwd=self.dir, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise Unclear(done.stdout)
        return obj

    def costs(self, to):
        """Yields one for each way and start."""
        self.prepare()
        for way in WAYS:
            obj = self.compile(way, to)
            read = Object(obj, self.cross)
            for start, name in STARTS.items():
                yield Cost(self.arch, self.compiler, way, start, read.hot(name),
                           read.size(name), read.whole())


class Object:
    """What objdump says of an object file"""

    def __init__(self, path, cross):
        self.path, self.cross = path, cross
        self.sizes = collections.Counter()
        self.code = {}      # (section, address): the instruction
        self.next = {}      # the address behind it
        self.entry = {}     # {function: (section, address)}
        self.read()

    def tool(self, name, *args):
        return subprocess.run([f"{self.cross}{name}", *args, self.path], text=True,
                              stdout=subprocess.PIPE, check=True).stdout

    def read(self):
        for line in self.tool("nm", "-S").splitlines():
            words = line.split()
            if len(words) == 4 and words[2] in "tT":
                self.sizes[words[3].partition(".")[0]] += int(words[1], 16)
        section = last = None
        for line in self.tool("objdump", "-dr", "--no-show-raw-insn").splitlines():
            if m := re.match(r"Disassembly of section (\S+):", line):
                section, last = m[1], None
            elif m := re.match(r"([0-9a-f]+) <([^>]+)>:", line):
                self.entry[m[2]] = (section, int(m[1], 16))
            elif m := re.match(r"\s+([0-9a-f]+):\s+((?:R_|\S*_64_)?\S.*)", line):
                at = (section, int(m[1], 16))
                if "R_" in m[2].split()[0]:
                    self.code[last] += f" {m[2]}"
                    continue
                if last:
                    self.next[last] = at
                self.code[at], last = m[2], at

    def target(self, at):
        """Where a jump goes; into another section by its relocation"""
        text = self.code[at]
        if m := re.search(r" R_\S+\s+(\.text\S*?)([+-]0x[0-9a-f]+)?$", text):
            # on x86 the field is 4 bytes before the next instruction
            return m[1], int(m[2] or "0", 16) + (4 if "X86_64" in text else 0)
        m = JUMP.match(text)
        return (at[0], int(m[1], 16)) if m else None

    def after(self, at):
        """What may be run next; nothing if the function ends"""
        text = self.code[at]
        jump = re.match(r"(?:j|b\b|b\.|cbn?z|tbn?z)", text)
        found = []
        if jump and (to := self.target(at)) in self.code:
            found.append(to)
        if not re.match(r"(?:ret|jmp|b\s)", text) and at in self.next:
            found.append(self.next[at])
        return found

    def hot(self, name):
        """The fewest instructions from the entry through one callback to the return"""
        if name not in self.entry:
            raise Unclear(f"{self.path.name}: there is no {name}()")
        ways, seen = [(1, self.entry[name], False)], set()
        while ways:
            n, at, called = heapq.heappop(ways)
            text = self.code[at]
            if (at, called) in seen or FAILS.search(text):
                continue
            seen.add((at, called))
            called |= bool(INDIRECT.match(text))
            if called and re.match(r"ret\b|jmp.*__x86_return_thunk", text):
                return n
            for to in self.after(at):
                heapq.heappush(ways, (n + 1, to, called))
        raise Unclear(f"{self.path.name}: no way through {name}() is found")

    def size(self, name):
        return self.sizes[name]

    def whole(self):
        """As in text, data and bss of size(1)"""
        return sum(map(int, self.tool("size").splitlines()[1].split()[:3]))


def measure(source, cache, to):
    """Yields all of them."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for arch in ARCHES:
        for compiler in COMPILERS:
            yield from Tree(source, pathlib.Path(cache, f"{arch}-{compiler}"), arch,
                            compiler).costs(to)
