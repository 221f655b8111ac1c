# SPDX-License-Identifier: GPL-2.0
"""slips.py SOURCE OUT - seven mistakes for each function that starts an invalidation.

    event     of another event
    nonblock  by the non-blockable start; by the blockable one where that one is right
    short     a page too few
    whole     all of the mm
    twice     started and ended twice
    late      the start comes where the end was, when the page tables have changed
    early     the end comes right after the start, before they change

They are made of the kernel's source, as patches that merge.py takes. Which test has to
notice one, and by what it says, comes of the tables in lib/change: that of the calls and
that of the sites.
"""
import dataclasses
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(TOP / "tests/proof")]
from merge import functions  # noqa: E402

START = re.compile(r"\bmmu_notifier_invalidate_range_start\((&[\w.>-]+)\);")
NONBLOCK = re.compile(r"\bmmu_notifier_invalidate_range_start_nonblock\((&[\w.>-]+)\)")
END = re.compile(r"\bmmu_notifier_invalidate_range_end\((&[\w.>-]+)\);")
# Its invalidation is not in a change: it is made from outside, of a frozen victim.
REAPER = "zap_vma_for_reaping"


def another(change):
    """A slip of the range that is told, but not of what the function does to it."""
    def slip(line):
        for call in (START, NONBLOCK, END):
            line = call.sub(lambda m: "({ struct mmu_notifier_range r = *(" + m[1] + "); "
                            + change + " " + m[0].replace(m[1], "&r").rstrip(";") + "; })"
                            + ";" * m[0].endswith(";"), line)
        return line
    return slip


def nonblock(line):
    if NONBLOCK.search(line):
        return NONBLOCK.sub(r"({ mmu_notifier_invalidate_range_start(\1); 0; })", line)
    return START.sub(r"if (mmu_notifier_invalidate_range_start_nonblock(\1)) {}", line)


def twice(line):
    line = NONBLOCK.sub(r"(mmu_notifier_invalidate_range_start_nonblock(\1) ?: "
                        r"mmu_notifier_invalidate_range_start_nonblock(\1))", line)
    for call in (START, END):
        line = call.sub(lambda m: "{ " + f"{m[0]} {m[0]}" + " }", line)
    return line


def late(line):
    if NONBLOCK.search(line):
        return NONBLOCK.sub("false", line)
    line = START.sub("(void)0;", line)
    return END.sub(r"{ mmu_notifier_invalidate_range_start(\1); "
                   r"mmu_notifier_invalidate_range_end(\1); }", line)


def late_nonblock(line):
    line = NONBLOCK.sub("false", line)
    return END.sub(r"{ if (!mmu_notifier_invalidate_range_start_nonblock(\1)) "
                   r"mmu_notifier_invalidate_range_end(\1); }", line)


def early(line):
    line = END.sub("(void)0;", line)
    line = NONBLOCK.sub(r"({ int err = mmu_notifier_invalidate_range_start_nonblock(\1); "
                        r"if (!err) mmu_notifier_invalidate_range_end(\1); err; })", line)
    return START.sub(r"{ mmu_notifier_invalidate_range_start(\1); "
                     r"mmu_notifier_invalidate_range_end(\1); }", line)


@dataclasses.dataclass
class Site:
    file: str
    function: str
    names: list      # its own, and those in older kernels
    hardware: str    # what it needs and no VM has


def sites():
    text = (TOP / "lib/change/start_site.c").read_text()
    for entry in re.split(r"\n\tSITE\(", text.partition("start_sites[] = {")[2])[1:]:
        file, function = re.match(r'"([^"]+)", "(\w+)"', entry).groups()
        was = re.search(r"\.was = \{([^}]*)\}", entry)
        names = [function, *re.findall(r'"(\w+)"', was[1] if was else "")]
        hardware = re.search(r'\.hardware = "([^"]+)"', entry)
        yield Site(file, function, names, hardware[1] if hardware else "")


def version(text, name):
    m = re.search(rf"\.{name} = LINUX_VERSION\((\d+), (\d+)\)", text)
    return (int(m[1]), int(m[2])) if m else None


@dataclasses.dataclass
class Known:
    """The changes that go to a site: first those that do little else."""
    changes: list = dataclasses.field(default_factory=list)
    leaving: list = dataclasses.field(default_factory=list)  # another entry at the end
    whole: bool = True      # each of them is for all of the mm


def changes(base):
    """{site: Known} of this kernel"""
    found = {}
    for file in sorted((TOP / "lib/change").glob("changes_*.c")):
        text = file.read_text()
        for macro, calls in re.findall(r"#define (\w+) \{\s*\\\n(.*?)\n\t\}\n", text, re.S):
            text = text.replace(f".calls = {macro},", f".calls = {{ {calls} }},")
        for name, body in re.findall(r"\nconst struct change change_(\w+) = \{(.*?)\n\};",
                                     text, re.S):
            calls = [c for c in re.split(r"CHANGE_CALL\(", body)[1:]
                     if (version(c, "since") or base) <= base < (version(c, "until") or (99,))]
            for call in calls:
                site, leaves, whole = re.match(
                    r'"(\w+)", \w+,\s+([\w |]+),\s+(0, 0\))?', call).groups()
                known = found.setdefault(site, Known())
                order = ("CHANGE_REPEATS" in body, len(calls), name)
                known.whole &= bool(whole)
                known.changes.append(order)
                if leaves != "CHANGE_NOTHING":
                    known.leaving.append(order)
    for known in found.values():
        known.changes.sort()
        known.leaving.sort()
    return found


