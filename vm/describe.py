#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""describe.py RESULTS --kernel DIR --out DIR --job DIR [KEY=VALUE...]

Writes into RESULTS all that the judge needs beside the logs, before the guest boots:

  expected       what is to run, a test a line: a copy of that of the job
  programs.json  of each program in there: "tests", all that it holds; "selects", whether
                 its harness can run some of them; "strings", what it can say
  meta.json      "kernel", "base", "origin" of what kernel.sh made; "selected", whether
                 that is less than all tests; "warn_sites", {site: [first line, last
                 line]} in its mm/mmu_notifier.c; "known_bugs", the subjects of the
                 fixes of its base, none if they are in; and each KEY with its VALUE,
                 a string: "spec", "arch", "accel", "suite", "qemu"

--kernel is what kernel.sh prints, --out what build.sh made, --job what goes to the
guest; CROSS_COMPILE as for build.sh.  The judge reads these files with given.py.
"""
import argparse
import email.parser
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent)) # PYTHONSAFEPATH
import files  # noqa: E402
import klog  # noqa: E402
import tests  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent
SITE_NAMES = dict(zip(("INTERVAL_RELEASE", "INTERVAL", "HLIST", "HLIST_END"), klog.SITES))


def warn_sites(source: pathlib.Path) -> dict[str, list[int]]:
    """A site that the source has more than once has more than one pair of lines."""
    out = subprocess.run([TOP / "lib/core/warn-sites.sh", source], check=True,
                         capture_output=True, text=True).stdout
    sites: dict[str, list[int]] = {}
    for name, first, last in re.findall(r"\{ RULE_SITE_(\w+), (\d+), (\d+) \}", out):
        sites.setdefault(SITE_NAMES[name], []).extend((int(first), int(last)))
    return sites


def known_bugs(base: str, spec: str) -> list[str]:
    """The subjects of the patches that change mm/."""
    series = TOP / "kernel-patches" / base
    bugs = []
    for line in (series / "series").read_text().splitlines():
        name = line.partition("#")[0].strip()
        if not name or spec.endswith("+fixes"):
            continue
        patch = (series / name).read_text()
        subject = email.parser.HeaderParser().parsestr(patch)["Subject"]
        if re.search(r"^\+\+\+ b/mm/", patch, re.M):
            bugs.append(re.sub(r"^\[PATCH[^]]*\]\s*", "", " ".join(subject.split())))
    return bugs


def programs(out: pathlib.Path, expected: list[str]) -> dict[str, dict]:
    # what any static program can say, is nothing that a test does
    common = set().union(*(tests.strings(p) for p in (out / "bin").iterdir()))
    found = {}
    for name in dict.fromkeys(test.partition(":")[0] for test in expected):
        path = out / "tests" / name
        found[name] = {"tests": tests.names(path), "selects": tests.can_select(path),
                       "strings": sorted(tests.strings(path) - common)}
    return found


def meta(kernel: pathlib.Path, told: dict[str, str], selected: bool) -> dict:
    def of_kernel(name: str) -> str: # origin is not in each; the others may be links
        path = kernel / name
        return path.read_text(errors="replace").strip() if path.exists() else ""

    return {"kernel": of_kernel("release"), "origin": of_kernel("origin"),
            "base": of_kernel("base"), **told, "selected": selected,
            "warn_sites": warn_sites(kernel / "src"),
            "known_bugs": known_bugs(of_kernel("base"), told.get("spec", ""))}


def describe(results: pathlib.Path, kernel: pathlib.Path, out: pathlib.Path,
             job: pathlib.Path, told: dict[str, str]) -> None:
    text = (job / "expected").read_text()
    held = {p.name: tests.names(p) for p in (out / "tests").iterdir()}
    selected = len(text.split()) < sum(map(len, held.values()))
    files.write_text(results / "expected", text)
    files.write_json(results / "programs.json", programs(out, text.split()))
    files.write_json(results / "meta.json", meta(kernel, told, selected))


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("results", type=pathlib.Path)
    for what in ("kernel", "out", "job"):
        p.add_argument(f"--{what}", type=pathlib.Path, required=True)
    p.add_argument("told", nargs="*", metavar="KEY=VALUE")
    opt = p.parse_intermixed_args()
    told = dict(pair.split("=", 1) for pair in opt.told)
    try:
        describe(opt.results, opt.kernel, opt.out, opt.job, told)
    except OSError as e:
        print(f"describe.py: {e.filename}: {e.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
