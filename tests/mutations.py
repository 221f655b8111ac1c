# SPDX-License-Identifier: GPL-2.0
"""Ways to break the results of a good run, for fuzz_judge.py."""
import dataclasses
import functools
import json
import pathlib
import random
import re
from collections.abc import Callable

FILES = ("ktap.log", "kmsg.log", "boot.json", "meta.json", "programs.json", "expected")
SUFFIXES = [b"", b" # SKIP nothing", b" # SKIP known bug: a fix",
            b" # XFAIL known bug: a fix", b" # TODO later", b" # skip", b" # XPASS",
            b" # timeout=45", b" #SKIP", b" # Skip x", b"  # SKIP x", b" # XFAIL",
            b" # xfail known bug: x"]
EXITS = [1, 2, 3, 4, 5, 124, 126, 127, 134, 137, 139, 255, 256, 99999]
NINES = b"9" * 5000
# Lines of no test, which may stand anywhere
HARMLESS = [b"\x00", b"\x1b[31mFAIL\x1b[0m", b"\xff\xfe\xfa", b"A" * 100000, b"\x0c", b"\r",
            b"\xe2\x80\xa8", b"# # Subtest: x", b"# Subtest: x"]
# and statements, which may not
HARMFUL = [b"1..0", b"# 1..0", b"Bail out!", b"# Bail out! no", b"KTAP version 1",
           b"TAP version 13", b"# KTAP version 1", b"ok " + b"9" * 20 + b" x",
           b"# ok " + b"9" * 20 + b" x", b"not ok 1 - x", b"# not ok 1 - x",
           b"# not ok 77 zzz", b"  " * 500 + b"ok 1 x", b"# hmm_notifier: done 1",
           b"# hmm_notifier: program x", b"# hmm_notifier: exit x 9",
           b"# hmm_notifier: hang: a:b: c", b"not ok 1 selftests: mm: x",
           b"# hmm_notifier: exit hmm_notifier_errno " + NINES, b"ok " + NINES + b" x",
           b"# ok " + NINES + b" x", b"1.." + NINES, b"# 1.." + NINES,
           b"# hmm_notifier: done " + NINES, b"    KTAP version 1\n    1..3\n    ok 1 a",
           b"# hmm_notifier: could not load test_hmm.ko"]
SPLATS = [b"BUG: KASAN: slab-use-after-free in f+0x1/0x2", b"Oops: Oops: 0000 [#1]",
          b"BUG: kernel NULL pointer dereference, address: 0", b"kernel BUG at mm/slub.c:1!",
          b"general protection fault, probably for non-canonical address: 0000 [#1]",
          b"WARNING: CPU: 0 PID: 1 at mm/mmap.c:3 x+0/1", b"BUG: soft lockup - CPU#0 stuck",
          b"watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
          b"rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
          b"BUG: sleeping function called from invalid context at x.c:1",
          b"WARNING: possible circular locking dependency detected",
          b"BUG: Bad page state in process x", b"BUG: Bad rss-counter state mm:x",
          b"UBSAN: array-index-out-of-bounds in x", b"BUG: workqueue lockup - pool x",
          b"BUG kmalloc-64 (Not tainted): Redzone overwritten", b"BUG: memory leak",
          b"BUG test (Tainted: G): Objects remaining in test on __kmem_cache_shutdown()",
          b"INFO: task x:1 blocked for more than 120 seconds.", b"KCSAN: data-race in x",
          b"INFO: trying to register non-static key.", b"WARNING: bad unlock balance detected!",
          b"INFO: possible recursive locking detected", b"BUG: KMSAN: uninit-value in x",
          b"watchdog: Watchdog detected hard LOCKUP on cpu 0",
          b"kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
          b"kmemleak: unreferenced object 0xffff888001234560 (size 64):",
          b"list_del corruption. next->prev should be x", b"Kernel panic - not syncing: x",
          b"refcount_t: underflow; use-after-free.", b"Unable to handle kernel paging request",
          b"BUG: unable to handle page fault for address: x",
          b"unregister_netdevice: waiting for x",
          b"=============================\nWARNING: suspicious RCU usage",
          b"=============================\\x0aWARNING: suspicious RCU usage",
          b"WARNING: CPU: 0 PID: 1 at mm/mmu_notifier.c:5 x+0/1",
          b"[ BUG: bad unlock balance detected! ]",
          b"WARNING: [a || b[1]] mm/mmap.c:5 at x+0/1, CPU#0: y/1", b"Internal error: Oops: 1 [#1]",
          b"page dumped because: nonzero mapcount", b"Memory state around the buggy address:"]
