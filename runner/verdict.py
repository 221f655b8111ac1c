# SPDX-License-Identifier: GPL-2.0
"""What the judge reads, all of it in the results, so that a run can be judged anywhere;
and the judge's verdict."""
from runner import VM, host, kernel, results
from runner.errors import FAIL, NOTHING, OURS, PASS, Interrupted, OurFault
from runner.job import Job
from runner.options import Options

VERDICTS = {PASS: ("pass",), FAIL: ("fail",), NOTHING: ("fail", "nothing")}


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


def check(code: int, by: str, to: results.Results) -> int:
    """code, if what wrote the summary came to its end, and says the same."""
    said = to.read_summary()
    if code in VERDICTS and "tests" in said and said.get("verdict") in VERDICTS[code]:
        return code
    reason = f"{by} failed (exit code {code})"
    to.put_off("error", reason)
    raise OurFault(reason)


def judge(opt: Options, machine: host.Host, to: results.Results) -> int:
    """The exit code of the run."""
    to.check_room()
    code = machine.run(*host.PYTHON, VM / "judge.py", *(["--strict"] if opt.strict else []),
                       *(["--verbose"] if opt.verbose else []), to.directory)
    return check(code, "judge.py", to)


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
