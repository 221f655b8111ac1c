#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""merge.py SOURCE OUT PATCH... - one kernel source that has all mutants.

Copies the files that the patches touch from SOURCE to OUT, and there turns each
function that some patch changes into all of its versions, of which the kernel
parameter mm_mutant chooses one, once the guest is up: N counts the patches from 1, and 0
is the function as it was.  One build and one link then serve every mutant, where building each of
them would take longer than running it; a change in a header would rebuild half of mm/.

The versions are inlined into a function of the old name, so stack traces and wchan
read as they did.  A line that a mutant did not touch keeps its number, and one that
replaces it takes it over: so a WARN is where the source says it is, a WARN too many
is counted where it is or is at no known place at all, and one suite fits all mutants.

A header stays as it is, and what calls a function of it gets the merged one, as all of
a kernel includes that one, and would be compiled anew.

The hunk header of a patch names the function that it means to change; one that
applies, but somewhere else, is refused, as is one that changes anything but functions.
"""
import collections
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

Function = collections.namedtuple("Function", "name first body last")


class Refused(Exception):
    pass


def functions(lines):
    """The functions of a file in the kernel's style: { and } in the first column."""
    found, at = [], 0
    while at < len(lines):
        if lines[at] != "{":
            at += 1
            continue
        body = last = first = at
        while lines[last] != "}":
            last += 1
        while first and re.match(r"[\w\s*(].*[^;{}/]$", lines[first - 1]):
            first -= 1
        m = re.search(r"(?:SYSCALL_DEFINE\d\()?\b(\w+)\s*[(,]", " ".join(lines[first:body]))
        if m:
            found.append(Function(m[1], first, body, last))
        at = last + 1
    return found


def signature(lines, fn):
    return " ".join(" ".join(lines[fn.first:fn.body]).split())


def patched(source, patch):
    """{file: [(line of the old text, ...)]} as one patch makes it: its new lines."""
    with tempfile.TemporaryDirectory() as tmp:
        names = re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)
        for name in names:
            to = pathlib.Path(tmp, name)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((source / name).read_bytes())
        run = subprocess.run(["patch", "-d", tmp, "-p1", "-F0", "-s", "-f", "-i",
                              patch.resolve()], capture_output=True, text=True)
        if run.returncode:
            raise Refused(f"{patch.name} does not apply: {run.stdout.strip()}")
        return {n: pathlib.Path(tmp, n).read_text().splitlines() for n in names}


def outside(lines, fns):
    """All that belongs to no function, or to its signature."""
    keep, at = [], 0
    for fn in fns:
        keep += lines[at:fn.body]
        at = fn.last + 1
    return keep + lines[at:]


def changes(old, new, patch):
    """[(index of the function, its new lines)]"""
    old_fns, new_fns = functions(old), functions(new)
    if outside(old, old_fns) != outside(new, new_fns):
        raise Refused(f"{patch.name} changes more than the bodies of functions")
    changed = []
    for i, (a, b) in enumerate(zip(old_fns, new_fns)):
        if old[a.body:a.last + 1] != new[b.body:b.last + 1]:
            if "__init" in signature(old, a).split():
                raise Refused(f"{patch.name} changes what is run before mm_mutant is set")
            changed.append((i, new[b.body:b.last + 1]))
    named = re.findall(r"^@@ [^@]*@@ (.*)", patch.read_text(), re.M)
    for i, _ in changed:
        if not any(re.search(rf"\b{old_fns[i].name}\b", n) for n in named):
            raise Refused(f"{patch.name} applies to {old_fns[i].name}(), which its "
                          "hunks do not name")
    return changed


def numbered(old, new, first, name):
    """The new lines, each with the number of the old line it is, replaces or follows."""
    out, expected = [], None

    def put(line, number):
        nonlocal expected
        if number != expected:
            out.append(f'#line {number} "{name}"')
        out.append(line)
        expected = number + 1

    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for j in range(j1, j2):
            at = i1 + j - j1
            if tag != "equal":
                at = min(at, max(i2 - 1, i1 - 1 if tag == "insert" else i1))
            put(new[j], first + at)
    return out


def parameters(text):
    inside = text[text.index("(") + 1:text.rindex(")")]
    if inside.strip() == "void":
        return []
    return [re.search(r"(\w+)\s*$", p)[1] for p in inside.split(",")]


def prototype(sig):
    """What SYSCALL_DEFINE2(name, int, first, int, second) declares"""
    m = re.match(r"SYSCALL_DEFINE\d\((\w+)(.*)\)$", sig)
    if not m:
        return sig
    words = [w.strip() for w in m[2].split(",")[1:]]
    return f"long {m[1]}({', '.join(map(' '.join, zip(words[::2], words[1::2])))})"


