# SPDX-License-Identifier: GPL-2.0
"""A run from its start to its end."""
import dataclasses
import functools
import pathlib
import shutil
import time
import typing

from runner import (accel, build, host, job, kernel, kunit, packages, panic, parts, programs,
                    progress, results, shards, subject, testbed, verdict, vng, workdir)
from runner.errors import FAIL, NOT_UP, PASS, SKIP_COMMIT, BadUsage, NoTest, writing
from runner.linux import kconfig
from runner.options import Options


class Run:
    def __init__(self, opt: Options):
        self.vng = opt.backend == vng.NAME
        self.opt, self.started, self.machine = opt, time.time(), host.Host(opt.cross)
        self.results: typing.Optional[results.Results] = None
        self.kvm: typing.Optional[accel.Kvm] = None
        self.subject: typing.Optional[subject.Subject] = None
        self.jobs: typing.List[job.Job] = []    # of guests that run at once

    def run(self) -> int:
        """The exit code."""
        opt, mark = self.opt, self.machine.mark
        mark("python")
        packages.install(["run", *(["source"] if opt.built_here else []),
                          *([opt.cross] if opt.cross else []),
                          *subject.packages(opt.subject), *self.backend_packages()],
                         opt.install)
        mark("packages")
        with workdir.made(self.machine) as tmp:
            if not opt.list:
                self.results = results.Results(opt.results)
            if opt.kunit and self.results:
                return kunit.run(opt, self.machine, self.results, tmp)
            self.testbed = self.make_testbed()
            lines, expected = self.testbed.choose(opt.choice, opt.globs)
            if not expected:
                raise NoTest(self.no_match())
            if opt.shard:
                lines, expected = self.testbed.shard(expected, opt.shard)
            stressed = self.testbed.are_stressed(expected)
            if opt.asks_stress and not stressed:
                raise BadUsage("--stress and --seed are for the random operations of "
                               "stress:*, which is not among these tests")
            if opt.list:
                print("\n".join(expected))
                return PASS
            self.job = self.make_job(lines, expected, tmp, stressed)
            mark("tests")
            self.testbed.accel = self.choose_accel()
            mark("accelerator")
            assert self.results
            return self.test(self.results, tmp)

    def backend_packages(self) -> typing.List[str]:
        return vng.packages(self.machine) if self.vng else []

    def make_job(self, lines: typing.List[str], expected: typing.List[str],
                 tmp: pathlib.Path, stressed: bool) -> job.Job:
        opt, made = self.opt, job.of(self.opt, lines, expected, tmp, stressed)
        if not opt.subject:
            return made.write()
        self.subject = subject.prepare(self.machine, self.testbed.kernel.directory,
                                       opt.machine, opt.subject, opt.files, opt.modules, tmp)
        exports = (*made.exports, (subject.COMMAND, self.subject.command),
                   ("PATH", "/bin:/job"))
        return dataclasses.replace(made, exports=exports, modules=self.subject.load).write(
            self.subject.files)

    def no_match(self) -> str:
        globs = self.opt.globs
        close = programs.close_to(self.testbed.programs, globs)
        return f"--test: no test matches {' '.join(globs)}; there is {', '.join(close)}; " \
            "--list --all has all names"

    def make_testbed(self) -> testbed.Testbed:
        opt, machine = self.opt, self.machine
        tested = kernel.get(machine, opt.kernel, kernel.extras(opt))
        if opt.vmlinuz:
            tested = dataclasses.replace(tested, image=opt.vmlinuz)
        machine.mark("kernel")
        if self.vng:
            vng.check(tested)
        built = build.build(machine, tested, opt.selftests)
        machine.mark("builds")
        bed = testbed.Testbed(
            machine, tested, built, opt.machine, opt.accel,
            {"spec": opt.kernel, "arch": opt.machine, "choice": opt.choice, "again": opt.again,
             "shard": "/".join(map(str, opt.shard or ())),
             "stress": str(opt.stress), "seed": opt.seed, "suite": machine.describe_suite(),
             "backend": opt.backend,
             "qemu": machine.version_of(f"qemu-system-{opt.machine}")})
        if self.vng:
            bed.guest = vng.Guest
        return bed

    def choose_accel(self) -> str:
        opt = self.opt
        if opt.accel != "auto":
            return opt.accel
        if only := subject.accel(opt.subject):
            return only
        if opt.cross:
            host.say(f"{opt.cross} is emulated: using TCG")
            return "tcg"
        bed = self.testbed
        self.kvm = accel.Kvm(self.machine, bed.arch, bed.kernel.image, bed.built.initramfs,
                             self.machine.cache(), opt.kvm_device)
        return self.kvm.choose()

    def test(self, to: results.Results, tmp: pathlib.Path) -> int:
        bed, opt = self.testbed, self.opt
        host.say(f"running {len(self.job.expected)} of {bed.count} tests on "
                 f"{bed.kernel.release} ({bed.accel}{', vng' * self.vng})")
        if opt.panic_on_warn:
            bed.describe(self.job, to.directory)  # the report of all its boots
            boots = panic.Boots(opt, bed, self.job, to.directory, tmp)
            return panic.run(boots, self.started)
        self.jobs = self.split(tmp)
        ended = self.boot(to, tmp)
        if self.kvm and bed.accel == "kvm" and ended in NOT_UP:
            # KVM passed its trial, and fails all the same
            host.say("no boot with KVM: trying once more with TCG")
            self.kvm.forget()
            bed.accel = "tcg"
            self.boot(to, tmp)
        if opt.keep:
            self.keep(to)
        code = verdict.judge(opt, self.machine, to)
        self.machine.mark("verdict")
        results.write_json(to.directory / "times.json", self.machine.marks)
        return code

    def split(self, tmp: pathlib.Path) -> typing.List[job.Job]:
        """The jobs of several guests; none if one runs all."""
        bed = self.testbed
        lockdep = not kconfig.lacking(["CONFIG_PROVE_LOCKING"], bed.kernel.says("config"))
        split = shards.guests(bed.programs, self.job.expected, self.opt.jobs, lockdep)
        return [parts.write(self.job, i, tmp, *programs.lines(bed.programs, set(part)))
                for i, part in enumerate(split, 1)] if len(split) > 1 else []

    def boot(self, to: results.Results, tmp: pathlib.Path) -> str:
        if not self.jobs:
            return self.boot_one(self.job, to.directory, tmp)
        self.testbed.describe(self.job, to.directory, jobs=str(len(self.jobs)))
        show = progress.Progress(self.job.directory, self.opt.verbose)
        boots = []
        for i, part in enumerate(self.jobs, 1):
            where = to.directory / parts.name(i)
            with writing(where):
                where.mkdir(exist_ok=True)
            boots.append(functools.partial(self.boot_one, part, where, part.directory.parent,
                                           show))
        return next((how for how in parts.run(self.machine, boots, self.opt.jobs)
                     if how in NOT_UP), "")

    def boot_one(self, its: job.Job, to: pathlib.Path, tmp: pathlib.Path,
                 show: typing.Optional[progress.Progress] = None) -> str:
        opt = self.opt
        xen = self.subject.xen if self.subject else None
        return self.testbed.boot(
            its, to, tmp, append=opt.append,
            boot_timeout=opt.boot_timeout * subject.slower(opt.subject),
            cpus=opt.cpus, memory=opt.memory,
            machine=self.subject.machine if self.subject else "", xen=xen,
            log_limit=opt.log_limit, started=self.started,
            show=show or progress.Progress(its.directory, opt.verbose),
            snapshot=opt.snapshot and not (xen or self.vng))

    def keep(self, to: results.Results) -> None:
        with writing(to.directory):
            built = self.testbed.built
            shutil.copy(built.initramfs, to.directory)
            shutil.copytree(built.directory / "modules", to.directory / "modules")

    def bisect_status(self, code: int) -> int:
        """A kernel on which no test began did not boot, whatever the reason."""
        if code == FAIL and self.results and self.results.has_begun():
            return FAIL
        return PASS if code == PASS else SKIP_COMMIT
