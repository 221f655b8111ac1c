# SPDX-License-Identifier: GPL-2.0
"""Reads kmsg.log: cuts it at the tests' marks, and finds splats and losses."""
import dataclasses
import re

RECORD = re.compile(r"(\d+),(\d+),(\d+),[^;]*;(.*)")
MARK = re.compile(r"hmm_notifier: (begin|end|expect) (.*)")
END = re.compile(r"end of log, (\d+) records")

# Any report by which a kernel says that it is broken.  Only what the kernel itself
# logged counts, not what a program wrote to /dev/kmsg.
SPLAT = re.compile(
    r"WARNING: |BUG: |kernel BUG at |Oops: |Oops\[|general protection fault|"
    r"Internal error: |Unable to handle kernel|UBSAN: |KASAN: |KCSAN: |"
    r"rcu: INFO: |INFO: rcu_\w+ (self-)?detected|Kernel panic - |"
    r"divide error: |stack segment: |invalid opcode: |double fault: ")

# The tests provoke these, and count them one by one.
COUNTED = re.compile(r"WARNING: (?:CPU: \d+ PID: \d+ at )?mm/mmu_notifier\.c:\d+ ")


@dataclasses.dataclass
class Section:
    """The part of the log that belongs to one test."""
    name: str
    begin: float
    end: float = None
    lines: list = dataclasses.field(default_factory=list)
    splats: list = dataclasses.field(default_factory=list)
    expect: list = dataclasses.field(default_factory=list)

    def seconds(self):
        return None if self.end is None else round(self.end - self.begin, 3)


@dataclasses.dataclass
class Log:
    sections: list = dataclasses.field(default_factory=list)
    strays: list = dataclasses.field(default_factory=list)  # (where, splat)
    losses: list = dataclasses.field(default_factory=list)  # (where, how many)
    complete: bool = False
    records: int = 0


def unescape(text):
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)


def where(section, last):
    if section:
        return f"in {section.name}"
    return f"after {last}" if last else "before the first test"


def mark(log, section, kind, text, when):
    """Returns the section that is open after a mark."""
    if kind == "begin":
        section = Section(text, when)
        log.sections.append(section)
    elif kind == "expect" and section:
        section.expect.append(text)
    elif kind == "end" and section and section.name == text:
        section.end = when
        return None
    return section


def read(text):
    log, section, seq, last = Log(), None, -1, ""
    for raw in text.split("\n"):
        if m := END.fullmatch(raw):
            log.complete = int(m[1]) == log.records
        m = RECORD.fullmatch(raw)
        if not m:
            continue  # a record's dictionary, or a line cut off at the very end
        prio, number, usec = (int(m[i]) for i in (1, 2, 3))
        body, when = unescape(m[4]), usec / 1e6
        log.records += 1
        if number != seq + 1:
            log.losses.append((where(section, last), number - seq - 1))
        seq = number
        ours = MARK.fullmatch(body.strip()) if prio >> 3 else None
        before = section
        if ours:
            section = mark(log, section, ours[1], ours[2], when)
        if before and not section:
            last = before.name
        if section or before: # a mark belongs to its test, the last one too
            (section or before).lines += [f"[{when:12.6f}] {line}"
                                          for line in body.split("\n")]
        if not prio >> 3 and SPLAT.search(body):
            splat = body.split("\n")[0].strip()
            if not section:
                log.strays.append((where(None, last), splat))
            elif not COUNTED.search(splat) and not any(e in splat for e in section.expect):
                section.splats.append(splat)
    return log