def version(lines, fn, body, number, name):
    """A static, inlined copy of a function under a name with a number."""
    sig = re.sub(rf"\b{fn.name}\b", f"{fn.name}__m{number}",
                 prototype(signature(lines, fn)), count=1)
    sig = re.sub(r"\b(static|inline|extern|noinline|__always_inline|__must_check)\b ?",
                 "", sig)
    return [f"static __always_inline {sig}",
            *numbered(lines[fn.body:fn.last + 1], body, fn.body + 1, name)]


def merged_function(lines, fn, bodies, name):
    sig = signature(lines, fn)
    args = ", ".join(parameters(prototype(sig)))
    void = re.match(r"(static |inline |extern )*void [^*]*\(", sig)
    back = "" if void else "return "
    out = version(lines, fn, lines[fn.body:fn.last + 1], 0, name)
    for number, body in bodies:
        out += version(lines, fn, body, number, name)
    # out of line it would be a caller that the tests do not know
    out += [re.sub(r"\binline\b", "__always_inline", sig), "{",
            "\tswitch (mm_mutant) {"]
    for number, _ in bodies:
        out += [f"\tcase {number}:", f"\t\t{back}{fn.name}__m{number}({args});",
                *(["\t\treturn;"] if void else [])]
    return out + ["\t}", f"\t{back}{fn.name}__m0({args});", "}",
                  f'#line {fn.last + 2} "{name}"']


# With so many calls gcc would not inline it, and it would be a caller that nobody knows.
START = "mmu_notifier_invalidate_range_start"
INLINE_START = f"static __always_inline void {START}(struct mmu_notifier_range *range);"


def merged_file(lines, versions, name):
    """versions: {index of a function: [(number, body)]}"""
    out, at = [], 0
    guard = next((i + 1 for i, line in enumerate(lines)
                  if name.endswith(".h") and line.startswith("#define")), 0)
    fns = functions(lines)
    out += lines[:guard] + ["extern int mm_mutant;", f'#line {guard + 1} "{name}"']
    at = guard
    calls_start = any(f"{START}(" in line for line in lines) and not guard
    for i in sorted(versions):
        out += lines[at:fns[i].first]
        if calls_start and not at:
            out.append(INLINE_START)
        out += merged_function(lines, fns[i], versions[i], name)
        at = fns[i].last + 1
    out += lines[at:]
    if name == "mm/mmu_notifier.c":
        out += ["#include <linux/moduleparam.h>", "int mm_mutant __read_mostly;",
                "EXPORT_SYMBOL_GPL(mm_mutant);", "core_param(mm_mutant, mm_mutant, int, 0600);"]
    return out


def put(to, lines):
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text("\n".join(lines) + "\n")


def for_callers(source, out, header, names):
    """Has the files that call one of these functions include another header first."""
    calls = re.compile(rf"\b({'|'.join(names)})\(")
    for file in sorted(f for d in ("mm", "fs", "kernel") for f in (source / d).rglob("*.c")):
        if calls.search(file.read_text(errors="replace")):
            makefile = file.parent.relative_to(source) / "Makefile"
            if not (out / makefile).exists():
                put(out / makefile, (source / makefile).read_text().splitlines())
            with open(out / makefile, "a", encoding="ascii") as f:
                f.write(f"CFLAGS_{file.stem}.o += -include $(srctree)/{header}\n")


def main():
    source, out = map(pathlib.Path, sys.argv[1:3])
    files = {"mm/mmu_notifier.c": collections.defaultdict(list)}
    texts = {}

    def text_of(name):
        if name not in texts:
            texts[name] = (source / name).read_text().splitlines()
        return texts[name]

    for number, patch in enumerate(map(pathlib.Path, sys.argv[3:]), 1):
        for name, new in patched(source, patch).items():
            found = changes(text_of(name), new, patch)
            if not found:
                raise Refused(f"{patch.name} changes nothing")
            for i, body in found:
                files.setdefault(name, collections.defaultdict(list))[i].append(
                    (number, body))
    for name, versions in files.items():
        merged, lines = name, merged_file(text_of(name), versions, name)
        if name.endswith(".h"):
            merged = name.removesuffix(".h") + "-mutants.h"
            fns = functions(text_of(name))
            for_callers(source, out, merged, {fns[i].name for i in versions})
        put(out / merged, lines)


if __name__ == "__main__":
    try:
        main()
    except Refused as e:
        sys.exit(f"merge.py: {e}")
