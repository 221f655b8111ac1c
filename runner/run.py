# SPDX-License-Identifier: GPL-2.0
"""A run from its start to its end."""
import pathlib
import shutil
import time
import typing

from runner import accel, boot, host, job, kernel, results, verdict, workdir
from runner.errors import FAIL, PASS, SKIP_COMMIT, writing
from runner.options import Options


class Run:
    def __init__(self, opt: Options):
        self.opt, self.started, self.machine = opt, time.time(), host.Host()
        self.results: typing.Optional[results.Results] = None
        self.kvm: typing.Optional[accel.Kvm] = None
        if opt.cross:
            self.machine.env.update(ARCH=opt.cross, CROSS_COMPILE="aarch64-linux-gnu-")
        if opt.selftests:
            self.machine.env["SELFTESTS"] = str(opt.selftests)

    def run(self) -> int:
        """The exit code."""
        opt = self.opt
        self.machine.install(["run", *(["source"] if opt.built_here else []),
                              *([opt.cross] if opt.cross else [])], opt.install)
        with workdir.made(self.machine) as tmp:
            self.kernel = kernel.get(opt, self.machine)
            self.built = kernel.build(self.kernel, self.machine, tmp)
            if opt.list:
                print("\n".join(job.tests(self.machine, self.built, "list", opt.globs)))
                return PASS
            self.job = job.make(opt, self.machine, self.built, tmp)
            self.accel = self.choose_accel()
            self.results = results.Results(opt.results)
            self.describe(self.results)
            return self.test(self.results, tmp)

    def choose_accel(self) -> str:
        opt = self.opt
        if opt.accel != "auto":
            return opt.accel
        if opt.cross:
            host.say(f"{opt.cross} is emulated: using TCG")
            return "tcg"
        self.kvm = accel.Kvm(self.machine, opt.machine, self.kernel.image,
                             self.built.initramfs, self.machine.cache(), opt.kvm_device)
        return self.kvm.choose()

    def describe(self, to: results.Results) -> None:
        verdict.describe(self.opt, self.machine, self.kernel, self.built,
                         self.job, self.accel, to)

    def test(self, to: results.Results, tmp: pathlib.Path) -> int:
        host.say(f"running {len(self.job.expected)} tests on {self.kernel.release} "
                 f"({self.accel})")
        if self.opt.panic_on_warn:
            return verdict.panic_on_warn(self.opt, self.machine, self.kernel, self.built,
                                         self.job, self.accel, self.started, to)
        ended = self.boot(to, tmp)
        if self.kvm and self.accel == "kvm" and ended in ("no-boot", "qemu-error"):
            # it passed its trial, and is of no use all the same
            host.say("no boot with KVM: trying once more with TCG")
            self.kvm.forget()
            self.accel = "tcg"
            self.describe(to)
            self.boot(to, tmp)
        if self.opt.keep:
            self.keep(to)
        return verdict.judge(self.opt, self.machine, to)

    def boot(self, to: results.Results, tmp: pathlib.Path) -> str:
        opt = self.opt
        return boot.run(boot.Boot(
            kernel=self.kernel.image, initramfs=self.built.initramfs,
            job=self.job.directory, results=to.directory, accel=self.accel,
            arch=opt.machine, append=opt.append, boot_timeout=opt.boot_timeout,
            timeout=self.job.total, silence=min(opt.timeout, 45) + 45,
            log_limit=opt.log_limit, started=self.started, verbose=opt.verbose),
            self.machine, tmp)

    def keep(self, to: results.Results) -> None:
        with writing(to.directory):
            shutil.copy(self.built.initramfs, to.directory)
            shutil.copytree(self.built.directory / "modules", to.directory / "modules")

    def bisect_status(self, code: int) -> int:
        """A kernel on which no test began did not boot, whatever the reason."""
        if code == FAIL and self.results and self.results.has_begun():
            return FAIL
        return PASS if code == PASS else SKIP_COMMIT