BOOTS = [None, b"", b"[]", b"null", b"1", b'"x"', b"{", b"{}", b'{"ended": null}',
         b'{"ended": []}', b'{"ended": "panic"}', b'{"ended": {"a": 1}}',
         b'{"ended": "POWER-OFF"}', b'{"ended": "power-off", "times": 3}',
         b'{"ended": "power-off", "detail": 7}', b'{"ended":"killed","detail":[1]}',
         b'{"ended": "power-off", "seconds": "\\u0000"}', b"\xff", b"[" * 100000,
         b'{"ended": "power-off", "wall_s": ' + NINES + b"}",
         b'{"ended": "power-off", "wall_s": NaN}', b'{"ended": "power-off", "wall_s": 1e999}']
METAS = [None, b"", b"[]", b"null", b"{}", b"7", b'{"selected": "yes", "kernel": [1]}',
         b'{"warn_sites": {"hlist": "487"}}', b'{"known_bugs": 7}', b"[" * 100000]


@dataclasses.dataclass
class Mutant:
    kind: str
    must_fail: bool     # or it may pass, if nothing that matters is lost
    files: dict[str, bytes | None]


class Good:
    """A good run, and where in it what stands."""

    def __init__(self, where: pathlib.Path):
        self.files = {name: (where / name).read_bytes() for name in FILES}
        self.ktap = self.files["ktap.log"].split(b"\n")
        self.kmsg = self.files["kmsg.log"].split(b"\n")
        self.inner = self.of(self.ktap, rb"# ok \d+ ")
        self.with_reason = self.of(self.ktap, rb"# ok \d+ .* # (SKIP|XFAIL)")
        self.outer = self.of(self.ktap, rb"ok \d+ selftests")
        self.exit = self.of(self.ktap, rb"# hmm_notifier: exit ")
        self.record = self.of(self.kmsg, rb"\d+,\d+,\d+,")
        self.begin = self.of(self.kmsg, rb".*;hmm_notifier: begin ")
        self.end = self.of(self.kmsg, rb".*;hmm_notifier: end ")
        self.account = self.of(self.kmsg, rb".*;hmm_notifier: accounted (?!.*=0 .*=0 .*=0 .*=0)")
        self.warn = self.of(self.kmsg, rb".*;WARNING: .*mm/mmu_notifier\.c:")

    @staticmethod
    def of(lines: list[bytes], pattern: bytes) -> list[int]:
        return [i for i, line in enumerate(lines) if re.match(pattern, line)]


good = functools.cache(Good)
KINDS: list[tuple[int, Callable[[Good, random.Random], Mutant]]] = []


def kind(weight: int):
    def add(function):
        KINDS.append((weight, function))
        return function
    return add


def mutant(where: pathlib.Path, r: random.Random) -> Mutant:
    weights, functions = zip(*KINDS)
    return r.choices(functions, weights)[0](good(where), r)


def ktap(name: str, must: bool, lines: list[bytes]) -> Mutant:
    return Mutant(name, must, {"ktap.log": b"\n".join(lines)})


def kmsg(name: str, must: bool, lines: list[bytes]) -> Mutant:
    return Mutant(name, must, {"kmsg.log": b"\n".join(lines)})


def renumbered(lines: list[bytes]) -> list[bytes]:
    """With new sequence numbers, and the count in the last line."""
    out, n = [], 0
    for line in lines:
        if m := re.match(rb"(\d+),(\d+),(.*)", line, re.S):
            line, n = b"%s,%d,%s" % (m[1], n, m[3]), n + 1
        if line.startswith(b"end of log"):
            line = b"end of log, %d records" % n
        out.append(line)
    return out


def not_ok(line: bytes) -> bytes:
    return b"# not ok" + line[4:].split(b" # ")[0]


def put(lines: list[bytes], at: int, *new: bytes) -> list[bytes]:
    return [*lines[:at], *new, *lines[at:]]


def instead(lines: list[bytes], at: int, *new: bytes) -> list[bytes]:
    return [*lines[:at], *new, *lines[at + 1:]]


