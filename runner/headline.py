# SPDX-License-Identifier: GPL-2.0
"""What is broken, in sentences of the rule: failures by their cause, checks in words."""
from __future__ import annotations

import re
import typing

Facts = typing.Mapping[str, typing.Any]
Test = typing.Dict[str, typing.Any]

# lib/core's name of a site: the log's, what it is, and its function
SITES = {"INTERVAL_RELEASE": ("release", "interval release", "mn_itree_release"),
         "INTERVAL": ("interval", "interval", "mn_itree_invalidate"),
         "HLIST": ("hlist", "hlist", "mn_hlist_invalidate_range_start"),
         "HLIST_END": ("range_end", "range_end", "mn_hlist_invalidate_range_start")}
CHECK = re.compile(r"(?:[\w./-]+:\d+:\w+:)?Expected (.*?)(?: \(([^()]*)\))? (==|!=|<=|>=|<|>) "
                   r"(.*?)(?: \(([^()]*)\))?\.?")
WARN = re.compile(r"\w+->warns\[RULE_SITE_(\w+)\]")

NOT_STARTED = "an invalidation was not started"

# (a check, what it says is wrong if too little came, and if too much); the first that
# fits is the cause: who is not called does not WARN, either
CAUSES = (
    (r"\w+->starts\[i\]|1", r"starts->starts\[i\]", NOT_STARTED,
     "an invalidation was started more than once"),
    (r"0", r"starts->window\.wrong",
     "what the page tables say changed before its start, or after its end", ""),
    (r"0", r"starts->not_left", "an entry of the page tables is there after its end", ""),
    (r"0", r"starts->strange", "an invalidation was started that no change is for", ""),
    (r"0", r"starts->wrong_callers",
     "an invalidation was not told to the notifier, or is another function's", ""),
    (r".*calls.*", r"(seen\.|calls_of).*", "a notifier was not called",
     "a notifier was called too often"),
    (r".*", r".*->warns\[.*", "", ""),
    (r".*messages", r".*messages", "the message of a failed callback did not come",
     "a message of a failed callback came that the rule does not have"),
    (r".*", r".*ends.*", "a start was not ended", "a start was ended more than once"),
    (r"0", r"sound", "the address space is not usable afterwards", ""),
    (r"0", r"scene_is_paired.*", "starts and ends do not match", ""),
)

NO_BOOT = "the kernel did not boot: "

# A sentence for users for each bug that a fix in kernel-patches is for
MEANS = {
    "mm/mmu_notifier: end the interval tree when an hlist start fails":
        "a process whose memory was reaped can hang for ever in state D",
    "mm/mmu_notifier: don't run range_end twice after a blockable failure":
        "a driver that counts starts and ends goes out of step, and may use freed memory",
    "mm/hmm: count the pages of a huge device page from the range's start":
        "a device may read and write the wrong page of memory",
    "mm/migrate: requeue the destination folio before it is mapped":
        "memory that is being moved to or from a device can be lost or corrupted",
    "mm/mprotect: end the invalidation of a mapping at address 0":
        "a process of root's that has memory at address 0 can hang for ever in state D",
    "mm/oom_kill: thaw the entire OOM victim process":
        "a process that is frozen and killed for its memory stays until somebody thaws it",
}


def site(name: str, meta: Facts) -> str:
    """As in "the hlist WARN (mn_hlist_invalidate_range_start, mm/mmu_notifier.c:534)" """
    key, word, function = SITES.get(name, ("", name, "?"))
    lines = meta.get("warn_sites", {}).get(key, [])
    where = f"mm/mmu_notifier.c:{lines[0]}" if lines else "mm/mmu_notifier.c lacks it"
    return f"the {word} WARN ({function}, {where})"


def differs(want: str | None, got: str | None) -> int:
    """-1: less came than was to come; 1: more; 0: who knows."""
    try:
        return (int(got or "") > int(want or "")) - (int(got or "") < int(want or ""))
    except ValueError:
        return 0


def cause_of(m: re.Match[str], meta: Facts) -> tuple[int, str] | None:
    """(rank, sentence) of a check that failed"""
    less = differs(m[2], m[5]) < 0
    for rank, (left, right, too_few, too_many) in enumerate(CAUSES):
        if not re.fullmatch(left, m[1]) or not re.fullmatch(right, m[4]):
            continue
        if warn := WARN.fullmatch(m[4]):
            how = "did not come" if less else "came where the rule has none"
            return rank, f"{site(warn[1], meta)} {how}"
        return rank, too_few if less or not too_many else too_many
    return None


def checks(test: Test) -> list[re.Match[str]]:
    lines = [re.sub(r"^#\s*", "", line) for line in test["log"]]
    return [m for line in lines if (m := CHECK.fullmatch(line))]


def cause(test: Test, meta: Facts) -> str:
    """One sentence on why a test failed"""
    reason = str(test["reason"]).replace(f"did not run: {NO_BOOT}", NO_BOOT)
    if reason.startswith((NO_BOOT, "hangs: ", "did not run: ", "the kernel reported: ")):
        return reason.partition("; ")[0]
    found = [c for m in checks(test) if (c := cause_of(m, meta))]
    if found:
        said = min(found)[1]
        who = re.search(r"which (\w+\(\)) starts$", "\n".join(test["log"]), re.M)
        return f"{who[1]} did not start its invalidation" \
            if who and said == NOT_STARTED else said
    if m := next(iter(checks(test)), None):
        if (m[1], m[3]) == ("''", "=="):
            return m[4].strip("'")  # what is wrong, in words
        return f"{m[1]} {m[3]} {m[4]} does not hold"
    return reason.partition("; ")[0][:200]


def causes(tests: list[Test], meta: Facts) -> list[tuple[str, list[Test]]]:
    """What most tests say comes first."""
    found: dict[str, list[Test]] = {}
    for test in tests:
        found.setdefault(cause(test, meta), []).append(test)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def number(text: str | None) -> str:
    return {"0": "none", "1": "one"}.get(text or "", text or "nothing")


def in_words(line: str) -> str:
    """A line of a test's log; a check that failed as one says it."""
    line = re.sub(r"^#\s*", "", line)
    m = CHECK.fullmatch(line)
    where = line.partition(":Expected ")[0].rpartition(":")[0]
    if not m or m[3] != "==":
        return line
    if warn := WARN.fullmatch(m[4]):
        what = f"WARN{'s' * (m[2] != '1')} at {SITES.get(warn[1], ('', warn[1], ''))[1]}"
    elif m[4].endswith("messages"):
        what = "messages of a failed callback"
    else:
        return line
    return f"{where}: expected {number(m[2])} {what}, saw {number(m[5])}"
