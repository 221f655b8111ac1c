# SPDX-License-Identifier: GPL-2.0
"""The runner with a QEMU that only plays: whose fault a run that went wrong is, and what
is left of it.  The kernel and the tests are real, and the same for all."""
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

from support import HANGS, KERNEL, STANDINS, TOP, TempDir, kernel_dir, sh, shim

from runner import get_kernel, host, kernel, options, stopped, testbed, workdir
from runner.job import Job

QEMU = """#!{python}
import os, re, signal, subprocess, sys, time
if "--version" in sys.argv:
    print("QEMU emulator version 0")
    sys.exit()
logs = {{m[1]: m[2].replace(",,", ",") for a in sys.argv
        if (m := re.fullmatch(r"file,id=(\\w+),path=(.*)", a))}}

def put(log, text):
    with open(logs[log], "a") as f:
        f.write(text)

ktap, kmsg = {ktap!r}, {kmsg!r}
{body}
put("ktap", ktap)
put("kmsg", kmsg)
"""
X = "hmm_notifier_standin"
KTAP = f"""KTAP version 1
1..1
# hmm_notifier: guest 6.12 x86_64
# hmm_notifier: program {X}
# TAP version 13
# 1..1
# # Starting 1 tests from 1 test cases.
# #  RUN           ends.passes ...
# #            OK  ends.passes
# ok 1 ends.passes
# # PASSED: 1 / 1 tests passed.
# # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0
# hmm_notifier: exit {X} 0
ok 1 selftests: mm: {X}
# hmm_notifier: done 1
"""
KMSG = "".join(f"{p},{n},{n}000,-;{t}\n" for n, (p, t) in enumerate((
    (5, "Linux version 6.12"), (6, "Run /init as init process"),
    (12, f"hmm_notifier: begin {X}:ends.passes"),
    (12, f"hmm_notifier: end {X}:ends.passes")))) + "end of log, 4 records\n"


def plays(test, body="", **programs):
    """An environment with this QEMU, and other programs."""
    env = shim(test, **programs)
    qemu = pathlib.Path(env["PATH"].partition(":")[0], f"qemu-system-{os.uname().machine}")
    qemu.write_text(QEMU.format(python=sys.executable, body=body, ktap=KTAP, kmsg=KMSG))
    qemu.chmod(0o755)
    return env


def command(results, *args, top=TOP):
    return [str(a) for a in (
        top / "run_tests.sh", "--kernel", KERNEL, "--accel", "tcg", "--results", results,
        *STANDINS, "--test", f"{X}:ends.passes", *args)]


def copy_of_us(test):
    """A clone to break something in."""
    top = TempDir(test, "").path / "clone"
    shutil.copytree(TOP, top, ignore=shutil.ignore_patterns("results", ".git", "*.pyc"))
    return top


def summary(results):
    return json.loads((results / "latest/summary.json").read_text())


