#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""panic.py - what CI systems rely on: panic_on_warn, and each detector by itself.

Boots, one after the other, each into a directory of its own in the results:
  legal         with panic_on_warn: all tests, of which the illegal cases skip; it
                must survive, without one WARN
  panic-CLASS   with panic_on_warn: one illegal failure; it must panic right there
  alone-CLASS   without: the same, seen by each detector; the taint flag is never
                cleared, so that takes a boot for each
Makes of it one report, and detectors.txt: who saw what. Exits as judge.py does, and
2 or 130 when a boot could not be started or was interrupted.
"""
import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent)) # PYTHONSAFEPATH
import files  # noqa: E402
import judge  # noqa: E402
import klog  # noqa: E402
import report  # noqa: E402
import tests as programs  # noqa: E402

VM = pathlib.Path(__file__).resolve().parent
PROGRAM = "hmm_notifier_detectors"
DETECTORS = ("warn_count", "tracepoint", "taint", "console")
DUE = re.compile(r"hmm_notifier: WARN due at (\S+):(\d+)-(\d+)")
PANIC = re.compile(r"Kernel panic - not syncing: .*panic_on_warn set")


class GaveUp(Exception):
    pass


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--strict", action="store_true")
    p.add_argument("--out", required=True, type=pathlib.Path, help="of build.sh")
    p.add_argument("--job", required=True, type=pathlib.Path, help="the legal boot's")
    p.add_argument("--results", required=True, type=pathlib.Path)
    p.add_argument("--kernel", required=True)
    p.add_argument("--accel", required=True)
    p.add_argument("--arch", required=True)
    p.add_argument("--timeout", required=True)
    p.add_argument("--started", type=float, default=time.time())
    return p.parse_args()


def find_classes(out):
    """The variants of the detectors' tests are DETECTOR_sees_CLASS."""
    found = re.findall(r"detector\.console_sees_(\w+)\.",
                       "\n".join(programs.names(str(out / "tests" / PROGRAM))))
    return sorted(found)


class Boots:
    def __init__(self, opt):
        self.opt, self.child = opt, None
        self.env = (opt.job / "env").read_text()
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, signal.default_int_handler)

    def job(self, directory, tests, expected, env):
        directory.mkdir()
        (directory / "tests").write_text(tests)
        (directory / "expected").write_text(expected)
        (directory / "env").write_text(self.env + env)

    def boot(self, name, tests, expected, append="", env=""):
        """Returns the judge of it, who has the log and how it ended."""
        print(f"booting {name}", file=sys.stderr)
        where = self.opt.results / name
        where.mkdir()
        for name in ("meta.json", "programs.json"):
            shutil.copy(self.opt.results / name, where)
        (where / "expected").write_text(expected)
        with tempfile.TemporaryDirectory(prefix="hmm-notifier-") as tmp:
            job = pathlib.Path(tmp) / "job"
            self.job(job, tests, expected, env)
            self.child = subprocess.Popen(
                [VM / "boot.py", "--kernel", self.opt.kernel,
                 "--initramfs", self.opt.out / "initramfs.cpio", "--job", job,
                 "--results", where, "--accel", self.opt.accel,
                 "--arch", self.opt.arch,
                 "--timeout", self.opt.timeout, "--append", append])
            code = self.child.wait()
        if code not in (0, 1):
            raise GaveUp(code)
        return judge.Judge(where)


def result(name, why, log=()):
    return {"name": name, "result": "fail" if why else "pass", "reason": why,
            "seconds": None, "log": list(log)}


def kernel_lines(path):
    """What the kernel itself logged, not what was written to /dev/kmsg."""
    for raw in files.read_lines(path):
        m = klog.RECORD.fullmatch(raw)
        if m and not int(m[1]) >> 3:
            yield klog.unescape(m[4])


def why_not_legal(run, tests):
    lines = list(kernel_lines(run.dir / "kmsg.log"))
    warns = [line for line in lines if line.startswith("WARNING: ")]
    if run.how_it_ended():
        return f"did not survive panic_on_warn: {run.how_it_ended()}"
    if not any("ommand line:" in line and "panic_on_warn=1" in line for line in lines):
        return "the kernel was not told panic_on_warn=1"
    if warns:
        return f"{len(warns)} WARNs, the first is {warns[0]}"
    if not any(t["result"] == "pass" for t in tests):
        return "no legal test passed"
    return ""


