# SPDX-License-Identifier: GPL-2.0
"""Puts marks into preprocessed C, for the analyzer to see and for static/marks.h to say
what they mean:
  - a call of a function that may sleep becomes STATIC_SLEEPS(function)(...), or
    STATIC_GFP(function, flags)(...) if that depends on the flags that it is passed;
  - asm goto, at which the analyzer silently drops the path, becomes branches.
Line numbers stay."""
import dataclasses
import functools
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|[{}]|^#[^\n]*'
                   r'|(?<![\w.>])([A-Za-z_]\w*)\s*\(', re.M)
ASM = re.compile(r"\b(?:asm|__asm__|__asm)\s*(?:(?:volatile|__volatile__|inline|__inline|"
                 r"__inline__)\s*)*\bgoto\b\s*(?:volatile|inline)?\s*\(")
PIECE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|[()\[\]{},:]')
KEYWORDS = frozenset("if while for switch return sizeof typeof __typeof__ do else case "
                     "__attribute__ asm __asm__ _Static_assert".split())


# what a caller does with a range
RANGE = {"mmu_notifier_range_init": "STATIC_INIT",
         "mmu_notifier_range_init_owner": "STATIC_INIT_OWNER",
         "mmu_notifier_invalidate_range_start": "STATIC_START",
         "mmu_notifier_invalidate_range_start_nonblock": "STATIC_START_NONBLOCK",
         "mmu_notifier_invalidate_range_end": "STATIC_END",
         "mmu_notifier_invalidate_range_only_end": "STATIC_END"}


@functools.cache
def sleeping() -> frozenset[str]:
    text = (HERE / "sleeps").read_text()
    return frozenset(re.sub(r"#.*", "", text).split())


def parts(text: str, start: int, separator: str) -> tuple[list[str], int]:
    """What stands in parentheses from start on, cut at the separator; and where it ends"""
    depth, at = 1, start
    out: list[str] = []
    for m in PIECE.finditer(text, start):
        c = m[0]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if not depth:
                return [*out, text[at:m.start()]], m.end()
        elif c == separator and depth == 1:
            out.append(text[at:m.start()])
            at = m.end()
    raise ValueError("unbalanced parentheses")


def without_asm_goto(text: str) -> str:
    out: list[str] = []
    at = 0
    for m in ASM.finditer(text):
        if m.start() < at:
            continue
        sections, end = parts(text, m.end(), ":")
        labels = re.findall(r"\w+", sections[4]) if len(sections) > 4 else []
        asm = 'asm volatile(""' + "".join(f":{s}" for s in sections[1:4]) + ")"
        jumps = "".join(f" if (static_any()) goto {label};" for label in labels)
        new = f"do {{ {asm};{jumps} }} while (0)"
        lost = text.count("\n", m.start(), end) - new.count("\n")
        out += [text[at:m.start()], new, "\n" * lost]
        at = end
    return "".join([*out, text[at:]])


@dataclasses.dataclass
class Marked:
    text: str
    defined: set[str]  # the functions that have a body here


@dataclasses.dataclass
class _Names:
    calls: list[tuple[int, int, str]]
    defined: set[str]
    gfp: dict[str, int]  # which parameter is the gfp_t


def _file_scope(text: str, m: re.Match[str], names: _Names) -> None:
    """A declaration or a definition"""
    try:
        params, end = parts(text, m.end(), ",")
    except ValueError:
        return
    after = re.compile(r"[;{=]").search(text, end)
    if after and after[0] == "{":
        names.defined.add(m[1])
    for i, p in enumerate(params):
        if re.search(r"\bgfp_t\b", p) and "(" not in p:
            names.gfp[m[1]] = i


def _scan(text: str) -> _Names:
    names, depth = _Names([], set(), {}), 0
    for m in TOKEN.finditer(text):
        c = m[0]
        if c == "{":
            depth += 1
        elif c == "}":
            depth = max(0, depth - 1)
        elif m[1] and m[1] not in KEYWORDS:
            if depth:
                names.calls.append((m.start(1), m.end(), m[1]))
            else:
                _file_scope(text, m, names)
    return names


def mark(text: str) -> Marked:
    text = without_asm_goto(text)
    names = _scan(text)
    asleep = sleeping() - names.defined
    gfp = {f: i for f, i in names.gfp.items() if f not in names.defined and f not in asleep}
    out, at = [], 0
    for start, end, name in names.calls:
        if name in RANGE:
            new = RANGE[name]
        elif name in asleep:
            new = f"STATIC_SLEEPS({name})"
        elif name in gfp:
            args, _ = parts(text, end, ",")
            if len(args) <= gfp[name]:
                continue
            flags = " ".join(args[gfp[name]].split("\n"))
            new = f"STATIC_GFP({name}, ({flags}))" if "\n#" not in args[gfp[name]] else ""
        else:
            continue
        if new:
            out += [text[at:start], new]
            at = start + len(name)
    return Marked("".join([*out, text[at:]]), names.defined)