class Verdicts(unittest.TestCase):
    def run_it(self, *args, body="", env=None, top=TOP, **more):
        self.results = TempDir(self).path / "r"
        return sh(*command(self.results, *args, top=top),
                  env={**plays(self, body), **(env or {})}, **more)

    def assert_ours(self, done, why):
        self.assertEqual(done.returncode, 70, done.stdout)
        self.assertIn(why, done.stdout)
        self.assertEqual(summary(self.results)["verdict"], "error")

    def test_good_run(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(summary(self.results)["verdict"], "pass")
        sites = json.loads((self.results / "latest/meta.json").read_text())["warn_sites"]
        self.assertEqual(set(sites), {"release", "interval", "hlist", "range_end"})

    def test_judge_that_breaks(self):
        top = copy_of_us(self)
        whole = (top / "runner/judge.py").read_text()
        for text in ("1/0", "sys.exit(0)", "import os; os.kill(0, 9)"):
            (top / "runner/judge.py").write_text(f"{whole}\n\ndef main(_):\n    {text}\n")
            self.assert_ours(self.run_it(top=top), "judge ")
        self.assertEqual(self.run_it("--bisect", top=top).returncode, 255)

    def test_no_space_for_the_results(self):
        if sh("unshare", "-rm", "true").returncode:
            self.skipTest("no user namespaces here")
        where = TempDir(self, "-full").path
        # for nothing, and for all but what the judge writes
        for size in ("8k", "150k"):
            for more, code in (((), 70), (("--bisect",), 255)):
                run = shlex.join(command(where, *more))
                done = sh("unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size={size} "
                          f"tmpfs {where} && {run}; ret=$?; "
                          f"cat {where}/latest/summary.json; exit $ret",
                          env=plays(self, "put('console', '-' * 100000)"))
                self.assertEqual(done.returncode, code, f"{size}: {done.stdout}")
                self.assertIn("o space left", done.stdout)
                self.assertNotIn('"verdict": "pass"', done.stdout)

    def test_no_space_for_temporary_files(self):
        if sh("unshare", "-rm", "true").returncode:
            self.skipTest("no user namespaces here")
        where, results = TempDir(self, "-full").path, TempDir(self).path
        done = sh("unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=1m tmpfs {where} && "
                  f"exec {shlex.join(command(results))} --no-snapshot",
                  env={**plays(self), "TMPDIR": str(where)})
        self.assertEqual(done.returncode, 70, done.stdout)
        self.assertRegex(done.stdout, f"{where}\\S*: No space left")

    def test_kvm_that_dies(self):
        """QEMU itself goes on; its own words are shown, at once."""
        body = ("sys.stderr.write('KVM internal error. Suberror: 1\\nRAX=00\\n')\n"
                "sys.stderr.flush(); time.sleep(7654)")
        done = self.run_it("--accel", "kvm", body=body)
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("did not boot: QEMU says: KVM internal error. Suberror: 1\n", done.stdout)
        self.assertIn("COULD NOT BOOT: none of 1 tests began; kernel", done.stdout)
        self.assertNotIn("failed,", done.stdout)
        self.assertEqual(summary(self.results)["ended"], "no-boot")

    def test_signal_without_a_name(self):
        done = self.run_it(body="put('ktap', ktap.partition('# ok 1')[0]); "
                           "os.kill(os.getpid(), 40)")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("QEMU was killed by signal 40", done.stdout)

    def test_qemu_that_has_much_to_say(self):
        done = self.run_it(body="sys.stderr.write('x' * 300000)")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_qemu_that_is_stopped(self):
        done = self.run_it(body="put('ktap', 'KTAP'); os.kill(os.getpid(), signal.SIGSTOP)")
        self.assert_ours(done, "QEMU was stopped for")

    FAILS = ("ktap = ktap.replace('#            OK', '# x.c:1:t:Expected 1 (1) == n (2)\\n"
             "# #          FAIL').replace('# ok 1', '# not ok 1')")

    def test_the_printed_command_fails_in_the_same_way(self):
        """On the same kernel, wherever it is pasted"""
        env = plays(self, self.FAILS)
        first = self.run_it("--append", "a='b c'", env=env, cwd="/")
        self.assertEqual(first.returncode, 1, first.stdout)
        line = [li for li in first.stdout.splitlines() if " alone: " in li][0]
        before = (self.results / "latest").resolve()
        again = sh("sh", "-c", line.partition("alone: ")[2], cwd="/tmp", env=env)
        self.assertEqual(again.returncode, 1, again.stdout)
        after = (self.results / "latest").resolve()
        self.assertNotEqual(before, after)
        for name in ("meta.json", "expected"):
            self.assertEqual((before / name).read_text(), (after / name).read_text())
        self.assertIn("1 == n does not hold: 1 test", again.stdout)

    def test_no_device(self):
        """Whatever else passed."""
        body = ("ktap = ktap.replace('# hmm_notifier: program', '# hmm_notifier: could not "
                "load test_hmm.ko\\n# hmm_notifier: program', 1)")
        done = self.run_it(body=body)
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("could not load test_hmm.ko", done.stdout)
        self.assertEqual(summary(self.results)["verdict"], "nothing")

    def test_kernel_that_does_not_build_leaves_its_reason(self):
        """And latest is this run, not the good one before."""
        top = copy_of_us(self)
        self.run_it()
        with open(top / "runner/kernel.py", "a", encoding="ascii") as f:
            f.write("\n\ndef get(*_):\n    raise BadKernel('mm/x.c is not built', 3)\n")
        for more, code in (((), 3), (("--bisect",), 125)):
            done = sh(*command(self.results, *more, top=top), env=plays(self))
            self.assertEqual(done.returncode, code, done.stdout)
        said = summary(self.results)
        self.assertEqual((said["verdict"], said["reason"]), ("error", "mm/x.c is not built"))

    def test_wrong_usage_is_the_last_line_and_names_the_option(self):
        for args, why in ((("--nosuch",), "--nosuch"), (("--timeout", "x"), "--timeout"),
                          (("--timout", "9"), "--timout 9; there is --timeout"),
                          (("--timeout", "1"), "--timeout: 5 or more"),
                          (("--kernel", "5.10"), "--kernel 5.10: not a kernel; there is debian:"),
                          (("--kernel", "debian:5.10"), "there is debian:6.1, debian:6.12"),
                          (("--quick", "--all"), "--all or --quick, not both"),
                          (("--stress", "1", "--test", f"{X}:ends.passes"), "--stress and")):
            done = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--results",
                      TempDir(self).path, *STANDINS, *args)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(why, done.stdout.splitlines()[-1])

    def test_list_has_what_would_run_or_what_came_close(self):
        run = [TOP / "run_tests.sh", "--kernel", KERNEL, *STANDINS, "--list", "--test"]
        self.assertEqual(sh(*run, f"{X}:ends.passes").stdout.splitlines()[-1],
                         f"{X}:ends.passes")
        done = sh(*run, "ends.pases")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("no test matches ends.pases; there is ends.passes", done.stdout)
        self.assertIn("no test matches nosuch; there is standin, standin_next; --list",
                      sh(*run, "nosuch").stdout.splitlines()[-1])

    def test_names_that_cannot_be_read(self):
        for nm in ("exit 1", "true"):
            env = plays(self, nm=nm)
            done = self.run_it(env=env)
            self.assertEqual(done.returncode, 70, done.stdout)
            self.assertNotIn("no test matches", done.stdout)
            self.assertIn("the names of the tests can't be read: ", done.stdout)