@kind(6)
def flip_inner(g, r):
    i, suffix = r.choice(g.inner), r.choice(SUFFIXES)
    return ktap("flip_inner" + suffix.decode(), True,
                instead(g.ktap, i, not_ok(g.ktap[i]) + suffix))


@kind(3)
def directive(g, r):
    """A reason that no test gives"""
    i, suffix = r.choice(g.inner), r.choice(SUFFIXES[1:])
    line = g.ktap[i].split(b" # ")[0] + suffix
    return ktap("directive" + suffix.decode(), True, instead(g.ktap, i, line))


@kind(3)
def other_reason(g, r):
    """A reason that another test gives"""
    i, other = r.choice(g.inner), r.choice(g.with_reason)
    line = g.ktap[i].split(b" # ")[0] + b" # " + g.ktap[other].split(b" # ", 1)[1]
    return ktap("other_reason", line != g.ktap[i], instead(g.ktap, i, line))


@kind(1)
def del_inner(g, r):
    return ktap("del_inner", True, instead(g.ktap, r.choice(g.inner)))


@kind(1)
def dup_inner(g, r):
    i = r.choice(g.inner)
    return ktap("dup_inner", True, put(g.ktap, i + r.randrange(2), not_ok(g.ktap[i])))


@kind(1)
def dup_far(g, r):
    return ktap("dup_far", True,
                put(g.ktap, r.choice(g.outer), not_ok(g.ktap[r.choice(g.inner)])))


@kind(2)
def flip_outer(g, r):
    i = r.choice(g.outer)
    suffix = r.choice([b"", b" # exit=139", b" # exit=1", b" # SKIP", b" # timeout"])
    return ktap("flip_outer" + suffix.decode(), True,
                instead(g.ktap, i, b"not " + g.ktap[i] + suffix))


@kind(2)
def exit_code(g, r):
    i, code = r.choice(g.exit), r.choice(EXITS)
    line = b"%s %d" % (g.ktap[i].rsplit(b" ", 1)[0], code)
    return ktap(f"exit_code {code}", True, instead(g.ktap, i, line))


@kind(1)
def exit_gone_and_not_ok(g, r):
    n = r.randrange(len(g.exit))
    lines = instead(g.ktap, g.outer[n], b"not " + g.ktap[g.outer[n]] + b" # exit=139")
    return ktap("exit_gone_and_not_ok", True, instead(lines, g.exit[n]))


@kind(1)
def exit_gone(g, r):
    return ktap("exit_gone", True, instead(g.ktap, r.choice(g.exit)))


@kind(1)
def outer_gone(g, r):
    return ktap("outer_gone", True, instead(g.ktap, r.choice(g.outer)))


@kind(1)
def both_gone(g, r):
    n = r.randrange(len(g.exit))
    return ktap("both_gone", True, instead(instead(g.ktap, g.outer[n]), g.exit[n]))


@kind(1)
def flip_and_exit_gone(g, r):
    """What a harness prints of a failure, with the exit's line lost"""
    i = r.choice(g.inner)
    lines = instead(g.ktap, i, not_ok(g.ktap[i]))
    return ktap("flip_and_exit_gone", True, instead(lines, next(e for e in g.exit if e > i)))


@kind(3)
def insert(g, r):
    harmful = r.random() < .7
    line = r.choice(HARMFUL if harmful else HARMLESS)
    return ktap(f"insert {line[:30]!r}", harmful,
                put(g.ktap, r.randrange(1, len(g.ktap) - 1), line))


@kind(2)
def garble_ktap(g, r):
    data = bytearray(g.files["ktap.log"])
    for _ in range(r.choice([1, 2, 8, 64])):
        data[r.randrange(len(data))] = r.choice([0, 10, 13, 32, 35, 255, r.randrange(256)])
    return Mutant("garble_ktap", False, {"ktap.log": bytes(data)})


@kind(1)
def delete_lines(g, r):
    i, n = r.randrange(len(g.ktap)), r.choice([1, 1, 1, 2, 5, 50])
    gone = g.ktap[i:i + n]
    matters = rb"(# )?(ok|1\.\.|KTAP|# hmm.*: (program|exit|done))"
    return ktap("delete_lines", any(re.match(matters, line) for line in gone),
                g.ktap[:i] + g.ktap[i + n:])


