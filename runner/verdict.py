# SPDX-License-Identifier: GPL-2.0
"""The verdict of a run: the judge's, who is a program of its own and reads the results
alone, so that a run can be judged anywhere."""
from runner import TOP, host, results
from runner.errors import FAIL, NOTHING, PASS, OurFault
from runner.options import Options

VERDICTS = {PASS: ("pass",), FAIL: ("fail",), NOTHING: ("fail", "nothing")}


def check(code: int, to: results.Results) -> int:
    """The exit code, if the judge came to its end and its summary agrees."""
    said = to.read_summary()
    if code in VERDICTS and "tests" in said and said.get("verdict") in VERDICTS[code]:
        return code
    reason = f"the judge failed (exit code {code})"
    to.put_off("error", reason)
    raise OurFault(reason)


def judge(opt: Options, machine: host.Host, to: results.Results) -> int:
    """The exit code of the run."""
    to.check_room()
    code = machine.run(*host.PYTHON, TOP / "runner", "judge",
                       *(["--strict"] if opt.strict else []),
                       *(["--verbose"] if opt.verbose else []), to.directory)
    return check(code, to)