class Surroundings(unittest.TestCase):
    """What somebody has in the environment, in the current directory, in a name."""

    def passes(self, *args, cwd=TOP, env=None, program=None):
        results = TempDir(self).path / "r"
        cmd = command(results, *args)
        cmd[0] = str(program or cmd[0])
        done = sh(*cmd, cwd=cwd, env={**plays(self), **(env or {})})
        self.assertEqual(done.returncode, 0, done.stdout)
        return results, done.stdout

    def test_python_variables_and_a_hostile_directory(self):
        here = TempDir(self).path
        for name in ("json", "runner", "argparse", "klog"):
            (here / f"{name}.py").write_text("raise SystemExit('not this one')\n")
        self.passes(cwd=here, env={"PYTHONSAFEPATH": "1", "PYTHONPATH": str(here)})

    def test_through_a_link(self):
        link = TempDir(self).path / "link"
        link.symlink_to(TOP / "run_tests.sh")
        self.passes(program=link)

    def test_cdpath(self):
        self.passes(env={"CDPATH": f"{TOP}:/"}, program="./run_tests.sh")
        r = sh("./run_tests.sh", "packages", "-n", "run", cwd=TOP, env={"CDPATH": f"{TOP}:/"})
        self.assertEqual((r.returncode, r.stdout), (0, ""))
        r = sh("./run_tests.sh", "get-source", cwd=TOP, env={"CDPATH": f"{TOP}:/"})
        self.assertIn("usage: ", r.stdout)

    def test_results_in_a_directory_called_minus(self):
        here = TempDir(self).path
        self.passes("--results", "-", cwd=here, env={"OLDPWD": "/"})
        self.assertEqual(summary(here / "-")["verdict"], "pass")

    def test_version_that_takes_for_ever(self):
        where = TempDir(self, "").path / "qemu"
        where.write_text("#!/bin/sh\nsleep 60\n")
        where.chmod(0o755)
        began = time.monotonic()
        self.assertEqual(host.Host().version_of(str(where), 0.5), "")
        self.assertLess(time.monotonic() - began, 5)

    def test_spec_is_text(self):
        """meta.json has it as it was given; no shell ever sees it."""
        where = TempDir(self, "").path
        os.chdir(where)
        self.addCleanup(os.chdir, TOP)
        for name in ("bin", "tests"):
            (where / name).mkdir()
        for name in ('q"""+str(__import__("os").system("touch F"))+"""', r"\N", "a\nb'c\\"):
            spec = f"image:{where}/{name}/bz,BUILD"
            told = {"spec": options.parse(["--kernel", spec]).kernel}
            bed = testbed.Testbed(host.Host(), fake_kernel(where / "kernel", origin=spec),
                                  kernel.Built(where), "x86_64", "tcg", told)
            bed.describe(Job(where / "job", [], [], (), 1, 1, 1), where)
            meta = json.loads((where / "meta.json").read_text())
            self.assertEqual((meta["spec"], meta["origin"]), (spec, spec))
            self.assertEqual(list(where.glob("**/F")), [])

    def test_config_is_built_beside(self):
        config = TempDir(self).path / "rt.config"
        keys = set()
        for text in ("CONFIG_PREEMPT_RT=y\n", "CONFIG_PREEMPT_RT=n\n"):
            config.write_text(text)
            opt = options.parse(["--kernel", "source:7.2", "--config", str(config)])
            extras = kernel.extras(opt)
            self.assertEqual(extras.config, config)
            self.assertEqual(get_kernel.name(extras.name), extras.name)
            keys.add(extras.name)
        self.assertEqual(len(keys), 2)
        r = sh(TOP / "run_tests.sh", "--kernel", "debian:6.12", "--config", config)
        self.assertEqual(r.returncode, 2)
        self.assertIn("--config needs a kernel that is built here", r.stdout)


