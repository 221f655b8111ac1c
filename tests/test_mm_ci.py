# SPDX-License-Identifier: GPL-2.0
"""make check-mm-ci: what linux-mm/mm-ci's own scripts say of our tests, in a tree that has
them and is built.  MM_CI= is a checkout of that, KDIR= the tree; without it, it is one in
which CHECK_KERNEL, one of Debian's, stands as if it had been built there."""
import getpass
import os
import pathlib
import re
import shlex
import shutil
import unittest
from unittest import mock

from support import TOP, TempDir, built, kernel_dir, machine, sh

from runner import accel, build, files, host, modules, qemu, source, vng

MM_CI = pathlib.Path(os.environ.get("MM_CI") or "/nonesuch")
README = TOP / "ci/README"
RESULTS = TOP / "results/mm-ci"
# What mm-ci's scripts have, and what they have of ours in its place. {mm} is mm or vm,
# {run} what stands in a tree for ksft_hmm_notifier.sh.
SELFTESTS = ((r'(?m)^TESTS\["ksft_hmm\.sh"\]=.*', "{line}"),
             (r'(?m)^TESTS\["(?!ksft_hmm_notifier).*\n', ""),
             (r"\./\$ksft_script -n", "{run}"),
             (r"selftests/mm\b", "selftests/{mm}"))
KUNIT = ((r"slub_test", "mmu_notifier"),)


def line():
    """What ci/README has who runs mm-ci add"""
    return re.search(r'TESTS\["ksft_hmm_notifier.sh"\]=.*', README.read_text())[0]


def how(tree):
    """What the tests of that tree are in, and what runs the silent half"""
    for mm, script, run in (
            ("mm", "ksft_hmm_notifier.sh", "./ksft_hmm_notifier.sh -n"),
            ("mm", "test_hmm_notifier.sh", "./run_vmtests.sh -t hmm_notifier -n"),
            ("vm", "test_hmm_notifier.sh", "./test_hmm_notifier.sh")):
        if (tree / "tools/testing/selftests" / mm / script).is_file():
            return {"mm": mm, "run": run}
    raise AssertionError(f"KDIR={tree}: the tests are not there; see make install")


# What of Debian's modules the guest takes; nobody there asks for loop, or mount fails.
DRIVERS = (*vng.DRIVERS, "virtio_blk", "ext4", "loop", "zram", "overlay")
LOADED = "softdep 9p post: loop\n"


def debian_tree():
    """The source of Debian's kernel, with our tests, that kernel and its test_hmm"""
    kernel = kernel_dir()
    pristine, _ = source.pristine(machine(), (kernel / "base").read_text().strip())
    # virtme-ng takes no path with a ~ in it.
    tree = machine().cache() / f"mm-ci-{pristine.name.replace('~', '-')}"
    if not tree.is_dir():
        new = tree.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        sh("cp", "-al", pristine, new).check_returncode()
        new.rename(tree)
    sh("python3", "-m", "intree", "install", tree, cwd=TOP).check_returncode()
    shutil.copy(kernel / "config", tree / ".config")
    image = tree / "arch/x86/boot/bzImage"
    image.unlink(missing_ok=True)
    image.symlink_to((kernel / "vmlinuz").resolve())
    (tree / "modules.order").touch()
    # where virtme-prep-kdir-mods puts those of a tree
    shutil.rmtree(tree / ".virtme_mods", ignore_errors=True)
    where = tree / ".virtme_mods/lib/modules/0.0.0"
    where.mkdir(parents=True)
    for file in {f for name in DRIVERS for f in modules.needed(machine(), kernel, name)}:
        modules.unpack(machine(), file, where / modules.plain(file))
    shutil.copy(built().initramfs.parent / "modules/test_hmm.ko", where)
    for name in ("modules.order", "modules.builtin"):
        (where / name).touch()
    sh("depmod", "-b", tree / ".virtme_mods", "0.0.0", env=machine().env).check_returncode()
    with open(where / "modules.softdep", "a") as f:
        f.write(LOADED)
    return tree


def edited(text, changes, **words):
    """mm-ci's script; what it has no longer is an error, or nothing of ours would run."""
    for old, new in changes:
        text, count = re.subn(old, lambda _, new=new: new.format(**words), text)
        assert count, f"mm-ci has no longer {old}"
    return text


