# SPDX-License-Identifier: GPL-2.0
"""make lava-local [ARGS=...]: what run_tests.sh does, with LAVA's own dispatcher in the
place of boot.py, and no server.

LAVA's test cases are compared with what the judge says of the same run, test by test: the
exit code is the judge's only when they agree.
"""
from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import sys
import time
import typing

import jinja2

from runner import host, initrd, main, qemu, results
from runner.errors import FAIL, BadHost, OurFault, writing
from runner.page import is_test
from runner.run import Run

HERE = pathlib.Path(__file__).resolve().parent
SAYS = {"pass": "pass", "known_bug": "pass", "skip": "skip", "fail": "fail"}
# LAVA waits for the end of what the kernel says; all of its log goes to the judge anyway.
APPEND = "hmm_notifier=lava panic=0 panic_print=0"
BOOT = 120  # seconds until the guest has to say its first word
Line = typing.Dict[str, typing.Any]


def render(template: str, to: pathlib.Path, **values: object) -> pathlib.Path:
    text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        (HERE / f"{template}.j2").read_text()).render(values)
    (to / template).write_text(text + "\n")
    return to / template


def read_log(log: pathlib.Path) -> list[Line]:
    """What lava-run says is a YAML document a line."""
    import yaml  # type: ignore  # LAVA brings it
    lines = [yaml.safe_load(line) for line in log.read_text(errors="replace").splitlines()]
    return [line for line in lines if isinstance(line, dict)]


def cases(lines: list[Line]) -> dict[str, str]:
    """{test: result}; one that came twice is no result of anything"""
    found: dict[str, str] = {}
    for line in lines:
        said = line["msg"] if line["lvl"] == "results" else {}
        if said.get("definition") == "hmm-notifier":
            name = said["extra"]["test_case_id"]
            found[name] = "twice" if name in found else said["result"]
    return found


def is_broken(lines: list[Line]) -> bool:
    """Whether LAVA itself says that the run has not come to its end"""
    said = [line["msg"] for line in lines if line["lvl"] == "results"]
    return any(r["result"] == "fail" and (r["case"].startswith("panic_") or r["case"] == "job")
               for r in said)


def differences(judged: list[Line], lines: list[Line]) -> list[str]:
    """What LAVA has otherwise than the judge, for whom each test has a result: those that
    had none when the run broke off have failed."""
    lava, absent = cases(lines), "fail" if is_broken(lines) else "absent"
    tests = {test["name"]: SAYS[test["result"]] for test in judged if is_test(test["name"])}
    return [f"{name}: {said}, and {lava.get(name, absent)} in LAVA"
            for name, said in tests.items() if lava.get(name, absent) != said] + \
        [f"{name}: no test of this run, and a case in LAVA"
         for name in lava if is_test(name) and name not in tests]


class LavaRun(Run):
    """A run whose guest LAVA boots and watches."""
    lines: list[Line] = []

    def boot(self, to: results.Results, tmp: pathlib.Path) -> str:
        if os.geteuid():
            raise BadHost("lava-run wants to be root")
        self.testbed.describe(self.job, to.directory)
        with writing(to.directory):
            code, seconds = self.lava_run(to.directory, tmp)
        self.lines = read_log(to.directory / "lava.log")
        if not (to.directory / "ktap.log").exists():  # QEMU begins with it
            raise OurFault(f"lava-run exited with {code}: {self.last_words()}; see "
                           f"{to.directory}/lava.log")
        how, detail = self.how_it_ended(to.directory)
        results.write_json(to.directory / "boot.json", {
            "ended": how, "detail": detail, "seconds": seconds,
            "wall_s": round(time.time() - self.started, 2), "times": {}})
        return how

    def lava_run(self, to: pathlib.Path, tmp: pathlib.Path) -> tuple[int, float]:
        """(exit code, seconds)"""
        bed, initramfs = self.testbed, tmp / "initramfs.cpio"
        initrd.pack_job(self.job.directory, to / "job.cpio")
        initrd.join([bed.built.initramfs, to / "job.cpio"], initramfs)
        cmd = qemu.command(bed.arch, bed.accel, bed.kernel.image, initramfs, to / "console",
                           [(n, to / f"{n}.log") for n in ("ktap", "kmsg")],
                           f"{self.opt.append} {APPEND}")
        *options, _, _, _, _, _, append = cmd[1:]
        console = next(i for i, w in enumerate(options) if w.startswith("file,id=console,"))
        options[console] = "stdio,id=console,signal=off"
        device = render("device.yaml", to, arch=bed.arch, command=cmd[0],
                        options=[shlex.quote(word) for word in options])
        job = render(
            "job.yaml", to, name=f"hmm-notifier {bed.kernel.release}"[:200], arch=bed.arch,
            kernel=f"file://{bed.kernel.image.resolve()}", initrd=f"file://{initramfs}",
            kernel_arg=f"-kernel {{kernel}} -append {shlex.quote(append)}",
            timeout=self.job.total + BOOT, boot=BOOT)
        dispatcher = to / "dispatcher.yaml"
        dispatcher.write_text("dispatcher_ip: 127.0.0.1\n")  # there may be no other
        began = time.monotonic()
        host.say("running it as a job of LAVA")
        number = str(os.getpid())
        try:
            code = self.machine.logged(
                to / "lava.log", "lava-run", "--job-id", number, "--output-dir", to / "lava",
                "--device", device, "--dispatcher", dispatcher, job)
        finally:
            shutil.rmtree(f"/var/lib/lava/dispatcher/tmp/{number}", ignore_errors=True)
        return code, round(time.monotonic() - began, 2)

    def how_it_ended(self, to: pathlib.Path) -> tuple[str, str]:
        """As boot.py says it"""
        said = [str(line["msg"]) for line in self.lines if line["lvl"] == "target"]
        (to / "console.log").write_text("".join(f"{line}\n" for line in said))
        panic = [line for line in said if "Kernel panic" in line]
        if panic:
            return "panic", panic[0][panic[0].index("Kernel panic"):].strip()
        ktap = to / "ktap.log"
        if ktap.exists() and "\n# hmm_notifier: done " in ktap.read_text(errors="replace"):
            return "power-off", ""
        return "early-end", self.last_words()

    def last_words(self) -> str:
        last = self.lines[-1]["msg"] if self.lines else "nothing"
        return " ".join(str(last.get("error_msg") if isinstance(last, dict) else last).split())

    def test(self, to: results.Results, tmp: pathlib.Path) -> int:
        code = super().test(to, tmp)
        lava = list(cases(self.lines).values())
        differ = differences(to.read_summary().get("tests", []), self.lines)
        for line in differ:
            host.say(f"LAVA differs: {line}")
        host.say(f"LAVA: {len(lava)} test cases, {lava.count('fail')} failed; {len(differ)} "
                 "differences to the judge")
        return code or (FAIL if differ else code)


if __name__ == "__main__":
    sys.exit(main.main(sys.argv[1:], LavaRun))