MAKEFILE = "VERSION = 6\nPATCHLEVEL = 12\n"


def fake_kernel(directory, origin):
    """With the source of the real one."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "src").symlink_to(kernel_dir() / "src")
    for name, text in (("release", "6.12.1"), ("base", "6.12"), ("origin", origin)):
        (directory / name).write_text(text + "\n")
    return kernel.Kernel(directory, directory / "vmlinuz")


class Ends(unittest.TestCase):
    """A run that is ended from outside: nothing of it is left, within a second."""

    SLEEPS = "sleep 7654"

    def setUp(self):
        self.tmp = TempDir(self, "").path
        self.results = TempDir(self).path / "r"
        self.addCleanup(self.kill_sleepers)

    def sleepers(self):
        """Those that are below our run, or were."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if str(self.tmp) in (proc / "environ").read_text(errors="replace") and \
                        proc.name != str(os.getpid()) and \
                        " Z " not in (proc / "stat").read_text():
                    found.append(int(proc.name))
            except OSError:
                pass
        return found

    def kill_sleepers(self):
        for pid in self.sleepers():
            os.kill(pid, signal.SIGKILL)

    def start(self, *args, body="", **programs):
        # in its environment all of it is known by the place of its temporary files
        env = {**os.environ, **plays(self, body, **programs), "TMPDIR": str(self.tmp)}
        self.run = subprocess.Popen(
            command(self.results, *args), env=env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.wait_for(lambda: (self.tmp / "sleeps").exists(), HANGS)

    def wait_for(self, what, seconds):
        until = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), until, self.sleepers())
            time.sleep(0.02)

    def start_a_build(self):
        """As make does: several processes, of which one ignores SIGTERM."""
        tree = TempDir(self, "").path
        for name, text in (("mm/mmu_notifier.c", ""), ("Makefile", MAKEFILE),
                           ("lib/test_hmm_uapi.h", "/* HMM_DMIRROR_FAIL_POINT */\n")):
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).write_text(text)
        self.start("--kernel", f"tree:{tree}", make=(
            f"{self.SLEEPS} & sh -c 'trap \"\" TERM; {self.SLEEPS}; true' & "
            f"touch {self.tmp}/sleeps; mktemp >/dev/null; {self.SLEEPS}; true\n"))

    def assert_nothing_is_left(self, seconds):
        self.wait_for(lambda: not self.sleepers(), seconds)
        self.wait_for(lambda: [p.name for p in self.tmp.iterdir()] == ["sleeps"], seconds)

    def ended_by(self, sig):
        began = time.monotonic()
        os.kill(self.run.pid, sig)
        out, _ = self.run.communicate(timeout=HANGS)
        self.assertEqual(self.run.returncode, 130, out)
        self.assertIn("interrupted", out)
        self.assertLess(time.monotonic() - began, 2)
        self.assert_nothing_is_left(0.5)

    def test_signals_while_a_kernel_is_built(self):
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(sig=sig):
                self.start_a_build()
                self.ended_by(sig)
                (self.tmp / "sleeps").unlink()

    def test_killed_while_a_kernel_is_built(self):
        self.start_a_build()
        self.run.kill()
        self.run.communicate(timeout=HANGS)
        self.assert_nothing_is_left(3)

    def test_signals_while_a_package_is_got(self):
        """Its download, and a program of the pipeline that unpacks it"""
        sleeps = f"touch {self.tmp}/sleeps; {self.SLEEPS}; true"
        for programs, left in (({"apt_get": sleeps}, "/get-linux-image-*"),
                               ({"tar": sleeps}, "/*.deb")):
            with self.subTest(programs=programs):
                cache = TempDir(self, "").path
                with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(cache)):
                    self.start("--kernel", "debian:6.12", **programs)
                self.ended_by(signal.SIGINT)
                self.assertTrue(list(cache.glob(f"hmm-notifier-tests/debs/*{left}")))
                (self.tmp / "sleeps").unlink()

    # a wrapper that does not exec
    WRAPPER = ("open(os.environ['TMPDIR'] + '/../sleeps', 'w'); put('ktap', 'KTAP\\n')\n"
               f"subprocess.run(['sh', '-c', '{SLEEPS}; true'])")

    def test_qemu_behind_a_wrapper(self):
        for sig in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(sig=sig):
                self.start(body=self.WRAPPER)
                self.ended_by(sig)
                self.assertEqual(summary(self.results)["verdict"], "fail")
                (self.tmp / "sleeps").unlink()

    def test_killed_while_the_guest_runs(self):
        self.start(body=self.WRAPPER)
        self.run.kill()
        self.run.communicate(timeout=HANGS)
        self.assert_nothing_is_left(3)

    def test_next_run_sweeps(self):
        """The next run removes what a killed guard left, but nothing that is in use."""
        machine = host.Host()
        left = self.tmp / f"{workdir.PREFIX}left"
        left.mkdir()
        (left / workdir.LOCK).touch()
        tmpdir, workdir.tempfile.tempdir = workdir.tempfile.tempdir, str(self.tmp)
        self.addCleanup(setattr, workdir.tempfile, "tempdir", tmpdir)
        with workdir.made(machine) as first, workdir.made(machine) as second:
            self.assertEqual(set(self.tmp.iterdir()), {first, second})
        self.assertEqual(list(self.tmp.iterdir()), [])