def scripts(mm_ci, tree, to):
    """A copy of them that runs our tests and no others"""
    assert (mm_ci / ".github/scripts").is_dir(), f"MM_CI={mm_ci}: no checkout of mm-ci"
    shutil.copytree(mm_ci / ".github/scripts", to)
    for name, changes in (("run-mm-selftests.sh", SELFTESTS), ("run-kunit-tests.sh", KUNIT)):
        script = to / name
        script.write_text(edited(script.read_text(), changes, line=line(), **how(tree)))
    return to


def vng_shim(to, name, words, more):
    """A vng that keeps in RESULTS what is said, also when timeout ends it; the scripts
    remove that."""
    *env, virtme_run = words
    where = pathlib.Path(virtme_run).parent
    command = [*env, str(where / "vng"), "--busybox", str(build.get_busybox(machine())),
               *more]
    guest, console = (shlex.quote(str(RESULTS / f"{name}.{what}.log"))
                      for what in ("guest", "console"))
    (to / "vng").write_text(f"""\
#!/bin/bash
set -o pipefail
trap : TERM
PATH={shlex.quote(str(where))}:$PATH
{shlex.join(command)} "$@" 2>&1 | tee {guest}
status=$?
[[ $* =~ ,path=([^ ]+) ]] && cp "${{BASH_REMATCH[1]}}" {console}
exit $status
""")
    (to / "vng").chmod(0o755)


# What of mm-ci's matters here
STANDIN = {"run-mm-selftests.sh": """\
declare -A TESTS
TESTS["ksft_cow.sh"]="CoW"
TESTS["ksft_hmm.sh"]="HMM"
TESTS["ksft_vmalloc.sh"]="vmalloc"
make -C tools/testing/selftests/mm > $log 2>&1
cd $ext4_mnt/mm-selftests/mm/
sudo ./$ksft_script -n 2>&1
""", "run-kunit-tests.sh": "grep -qE '\\bok [0-9]+ slub_test\\b' $log\n"}


class Edited(unittest.TestCase):
    def scripts(self, mm, *names, standin=STANDIN):
        where = TempDir(self).path
        for directory, there in ((".github/scripts", standin),
                                 (f"tools/testing/selftests/{mm}", dict.fromkeys(names, ""))):
            (where / directory).mkdir(parents=True)
            for name, text in there.items():
                (where / directory / name).write_text(text)
        to = scripts(where, where, where / "copy")
        return [(to / name).read_text() for name in STANDIN]

    def test_ours_alone(self):
        selftests, kunit = self.scripts("mm", "ksft_hmm_notifier.sh", "test_hmm_notifier.sh")
        self.assertEqual(re.findall(r"TESTS\[.*", selftests), [line()])
        self.assertIn("sudo ./ksft_hmm_notifier.sh -n 2>&1\n", selftests)
        self.assertIn("ok [0-9]+ mmu_notifier\\b", kunit)

    def test_trees_without_wrappers(self):
        selftests, _ = self.scripts("mm", "test_hmm_notifier.sh")
        self.assertIn("sudo ./run_vmtests.sh -t hmm_notifier -n 2>&1\n", selftests)
        selftests, _ = self.scripts("vm", "test_hmm_notifier.sh")
        self.assertIn("-C tools/testing/selftests/vm >", selftests)
        self.assertIn("/mm-selftests/vm/\nsudo ./test_hmm_notifier.sh 2>&1\n", selftests)

    def test_of_a_tree_or_an_mm_ci_that_is_another(self):
        with self.assertRaisesRegex(AssertionError, "see make install"):
            self.scripts("mm")
        for name, text in STANDIN.items():
            for gone in ("ksft_hmm.sh", "$ksft_script", "slub_test"):
                if gone in text:
                    changed = {**STANDIN, name: text.replace(gone, "x")}
                    with self.assertRaisesRegex(AssertionError, "no longer", msg=gone):
                        self.scripts("mm", "test_hmm_notifier.sh", standin=changed)