@kind(1)
def swap_lines(g, r):
    lines = list(g.ktap)
    i, j = r.randrange(len(lines)), r.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return ktap("swap_lines", False, lines)


@kind(1)
def late_plan(g, r):
    """The plan behind results: what the kernel's own parser never comes back from"""
    return ktap("late_plan", True, put(instead(g.ktap, 1), r.choice(g.outer), g.ktap[1]))


@kind(1)
def truncate_ktap(g, r):
    data = g.files["ktap.log"]
    return Mutant("truncate_ktap", True, {"ktap.log": data[:r.randrange(len(data) - 30)]})


@kind(1)
def all_skip(g, r):
    keep = r.choice([None, r.choice(g.inner)])
    return ktap("all_skip", True, [
        line if i == keep else re.sub(rb"^(# ok \d+ \S+).*", rb"\1 # SKIP no device", line)
        for i, line in enumerate(g.ktap)])


@kind(2)
def combo(g, r):
    """A test that failed, and another damage"""
    lines = flip_inner(g, r).files["ktap.log"].split(b"\n")
    i = r.randrange(len(lines))
    lines = r.choice([lambda: instead(lines, i), lambda: put(lines, i, r.choice(HARMLESS)),
                      lambda: put(lines, i, r.choice(HARMFUL)),
                      lambda: instead(lines, i, r.randbytes(20))])()
    # without the line that failed it, the test is a missing one
    return ktap("combo", True, lines)


@kind(1)
def record_gone(g, r):
    i, n = r.choice(g.record), r.choice([1, 1, 3, 40])
    return kmsg("record_gone", True, g.kmsg[:i] + g.kmsg[i + n:])


@kind(1)
def record_twice(g, r):
    i = r.choice(g.record)
    return kmsg("record_twice", True, put(g.kmsg, i, g.kmsg[i]))


@kind(1)
def records_swapped(g, r):
    lines = list(g.kmsg)
    i, j = r.sample(g.record, 2)
    lines[i], lines[j] = lines[j], lines[i]
    return kmsg("records_swapped", True, lines)


@kind(6)
def splat(g, r):
    text, level = r.choice(SPLATS), r.choice([2, 3, 4])
    lines = put(g.kmsg, r.choice(g.record[5:]), b"%d,0,5000000,-;%s" % (level, text))
    return kmsg("splat " + text.decode()[:46], True, renumbered(lines))


@kind(1)
def error_line(g, r):
    """Of unknown form, in a test's section, at KERN_ERR or worse"""
    line = b"%d,0,5000000,-;something is very wrong" % r.randrange(4)
    return kmsg("error_line", True, renumbered(put(g.kmsg, r.choice(g.begin) + 1, line)))


@kind(2)
def warn_more(g, r):
    i, warn = r.choice(g.begin), g.kmsg[r.choice(g.warn)]
    return kmsg("warn_more", True, renumbered(put(g.kmsg, i + 1, warn)))


@kind(2)
def warn_less(g, r):
    lines = instead(g.kmsg, r.choice(g.warn), b"6,0,5000000,-;x")
    return kmsg("warn_less", True, renumbered(lines))


@kind(1)
def warn_elsewhere(g, r):
    i, sites = r.choice(g.warn), json.loads(g.files["meta.json"])["warn_sites"]
    now = int(re.search(rb"mmu_notifier\.c:(\d+)", g.kmsg[i])[1])
    line = r.choice([f for f, last in sites.values() if not f <= now <= last] + [now + 2])
    return kmsg("warn_elsewhere", True, instead(g.kmsg, i, re.sub(
        rb"mmu_notifier\.c:\d+", b"mmu_notifier.c:%d" % line, g.kmsg[i])))


@kind(3)
def account(g, r):
    i = r.choice(g.account)
    line = g.kmsg[i]
    other = r.choice([
        lambda: [b"6,0,1,-;x"], lambda: [line, line],
        lambda: [re.sub(rb"hlist=\d+", b"hlist=%d" % 7777, line)],
        lambda: [re.sub(rb"hlist=\d+", b"hlist=" + NINES, line)],
        lambda: [line.replace(b" hlist=", b" hlst=")], lambda: [line + b" x"],
        lambda: [line.replace(b"accounted ", b"accounted")],
        lambda: [line.split(b" range_end")[0]]])()
    return kmsg("account", True, renumbered(instead(g.kmsg, i, *other)))


