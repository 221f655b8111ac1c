# SPDX-License-Identifier: GPL-2.0
"""--backend vng: what virtme-ng is told, without a guest; and, by make check-vng, that the
verdicts are those of our own VM."""
import json
import os
import pathlib
import re
import shlex
import unittest
from unittest import mock

from support import KERNEL, STANDINS, TOP, Run, TempDir, machine, only_path, sh
from test_runner import plays, summary

from runner import boot, distro, errors, host, options, vng
from runner.kernel import Kernel

X, NEXT = "hmm_notifier_standin", "hmm_notifier_standin_next"
# What of virtme-run matters here: which directories it takes, QEMU gets the words behind
# its last option, and it fails when it is not the one that ends the guest
QEMU = '''for word; do
    shift
    case $word in
    /run/*=*[!a-zA-Z0-9_+\\ /.-]*) echo "invalid --rodir: $word" >&2; exit 1;;
    /run/*=*) ls -d "${word#*=}/" || exit;;
    esac
    [ "$word" != --qemu-opts ] || { qemu-system-$(uname -m) "$@"; exit 255; }
done'''


def words(**more):
    where = pathlib.Path("/nonesuch, really")
    its = boot.Boot(kernel=where / "vmlinuz", initramfs=where / "built/initramfs.cpio",
                    job=where / "job", results=where / "results",
                    **{"accel": "tcg", "arch": "x86_64", **more})
    return vng.command(["virtme-run"], pathlib.Path("/busybox"), its.kernel,
                       pathlib.Path("/links"), its)


def values(option, *args):
    return [value for name, value in zip(args, args[1:]) if name == option]


class Command(unittest.TestCase):
    def test_host_is_read_only(self):
        """Its root and what else the guest sees of it; and none is virtiofs, which the guest
        could make writable"""
        said = words()
        self.assertIn("--force-9p", said)
        for name in ("--rw", "--rwdir", "--disk", "--blk-disk", "--overlay-rwdir"):
            self.assertNotIn(name, said)
        self.assertEqual(values("--rodir", *said),
                         ["/run/built=/links/built", "/run/results=/links/results"])
        opened = [word for word in said if "path=" in word]
        self.assertEqual([re.sub(r".*path=", "", word) for word in opened],
                         [f"/nonesuch,, really/results/{name}.log"
                          for name in ("console", "ktap", "kmsg")])

    def test_kvm(self):
        """It takes what is at /dev/kvm, whether that is of use or not."""
        self.assertIn("--disable-kvm", words())
        self.assertEqual(values("-accel", *words()), ["tcg,thread=single,tb-size=256"])
        self.assertNotIn("--disable-kvm", words(accel="kvm"))
        # QEMU does not take this beside the accel= of virtme-run
        self.assertNotIn("-accel", words(accel="kvm"))

    def test_what_the_tests_need(self):
        said = words(memory=2048, append="a=b c")
        self.assertEqual(values("--numa", *said), ["1024M,cpus=0", "1024M,cpus=1"])
        self.assertEqual(values("--memory", *said), ["2048M"])
        kernel = values("--kopt", *said)
        self.assertEqual(kernel[-2:], ["a=b", "c"])
        self.assertIn("console=hvc0", kernel)
        self.assertLess(said.index("--script-sh"), said.index("--qemu-opts"))

    def test_script_fits_the_kernels_command_line(self):
        self.assertLess(len(vng.script()), 500)
        self.assertEqual(sh("sh", "-n", "-c", vng.script()).stdout, "")
        self.assertNotIn("#!", vng.script())


class Usage(unittest.TestCase):
    def test_what_it_is_not_for(self):
        for args in (["--kunit", "--kernel=source:7.2"], ["--arch=arm64",
                                                          "--kernel=debian:6.12"]):
            with self.assertRaisesRegex(errors.BadUsage, "^--backend vng: "):
                options.parse(["--backend", "vng", *args], "x86_64")

    def test_repeats_itself(self):
        self.assertIn("--backend=vng", options.parse(["--backend", "vng"], "x86_64").again)

    def test_kernel_that_is_built_for_it(self):
        from runner import kernel
        opt = options.parse(["--backend=vng", "--kernel=source:6.12"], "x86_64")
        self.assertEqual((kernel.extras(opt).name, kernel.extras(opt).config),
                         ("vng", TOP / "runner/config/vng.config"))

    def test_kernel_without_a_root(self):
        """A module will do."""
        asked = (TOP / "runner/config/vng.config").read_text()
        where = TempDir(self).path
        kernel = Kernel(where, where / "vmlinuz")
        for config in (asked, asked.replace("9P_FS=y", "9P_FS=m")):
            (where / "config").write_text(config)
            vng.check(kernel)
        (where / "config").write_text(re.sub("(CONFIG_9P_FS)=y", r"# \1 is not set", asked))
        with self.assertRaisesRegex(errors.BadKernel, "lacks CONFIG_9P_FS, without"):
            vng.check(kernel)