def diff(file, lines, fn, slip):
    """One hunk, in which each line stays where it is"""
    changed = [i for i in range(fn.body, fn.last + 1) if slip(lines[i]) != lines[i]]
    first, last = changed[0] - 1, changed[-1] + 1
    where = f"{first + 1},{last + 1 - first}"
    return "\n".join([f"--- a/{file}", f"+++ b/{file}", f"@@ -{where} +{where} @@ {fn.name}()",
                      *(f"-{line}\n+{slip(line)}" if i in changed else f" {line}"
                        for i, line in enumerate(lines[first:last + 1], first))]) + "\n"


# name: (the slip, what it does, what has to be said of it)
SLIPS = {
    "event": (another("r.event = r.event == MMU_NOTIFY_CLEAR ? MMU_NOTIFY_UNMAP : "
                      "MMU_NOTIFY_CLEAR;"),
              "starts with another event", "start: event"),
    "nonblock": (nonblock, "starts with the other kind of call", "start: event ... {context}"),
    "short": (another("r.end -= PAGE_SIZE;"), "leaves out a page", "start: event"),
    "whole": (another("r.start = 0; r.end = -1UL;"), "starts for all of the mm",
              "start: event ... of 0 to 0xffffffffffffffff"),
    "twice": (twice, "starts and ends twice", "start: event"),
    "late": (late, "starts when the page tables have changed", "at the start of {site}"),
    "early": (early, "ends before the page tables change", "at the end of {site}"),
}
# Only what changes an entry tells that it does so too late or too early.
MOVED = ("late", "early")


def killer(site, known, name):
    """The test that has to notice this slip"""
    if site.function == REAPER:
        return "reap.end_0.leaves_what_failed"
    of_it = known.leaving if name in MOVED else known.changes
    return f"change.{of_it[0][-1]}_end_0.takes_effect" if of_it else None


def of_function(file, lines, fn, site, known):
    """Yields (name, patch) of each slip that something can tell."""
    blockable = not any(NONBLOCK.search(line) for line in lines[fn.body:fn.last + 1])
    for name, (change, what, said) in SLIPS.items():
        by = killer(site, known, name)
        if not by or name == "whole" and known.whole:
            continue
        if name == "late" and not blockable:
            change = late_nonblock
        said = said.format(site=site.function,
                           context="non-blockable" if blockable else ", blockable")
        yield name, (f"Breaks: {fn.name}() {what}\nKilled-by: {by}: {said}\n"
                     "---\n"
                     + diff(file, lines, fn, change))


def starting(source):
    """Yields each function that starts an invalidation: its file, the lines, itself."""
    files = [*(source / "mm").glob("*.c"), source / "fs/proc/task_mmu.c",
             source / "kernel/events/uprobes.c"]
    for path in sorted(f for f in files if f.name != "mmu_notifier.c"):
        lines = path.read_text().splitlines()
        for fn in functions(lines):
            text = "\n".join(lines[fn.body:fn.last + 1])
            if START.search(text) or NONBLOCK.search(text):
                yield str(path.relative_to(source)), lines, fn


def patches(source):
    """{name: patch}, and {name or function: why it has none}"""
    makefile = (source / "Makefile").read_text()
    base = tuple(int(re.search(rf"^{n} = (\d+)", makefile, re.M)[1])
                 for n in ("VERSION", "PATCHLEVEL"))
    table, known, made, without = list(sites()), changes(base), {}, {}
    for file, lines, fn in starting(source):
        site = next((s for s in table if fn.name in s.names), None)
        if not site or site.hardware:
            without[fn.name] = f"it needs {site.hardware}" if site else "no site of the table"
            continue
        # of two functions that are one site, as in 6.1
        label = site.function.strip("_")
        label = fn.name if f"event-{label}" in made else label
        of_it = known.get(site.function, Known())
        mine = dict(of_function(file, lines, fn, site, of_it))
        made.update((f"{name}-{label}", patch) for name, patch in mine.items())
        for name in SLIPS.keys() - mine:
            without[f"{name}-{label}"] = "this is right: all of the mm changes" \
                if name == "whole" and of_it.whole else "no change of the table shows it"
    return made, without


def write(made, out):
    """Returns the files, in the order of their names."""
    out.mkdir(parents=True, exist_ok=True)
    for name, patch in made.items():
        (out / f"{name}.patch").write_text(patch)
    return sorted(out.glob("*.patch"))


if __name__ == "__main__":
    made_, without_ = patches(pathlib.Path(sys.argv[1]))
    write(made_, pathlib.Path(sys.argv[2]))
    print("\n".join(f"{name}: {why}" for name, why in without_.items()))