@kind(1)
def forged_mark(g, r):
    text = r.choice([b"begin x:y", b"end x:y", b"expect BUG", b"expect ",
                     b"begin hmm_notifier_errno:zz", b"accounted "])
    line = b"12,0,5000000,-;hmm_notifier: " + text
    return kmsg(f"forged_mark {text.decode()}", True,
                renumbered(put(g.kmsg, r.choice(g.record[5:]), line)))


@kind(1)
def expects_all(g, r):
    """A text that many splats have, then a splat"""
    text = r.choice([b"", b" ", b"BUG: ", b": ", b"BUG: KASAN: ", b"WARNING: CPU: 0 PID: 1 at "])
    new = [b"12,0,5000000,-;hmm_notifier: expect " + text, b"4,0,5000000,-;" + r.choice(
        [b"BUG: KASAN: slab-use-after-free in f+0x1/0x2", b"WARNING: CPU: 0 PID: 1 at x.c:1 f"])]
    return kmsg(f"expects_all {text.decode()!r}", True,
                renumbered(put(g.kmsg, r.choice(g.begin) + 1, *new)))


@kind(2)
def kmsg_junk(g, r):
    line = r.choice([
        b"\xff\xff", b"6,1,1,-;" + b"A" * 1000000, NINES + b",1,1,-;x", b"6," + NINES + b",1,-;x",
        b"end of log, " + NINES + b" records", b"end of log, 1 records", b"\x00" * 100,
        b"6,5,5,-;x\\x1b[31m", b"6,,,;x", b"6,5,5,-;hmm_notifier: begin " + b"x" * 3000,
        b"12,5,5,-;hmm_notifier: begin ../../../../tmp/x"])
    return kmsg(f"kmsg_junk {line[:20]!r}", True, put(g.kmsg, r.randrange(len(g.kmsg)), line))


@kind(1)
def section_name(g, r):
    i = r.choice(r.choice([g.begin, g.end]))
    name = r.choice([b"", b"/", b"..", b"x" * 300, b"\\x00\\x00", b"\\x1b[2J", b"a\\x0ab"])
    line = re.sub(rb"(begin|end) .*", lambda m: m[1] + b" " + name, g.kmsg[i])
    return kmsg(f"section_name {name[:10].decode()}", True, instead(g.kmsg, i, line))


@kind(1)
def kmsg_truncate(g, r):
    data = g.files["kmsg.log"]
    return Mutant("kmsg_truncate", True, {"kmsg.log": data[:r.randrange(len(data) - 30)]})


@kind(1)
def kmsg_count(g, r):
    more = r.choice([-1, 1, 1000])
    return kmsg("kmsg_count", True, [
        re.sub(rb"^end of log, (\d+)", lambda m: b"end of log, %d" % (int(m[1]) + more), line)
        for line in g.kmsg])


@kind(1)
def after_the_end(g, r):
    last = int(g.kmsg[g.record[-1]].split(b",")[1])
    end = next(i for i, line in enumerate(g.kmsg) if line.startswith(b"end of log"))
    return kmsg("after_the_end", True,
                put(g.kmsg, end + 1, b"4,%d,9,-;BUG: KASAN: after the end" % (last + 1)))


@kind(1)
def garble_kmsg(g, r):
    data = bytearray(g.files["kmsg.log"])
    for _ in range(r.choice([1, 4, 32])):
        data[r.randrange(len(data))] = r.choice([0, 10, 59, 44, 255, r.randrange(256)])
    return Mutant("garble_kmsg", False, {"kmsg.log": bytes(data)})


@kind(2)
def other_file(g, r):
    name, texts = r.choice([("boot.json", BOOTS), ("meta.json", METAS), ("programs.json", METAS)])
    text = r.choice(texts)
    return Mutant(f"{name} {(text or b'-')[:36]!r}", True, {name: text})


@kind(1)
def expected(g, r):
    names = g.files["expected"].split()
    half = r.sample(names, len(names) // 2)
    data = r.choice([None, b"", b"\n".join([*names, b"hmm_notifier_errno:zz.zz"]) + b"\n",
                     b"\n".join(half) + b"\n", b"\xff\x00" + b"\n".join(names)])
    return Mutant("expected", True, {"expected": data})
