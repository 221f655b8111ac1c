# SPDX-License-Identifier: GPL-2.0
"""What the judge reads, all of it in the results, so that a run can be judged anywhere;
and the judge's verdict."""
import re

from runner import VM, host, kernel, results
from runner.errors import FAIL, NOTHING, OURS, PASS, Interrupted, OurFault
from runner.job import Job
from runner.options import Options

VERDICTS = {PASS: ("pass",), FAIL: ("fail",), NOTHING: ("fail", "nothing")}
# what init says of a module
NO_DEVICE = re.compile(r"^# hmm_notifier: could not load test_hmm\.ko", re.M)


def describe(opt: Options, machine: host.Host, tested: kernel.Kernel,
             built: kernel.Built, job: Job, accel: str, to: results.Results) -> None:
    """The one place in which the judge's inputs are written."""
    told = {"spec": opt.kernel, "arch": opt.machine, "accel": accel,
            "suite": machine.describe_suite(),
            "qemu": machine.version_of(f"qemu-system-{opt.machine}")}
    code = machine.run(*host.PYTHON, VM / "describe.py", to.directory,
                       "--kernel", tested.directory, "--out", built.directory,
                       "--job", job.directory,
                       *(f"{key}={value}" for key, value in told.items()))
    if code:
        raise OurFault(f"describe.py failed (exit code {code})")


def why_no_device(to: results.Results) -> str:
    """The lines in which the guest says so."""
    try:
        log = (to.directory / "ktap.log").read_text(errors="replace")
    except OSError:
        return ""
    found = NO_DEVICE.search(log)
    if not found:
        return ""
    before = log[:found.start()].splitlines()[-1:]
    said = [line for line in before if "insmod" in line]
    return "the guest could not load test_hmm.ko" + "".join(f": {line}" for line in said)


def check(code: int, by: str, to: results.Results) -> int:
    """code, if what wrote the summary came to its end, and says the same."""
    said = to.read_summary()
    if code in VERDICTS and "tests" in said and said.get("verdict") in VERDICTS[code]:
        return code
    reason = f"{by} failed (exit code {code})"
    to.put_off("error", reason)
    raise OurFault(reason)


def judge(opt: Options, machine: host.Host, to: results.Results) -> int:
    """The exit code of the run. Without the device nothing was tested."""
    to.check_room()
    absent = why_no_device(to)
    code = machine.run(*host.PYTHON, VM / "judge.py", *(["--strict"] if opt.strict else []),
                       *(["--verbose"] if opt.verbose else []), to.directory)
    check(code, "judge.py", to)
    if not absent:
        return code
    summary = to.read_summary()
    results.write_json(to.summary, {**summary, "verdict": "nothing", "reason": absent})
    host.complain(f"nothing was tested: {absent}")
    return NOTHING


def panic_on_warn(opt: Options, machine: host.Host, tested: kernel.Kernel,
                  built: kernel.Built, job: Job, accel: str, started: float,
                  to: results.Results) -> int:
    code = machine.run(
        *host.PYTHON, VM / "panic.py", "--out", built.directory, "--job", job.directory,
        "--results", to.directory, "--kernel", tested.image, "--accel", accel,
        "--arch", opt.machine, "--timeout", str(job.total), "--started", str(started),
        *(["--strict"] if opt.strict else []))
    if code == Interrupted.code:
        raise Interrupted
    if code == OURS:
        raise OurFault("panic.py failed")
    return check(code, "panic.py", to)
