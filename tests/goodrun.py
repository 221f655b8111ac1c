# SPDX-License-Identifier: GPL-2.0
"""The results of a good run, made up: what the guest prints, as it prints it, of one
small program or of some large ones.  Tests break it."""
import json
import pathlib

SITES = {"release": [283, 283], "interval": [444, 444], "hlist": [487, 488],
         "range_end": [495, 495]}
BUG = "mm/x: the fix"
BOOT = {"ended": "power-off", "detail": "", "seconds": 1.5, "wall_s": 2.5,
        "times": {"first": 0.5, "done": 1.25}}
WARN = "WARNING: CPU: 0 PID: 1 at mm/mmu_notifier.c:487 __mmu_notifier+0x1/0x2"


def ktap(programs: dict[str, dict[str, str]]) -> list[str]:
    """Of {program: {test: what stands behind its name}}"""
    lines = ["KTAP version 1", f"1..{len(programs)}", "# hmm_notifier: guest 6.12 x86_64"]
    for n, (program, tests) in enumerate(programs.items(), 1):
        nr = len(tests)
        lines += [f"# hmm_notifier: program {program}", "# TAP version 13", f"# 1..{nr}",
                  f"# # Starting {nr} tests from 2 test cases."]
        for k, (name, rest) in enumerate(tests.items(), 1):
            lines += [f"# #  RUN           {name} ...", f"# #            OK  {name}",
                      f"# ok {k} {name}{rest}"]
        skip, xfail = (sum(f"# {d} " in rest for rest in tests.values())
                       for d in ("SKIP", "XFAIL"))
        lines += [f"# # PASSED: {nr} / {nr} tests passed.",
                  f"# # Totals: pass:{nr - skip - xfail} fail:0 xfail:{xfail} xpass:0 "
                  f"skip:{skip} error:0",
                  f"# hmm_notifier: exit {program} 0", f"ok {n} selftests: mm: {program}"]
    return lines + [f"# hmm_notifier: done {len(programs)}"]


def account(**warns: int) -> str:
    return "hmm_notifier: accounted " + " ".join(
        f"{site}={warns.get(site, 0)}" for site in SITES)


def kmsg(tests: dict[str, str]) -> list[tuple[int, str]]:
    """(priority, text): 6 is the kernel, 12 is what a program writes. Of {test: what
    stands behind its name in the KTAP}"""
    records = [(6, "Linux version 6.12"), (6, "Run /init as init process")]
    for name, rest in tests.items():
        records += [(12, f"hmm_notifier: begin {name}"), (4, WARN),
                    (4, "Modules linked in:"), (12, account(hlist=1))]
        if rest:
            records.append((12, f"hmm_notifier: result {rest.split(maxsplit=2)[2]}"))
        records.append((12, f"hmm_notifier: end {name}"))
    return records


def kmsg_lines(records, numbers=None, end_line=True) -> list[str]:
    lines = [f"{prio},{n},{n}000,-;{text}"
             for n, (prio, text) in zip(numbers or range(len(records)), records)]
    return lines + [f"end of log, {len(lines)} records"] * end_line


def describe(programs: dict[str, dict[str, str]], selects: bool = True) -> dict[str, str]:
    """The files that describe.py writes."""
    strings = ["no CONFIG_THIS", "no device here", f"known bug: {BUG}"]
    info = {p: {"tests": list(tests), "selects": selects, "strings": strings}
            for p, tests in programs.items()}
    meta = {"kernel": "6.12", "selected": False, "warn_sites": SITES, "known_bugs": [BUG]}
    return {"expected": "".join(f"{p}:{t}\n" for p, tests in programs.items()
                                for t in tests),
            "programs.json": json.dumps(info), "meta.json": json.dumps(meta)}


def large(where: pathlib.Path) -> None:
    """A run of four programs, whole"""
    rests = ["", "", f" # XFAIL known bug: {BUG}", " # SKIP no CONFIG_THIS", ""]
    programs = {f"hmm_notifier_{p}": {f"{p}.v{i}.holds": rests[i % 5] for i in range(nr)}
                for p, nr in (("contract", 40), ("device", 10), ("errno", 3),
                              ("some_fail", 7))}
    begun = {f"{p}:{t}": rest for p, tests in programs.items()
             for t, rest in tests.items() if "SKIP" not in rest}
    files = {"ktap.log": "\n".join(ktap(programs)) + "\n",
             "kmsg.log": "\n".join(kmsg_lines(kmsg(begun))) + "\n",
             "boot.json": json.dumps(BOOT), **describe(programs)}
    for name, text in files.items():
        (where / name).write_text(text)