class Shim(unittest.TestCase):
    def run_it(self, body):
        """(the exit code, what is kept of the guest's words, and of its console)"""
        where, results = TempDir(self, "").path, TempDir(self).path
        (where / "vng").write_text(f"#!/bin/sh\necho \"$*\"; echo up >{where}/c\n{body}\n")
        (where / "vng").chmod(0o755)
        with mock.patch(f"{__name__}.RESULTS", results), \
                mock.patch("runner.build.get_busybox", return_value="busybox"):
            vng_shim(results, "x", ["env", "A=b", str(where / "virtme-run")], ["--more"])
        done = sh(results / "vng", f"--qemu-opts=-chardev file,path={where}/c -x")
        guest, console = ((results / f"x.{n}.log").read_text() for n in ("guest", "console"))
        self.assertEqual(guest, done.stdout)
        return done.returncode, guest, console

    def test_keeps_what_was_said(self):
        code, guest, console = self.run_it("exit 4")
        self.assertEqual((code, console), (4, "up\n"))
        self.assertIn("--busybox busybox --more --qemu-opts=-chardev", guest)

    def test_of_one_that_timed_out(self):
        """timeout ends all of them."""
        code, _, console = self.run_it("kill $PPID; exit 143")
        self.assertEqual((code, console), (143, "up\n"))


@unittest.skipUnless("CHECK_MM_CI" in os.environ, "make check-mm-ci runs it")
class Really(unittest.TestCase):
    """With mm-ci's 300 s, or TIMEOUT=, for a guest that is emulated on a busy machine"""
    @classmethod
    def setUpClass(cls):
        given = os.environ.get("KDIR")
        cls.kdir = pathlib.Path(given).resolve() if given else debian_tree()

    def run_it(self, name, kept):
        """(the exit code, what the script says, what its guest said), kept in RESULTS"""
        tmp = TempDir(self, "").path
        RESULTS.mkdir(parents=True, exist_ok=True)
        for left in RESULTS.glob(f"{kept}.*"):
            left.unlink()
        kvm = accel.Kvm(machine(), "x86_64", self.kdir / "arch/x86/boot/bzImage",
                        built().initramfs, machine().cache())
        how = kvm.choose()
        vng_shim(tmp, kept, vng.find(machine()), () if how == "kvm" else (
            "--disable-kvm", "--append", qemu.ARCHES["x86_64"]["append"],
            f"--qemu-opts=-accel {qemu.ACCEL['tcg']}"))
        script = scripts(MM_CI, self.kdir, tmp / "scripts") / f"{name}.sh"
        # make's would have the selftests be built in /, those there be old.
        without = [word for unwanted in host.UNWANTED for word in ("-u", unwanted)]
        done = sh("env", *without, "bash", script, timeout=None, env={
            "LINUX_DIR": str(self.kdir), "PATH": f"{tmp}:{machine().env['PATH']}",
            "USER": getpass.getuser()})
        (RESULTS / f"{kept}.log").write_text(done.stdout)
        return done.returncode, done.stdout, files.read_text(RESULTS / f"{kept}.guest.log")

    def test_selftests(self):
        """A skip is a pass there, and is none here."""
        code, said, guest = self.run_it("run-mm-selftests", "selftests")
        self.assertEqual(code, 0, said[-5000:])
        self.assertIn("✓ All tests passed", said)
        self.assertRegex(said, r"Totals: pass:[1-9]\d* fail:0 ", guest[-5000:])
        results = re.findall(r"^(?:# )*(not ok|ok) \d+ \S+\.\S+(?!.*# SKIP)", guest, re.M)
        self.assertNotIn("not ok", results)
        self.assertTrue(results)
        host.say(f"mm-ci: {len(results)} tests passed in {self.kdir}")

    def test_kunit(self):
        if "CONFIG_MMU_NOTIFIER_KUNIT_TEST=y\n" not in (self.kdir / ".config").read_text():
            self.skipTest("no CONFIG_MMU_NOTIFIER_KUNIT_TEST")
        code, said, guest = self.run_it("run-kunit-tests", "kunit")
        self.assertEqual(code, 0, said[-5000:])
        self.assertRegex(guest, r"\bok \d+ mmu_notifier\b")
        self.assertGreater(len(re.findall(r"(?m)(?<!not )\bok \d+ \w+\r?$", guest)), 500)


if __name__ == "__main__":
    unittest.main()