def why_no_panic(run):
    """The WARN that was due must be the first one, and the kernel's last word."""
    console = files.read_text(run.dir / "console.log", files.MAX_LOG)
    if run.boot.get("ended") != "panic":
        return f"survived with panic_on_warn: {run.boot.get('ended')}"
    if not PANIC.search(console):
        return f"panicked of something else: {run.boot.get('detail')}"
    log = max(console.split("Linux version "), key=len)  # all of it, printed at the end
    due = DUE.search(log)
    if not due:
        return "panicked before the failure was due"
    if klog.HEADER.search(log[:due.start()]):
        return "a WARN came before the one that was due"
    warns = klog.HEADER.findall(log[due.end():])
    if not warns:
        return "no WARN is on the console"
    if len(warns) > 1:
        return f"{len(warns)} WARNs, where one was to be the end"
    if warns[0][0] != due[1] or not int(due[2]) <= int(warns[0][1]) <= int(due[3]):
        return f"panicked at {':'.join(warns[0])}, not at {due[0].split()[-1]}"
    return ""


def table(classes, tests):
    """One line for each class, one column for each detector."""
    results = {t["name"]: t["result"] for t in tests}
    rows = [["", *DETECTORS, "panic_on_warn"]]
    for c in classes:
        seen = [results.get(f"{PROGRAM}:detector.{d}_sees_{c}.as_one", "-")
                for d in DETECTORS]
        seen.append(results.get(f"panic_on_warn:{c}.panics_at_its_warn", "-"))
        rows.append([c, *({"pass": "seen", "fail": "NOT SEEN"}.get(s, s) for s in seen)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() + "\n"
                   for row in rows)


def run_all(boots, classes):
    """(tests of all boots, the log of the legal one)"""
    job = boots.opt.job
    legal = boots.boot("legal", (job / "tests").read_text(),
                       (job / "expected").read_text(), "panic_on_warn=1")
    tests = legal.judge()
    tests.append(result("panic_on_warn:legal.survives", why_not_legal(legal, tests)))

    for c in classes:
        name = f"detector.console_sees_{c}.as_one"
        run = boots.boot(f"panic-{c}", f"{PROGRAM} -r {name}\n", f"{PROGRAM}:{name}\n",
                         "panic_on_warn=1", "export HMM_NOTIFIER_MAY_PANIC=1\n")
        tests.append(result(f"panic_on_warn:{c}.panics_at_its_warn", why_no_panic(run)))
    for c in classes:
        names = [f"detector.{d}_sees_{c}.as_one" for d in DETECTORS]
        run = boots.boot(f"alone-{c}", " ".join([PROGRAM, *(f"-r {n}" for n in names)]) + "\n",
                         "".join(f"{PROGRAM}:{n}\n" for n in names))
        new = run.judge()
        # in the legal boot they could only skip
        tests = [t for t in tests if t["name"] not in {n["name"] for n in new}] + new
    return tests, legal.log


def main():
    opt = options()
    out = report.Report(opt.results, opt.strict, False)
    classes = find_classes(opt.out)
    boots = Boots(opt)
    try:
        tests, log = run_all(boots, classes)
    except (GaveUp, KeyboardInterrupt) as e:
        if boots.child and boots.child.poll() is None:
            boots.child.terminate()
            boots.child.wait()
        return e.args[0] if isinstance(e, GaveUp) else 130
    failed = any(t["result"] == "fail" or
                 opt.strict and t["result"] == "known_bug" for t in tests)
    boot = {"ended": "power-off", "seconds": round(time.time() - opt.started, 2),
            "wall_s": round(time.time() - opt.started, 2)}
    text = table(classes, tests)
    files.write_text(opt.results / "detectors.txt", text)
    print(text, end="")
    meta = files.read_json(opt.results / "meta.json")
    out.finish(meta, boot, tests, log, "fail" if failed else "pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(judge.guarded(main))