class Missing(unittest.TestCase):
    def test_names_the_command(self):
        env = only_path(self, ["virtme-run"])
        r = sh(TOP / "run_tests.sh", "packages", "-n", "vng", env=env)
        self.assertEqual(r.returncode, 2)
        self.assertIn("missing: virtme-run", r.stdout)
        self.assertRegex(r.stdout, r"install .*virtme-ng")

    def test_where_debian_has_it_nothing_is_installed(self):
        debian = distro.Distro(("debian",), "apt", True)
        fedora = distro.Distro(("fedora",), "dnf", True)
        for system, group in ((debian, []), (fedora, ["vng"])):
            with mock.patch("runner.distro.find", return_value=system):
                self.assertEqual(vng.packages(machine()), group)

    def test_not_to_be_had(self):
        alone = host.Host()
        alone.env = {**alone.env, **only_path(self, ["virtme-run"]),
                     "XDG_CACHE_HOME": str(TempDir(self).path)}
        with mock.patch("runner.source.unstable", return_value=None), \
                self.assertRaisesRegex(errors.BadHost, "pipx install virtme-ng"):
            vng.find(alone)


class Played(unittest.TestCase):
    """By a virtme-run that starts a QEMU which is none"""
    def run_it(self, virtme_run=QEMU, body=""):
        self.results = TempDir(self).path / "r"
        self.env = plays(self, body, virtme_run=virtme_run)
        return sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--accel", "tcg", "--results",
                  self.results, "--backend", "vng", *STANDINS, "--test", f"{X}:ends.passes",
                  env=self.env)

    def test_good_run(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(summary(self.results)["verdict"], "pass")
        again = sh(self.results / "latest/qemu-command", env=self.env)
        self.assertEqual(again.returncode, 255, again.stdout)
        meta = json.loads((self.results / "latest/meta.json").read_text())
        self.assertEqual(meta["backend"], "vng")

    def test_that_fails(self):
        """What it has left goes with the run."""
        told = TempDir(self, "").path / "told"
        done = self.run_it(f"mktemp >{told}; echo what is that >&2; exit 1")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn("FAIL virtme-run exited with 1: what is that\n", done.stdout)
        self.assertFalse(pathlib.Path(told.read_text().strip()).parent.exists())

    def test_guest_that_ends_early(self):
        done = self.run_it(body="ktap = ktap.partition('# ok 1')[0]; kmsg = ''")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the guest ended before the tests were done", done.stdout)


@unittest.skipUnless(os.environ.get("CHECK_VNG"), "make check-vng has it")
class Really(unittest.TestCase):
    """Booted by both"""
    def run_both(self, *args, standins=True):
        """The run in virtme-ng, whose tests have ended as in our own VM"""
        ours = Run(self, *args, standins=standins, timeout=3000)
        theirs = Run(self, *args, "--backend", "vng", standins=standins, timeout=3000)
        self.assertEqual({name: t["result"] for name, t in theirs.tests.items()},
                         {name: t["result"] for name, t in ours.tests.items()}, theirs.out)
        self.assertEqual((theirs.code, theirs.summary["ended"]),
                         (ours.code, ours.summary["ended"]))
        return theirs

    def test_what_the_program_itself_says(self):
        """Of the host it lets nobody write to anything."""
        from runner import build, kernel
        tested = kernel.get(machine(), KERNEL)
        links = TempDir(self, "").path
        its = boot.Boot(tested.image, build.build(machine(), tested).initramfs,
                        TempDir(self).path, TempDir(self).path, "tcg", "x86_64")
        for name, where in vng.shared(its).items():
            (links / name).symlink_to(where)
        said = vng.command(vng.find(machine()), build.get_busybox(machine()), its.kernel,
                           links, its)
        said[said.index("--script-sh"):0] = ["--dry-run", "--show-command"]
        shared = values("-fsdev", *shlex.split(sh(*said).stdout))
        self.assertEqual(len(shared), 3)
        for word in shared:
            self.assertIn(",readonly=on", word)

    def test_default_tests(self):
        self.assertGreater(len(self.run_both(standins=False).tests), 200)

    def test_hang(self):
        r = self.run_both("--timeout", "6", "--test", "kernel.mad.hang", "--test", "ends.*s")
        self.assertEqual(r.failed(), [f"{X}:ends.fails", f"{X}:kernel.mad.hang",
                                      f"{NEXT}:ends.fails", f"{NEXT}:kernel.mad.hang"])

    def test_panic(self):
        r = self.run_both("--test", f"{X}:kernel.mad.panic", "--test", f"{X}:kernel.sane")
        self.assertIn("Kernel panic - not syncing: asked for",
                      r.result(f"{X}:kernel.mad.panic")[1])
        self.assertTrue("Linux version" in r.log("console.log"), r.out)

    def test_flood(self):
        r = self.run_both("--test", f"{X}:kernel.mad.flood", "--log-limit", "1")
        self.assertIn("the guest floods its log", r.result(f"{X}:kernel.mad.flood")[1])

    def test_that_does_not_boot(self):
        r = self.run_both("--no-snapshot", "--test", f"{X}:ends.passes", "--boot-timeout", "1")
        self.assertIn("did not get to its init within 1 s", r.out)


if __name__ == "__main__":
    unittest.main()
