# SPDX-License-Identifier: GPL-2.0
"""make lava-local [ARGS=...]: what run_tests.sh does, with LAVA's own dispatcher in the
place of boot.py, and no server.

LAVA's test cases are compared with what the judge says of the same run, test by test: the
exit code is the judge's only when they agree.
"""
from __future__ import annotations

import os
import pathlib
import shutil
import sys
import time

from ci.lava import job, told
from runner import host, main, results
from runner.errors import FAIL, BadHost, OurFault, writing
from runner.run import Run


class LavaRun(Run):
    """A run whose guest LAVA boots and watches."""
    lines: list[told.Line] = []

    def boot(self, to: results.Results, tmp: pathlib.Path) -> str:
        if os.geteuid():
            raise BadHost("lava-run wants to be root")
        self.testbed.describe(self.job, to.directory)
        with writing(to.directory):
            code, seconds = self.lava_run(to.directory, tmp)
        self.lines = told.read_log(to.directory / "lava.log")
        if not (to.directory / "ktap.log").exists():  # QEMU begins with it
            raise OurFault(f"lava-run exited with {code}: {told.last_words(self.lines)}; see "
                           f"{to.directory}/lava.log")
        (to.directory / "console.log").write_text(
            "".join(f"{line}\n" for line in told.console(self.lines)))
        how, detail = told.how_it_ended(self.lines, to.directory)
        results.write_json(to.directory / "boot.json", {
            "ended": how, "detail": detail, "seconds": seconds,
            "wall_s": round(time.time() - self.started, 2), "times": {}})
        return how

    def lava_run(self, to: pathlib.Path, tmp: pathlib.Path) -> tuple[int, float]:
        """(exit code, seconds)"""
        command, options = job.write(self.testbed, self.job, to, tmp, self.opt.append)
        device = job.render("device.yaml", to, arch=self.testbed.arch, command=command,
                            options=options)
        dispatcher = to / "dispatcher.yaml"
        dispatcher.write_text("dispatcher_ip: 127.0.0.1\n")  # there may be no other
        began = time.monotonic()
        host.say("running it as a job of LAVA")
        number = str(os.getpid())
        try:
            code = self.machine.logged(
                to / "lava.log", "lava-run", "--job-id", number, "--output-dir", to / "lava",
                "--device", device, "--dispatcher", dispatcher, to / "job.yaml")
        finally:
            shutil.rmtree(f"/var/lib/lava/dispatcher/tmp/{number}", ignore_errors=True)
        return code, round(time.monotonic() - began, 2)

    def test(self, to: results.Results, tmp: pathlib.Path) -> int:
        code = super().test(to, tmp)
        lava = list(told.cases(self.lines).values())
        differ = told.differences(to.read_summary().get("tests", []), self.lines,
                                  told.beside(to.directory))
        for line in differ:
            host.say(f"LAVA differs: {line}")
        host.say(f"LAVA: {len(lava)} test cases, {lava.count('fail')} failed; {len(differ)} "
                 "differences to the judge")
        return code or (FAIL if differ else code)


if __name__ == "__main__":
    sys.exit(main.main(sys.argv[1:], LavaRun))
