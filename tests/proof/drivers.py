#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""drivers.py [--subject NAME] [SLIP...] - which slips of the kernel does a driver notice?

Three slips, a start that is missing, late or early, of each of five functions of Debian's
6.12: made by tests/subject/slip_start.c, so no kernel is built. Each has a guest of its own,
in which the driver is put under changes that get to that function, without test_hmm. On the
unmutated kernel these pass, before and after. A guest whose log does not say that the
slip was made tells nothing.

Exits 0 when each missing start was noticed, 1 when one was not, 2 when the campaign is void.
"""
import argparse
import dataclasses
import fnmatch
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import guest  # noqa: E402
from guest import TOP, Void, run  # noqa: E402
from runner import headline, judge, kernel, subject  # noqa: E402

MODULE = TOP / "tests/subject"
SLIPS = ("missing", "late", "early")


@dataclasses.dataclass
class Site:
    function: str
    caller: str     # how the name begins of what it is inlined in
    tests: tuple


SITES = (
    Site("unmap_vmas", "unmap_vmas", ("*.munmap.*", "*.map_fixed.*")),
    Site("zap_page_range_single", "zap_page_range_single", ("*.dontneed.*",)),
    Site("change_pmd_range", "change_p", ("*.mprotect.*", "protected.*")),
    # To the page after a fork, and to the zero page
    Site("wp_page_copy", "do_wp_page", ("*.cow_after_fork.*", "*.dontneed.*", "forked.*")),
    Site("try_to_migrate_one", "try_to_migrate_one", ("*.move_pages.*", "*.migrate_pages.*")),
)


def build(machine, tmp):
    """slip_start.ko for the default kernel"""
    shutil.copytree(MODULE, tmp / "slip_start")
    directory = kernel.get(machine, "debian:6.12").directory
    run("make", "-s", "-C", directory / "build", f"M={tmp / 'slip_start'}",
        "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules")
    return tmp / "slip_start/slip_start.ko"


def failed(opt, name, tests, *words):
    """[(test, why)] of those that failed, and whether the log says that the slip was made"""
    to = opt.results / name
    shutil.rmtree(to, ignore_errors=True)
    log = to.with_name(f"{name}.log")
    with open(log, "w", encoding="utf-8") as out:
        guest.subprocess.run(
            [TOP / "run_tests.sh", "--subject", opt.subject, "--kernel", "debian:6.12",
             "--results", to, *(w for t in tests for w in ("--test", t)), *words],
            stdout=out, stderr=out, check=False)
    try:
        judged = judge.Judge(to / "latest").judge()
        kmsg = (to / "latest/kmsg.log").read_text(errors="replace")
    except OSError as e:
        raise Void(f"{name}: {e}; see {log}") from e
    if not any(t["result"] in ("pass", "fail") for t in judged):
        raise Void(f"{name}: nothing was tested; see {log}")
    return [(t["name"].partition(":")[2] or t["name"], headline.cause(t, {}))
            for t in judged if t["result"] == "fail"], "slip_start: the start" in kmsg


def control(opt, name):
    """What passes on the kernel as it is"""
    tests = sorted({test for site in SITES for test in site.tests})
    for test, reason in failed(opt, name, tests)[0]:
        raise Void(f"the unmutated kernel fails: {test}: {reason}")


def run_all(opt, machine, tmp):
    chosen = [(f"{slip}-{site.function}", slip, site) for site in SITES for slip in SLIPS]
    chosen = [c for c in chosen
              if not opt.names or any(fnmatch.fnmatchcase(c[0], n) for n in opt.names)]
    if not chosen:
        raise Void(f"there is no slip {' '.join(opt.names)}")
    opt.results.mkdir(parents=True, exist_ok=True)
    module, rows = build(machine, tmp), {}
    control(opt, "before")
    for name, slip, site in chosen:
        by, was_made = failed(opt, name, site.tests, "--module",
                              f"{module} caller={site.caller} slip={slip}")
        if not was_made:
            raise Void(f"{name} was not made: nothing got to {site.caller}()")
        rows[name] = by
        print(f"{name:30} {'noticed' if by else 'not noticed'}", flush=True)
        for test, reason in by:
            print(f"    {test:44} {reason}", flush=True)
    control(opt, "after")
    (opt.results / "table.json").write_text(json.dumps(rows, indent=1))
    print(f"{opt.subject} notices {sum(map(bool, rows.values()))} of {len(rows)} slips")
    return int(any(not by for name, by in rows.items() if name.startswith("missing-")))


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--subject", default="kvm", choices=subject.KNOWN)
    p.add_argument("--results", type=pathlib.Path, default=TOP / "results/drivers")
    p.add_argument("names", nargs="*", metavar="SLIP", help="these, as in 'early-*'")
    return p.parse_args()


def main():
    opt = options()
    return guest.main(lambda machine, tmp: run_all(opt, machine, tmp))


if __name__ == "__main__":
    sys.exit(main())