class Clock(unittest.TestCase):
    """Seconds in which we were stopped don't count as the guest's silence."""

    def setUp(self):
        self.time, self.qemu = 100.0, [stopped.Process("S", 7)]
        for where, name, value in ((stopped.time, "monotonic", lambda: self.time),
                                   (stopped, "processes", lambda group: self.qemu)):
            self.addCleanup(setattr, where, name, getattr(where, name))
            setattr(where, name, value)
        self.clock = stopped.Clock()
        self.clock.stopped(1)

    def after(self, seconds):
        self.time += seconds
        self.clock.tick()

    def test_counts_what_we_saw(self):
        for _ in range(100):
            self.after(1)
        self.assertEqual(self.clock.now(), 200)

    def test_does_not_count_what_we_did_not(self):
        self.after(1)
        self.after(40)
        self.assertEqual(self.clock.now(), 101)

    def test_qemu_went_on(self):
        self.after(40)
        self.qemu = [stopped.Process("S", 8)]
        self.assertEqual(self.clock.stopped(1), 0)

    def test_qemu_was_stopped_with_us(self):
        self.after(40)
        self.assertEqual(self.clock.stopped(1), 40)

    def test_qemu_alone_was_stopped(self):
        self.qemu = [stopped.Process("S", 7), stopped.Process("T", 9)]
        self.clock.stopped(1)
        self.after(3)
        self.assertEqual(self.clock.stopped(1), 3)

    def test_reads_what_the_kernel_says(self):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        self.addCleanup(lambda: (child.kill(), child.wait()))
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        self.assertEqual([p.state for p in self.real(child.pid)], ["T"])

    real = staticmethod(stopped.processes)


if __name__ == "__main__":
    unittest.main()
