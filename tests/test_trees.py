# SPDX-License-Identifier: GPL-2.0
"""Kernel trees: the series of each base, make install, and the copy that is built."""
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import BASES, TOP, TempDir, machine, sh

from runner.linux import kconfig, series, tree
from runner.linux.request import Extras


def intree(*args):
    """What make install and the like call"""
    return sh(sys.executable, "-m", "intree", *args, cwd=TOP)


@functools.cache
def pristine(base):
    out = subprocess.run([TOP / "run_tests.sh", "get-source", base], stdout=subprocess.PIPE, text=True,
                         stdin=subprocess.DEVNULL, check=True)
    return pathlib.Path(out.stdout.strip())


def selftests(tree):
    found = [d for d in ("mm", "vm") if (tree / "tools/testing/selftests" / d).is_dir()]
    return tree / "tools/testing/selftests" / found[0]


def contents(tree):
    return {str(p.relative_to(tree)): (p.stat().st_mode, p.read_bytes())
            for p in sorted(tree.rglob("*")) if p.is_file() and ".git" not in p.parts}


def small_tree(test, base):
    """What the series touches, and what makes it look like a kernel tree."""
    tree = TempDir(test, "").path / "linux"
    src = pristine(base)
    touched = {line[6:] for patch in (TOP / "kernel-patches" / base).glob("*.patch")
               for line in patch.read_text().splitlines() if line.startswith("--- a/")}
    # a patch may change what one before it has made
    for name in {f for f in touched if not f.startswith("tools/") and (src / f).is_file()} | {
            "MAINTAINERS", "Makefile", "lib/Kconfig.debug", "mm/Kconfig"}:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(src / name, tree / name)
    shutil.copytree(selftests(src), tree / selftests(src).relative_to(src))
    sh("chmod", "-R", "u+w", tree)
    return tree


def as_git(tree):
    git = ["git", "-C", tree, "-c", "user.name=t", "-c", "user.email=t@example.org"]
    sh("git", "init", "-q", tree)
    sh(*git, "add", "-Af")
    sh(*git, "commit", "-qm", "base")
    return git


class Series(unittest.TestCase):
    def test_each_series_applies_without_fuzz(self):
        out = TempDir(self, "").path
        for base in BASES:
            with self.subTest(base):
                r = intree("series", out, base)
                self.assertEqual(r.returncode, 0, r.stdout)
                tree = small_tree(self, base)
                r = sh("quilt", "push", "-a", "--fuzz=0", cwd=tree,
                       env={"QUILT_PATCHES": str(out / base)})
                self.assertEqual(r.returncode, 0, r.stdout)
                for word in (" fuzz ", " offset ", "FAILED"):
                    self.assertNotIn(word, r.stdout)
                self.assertIn("/hmm_notifier/hmm_notifier_stress.c", r.stdout)

    def test_mm_changes_in_fixes_alone(self):
        for base in BASES:
            for patch in (TOP / "kernel-patches" / base).glob("*.patch"):
                text = patch.read_text()
                fixes = "\n+++ b/mm/" in text and "\n+++ b/mm/tests/" not in text
                self.assertEqual(fixes, "\nFixes: " in text, patch)


class Install(unittest.TestCase):
    def test_install_and_uninstall_on_each_base(self):
        for base in BASES:
            with self.subTest(base):
                tree = small_tree(self, base)
                before = contents(tree)
                git = as_git(tree)
                for _ in range(2):
                    r = intree("install", tree)
                    self.assertEqual(r.returncode, 0, r.stdout)
                changed = sh(*git, "status", "--porcelain").stdout
                self.assertIn("/hmm_notifier/\n", changed)
                self.assertIn("lib/test_hmm.c", changed)
                self.assertIn("mm/mmu_notifier.c", changed)
                times = {p: p.stat().st_mtime_ns for p in tree.rglob("*.c")}
                self.assertEqual(intree("install", tree).returncode, 0)
                self.assertEqual(times, {p: p.stat().st_mtime_ns
                                         for p in tree.rglob("*.c")})
                r = intree("uninstall", tree)
                self.assertEqual(r.returncode, 0, r.stdout)
                self.assertEqual(contents(tree), before)
                self.assertEqual(sh(*git, "status", "--porcelain").stdout, "")

    def test_fixes_can_be_left_out(self):
        tree = small_tree(self, BASES[0])
        before = (tree / "mm/mmu_notifier.c").read_bytes()
        self.assertEqual(intree("install", "--without-fixes", tree).returncode, 0)
        self.assertEqual((tree / "mm/mmu_notifier.c").read_bytes(), before)
        self.assertIn("FAIL_POINT", (tree / "lib/test_hmm_uapi.h").read_text())

    def assert_refused(self, tree, why, command="install"):
        before = contents(tree)
        r = intree(command, tree)
        self.assertEqual(r.returncode, 2, r.stdout)
        self.assertIn(why, r.stdout)
        self.assertEqual(contents(tree), before)

    def test_refuses_a_dirty_tree(self):
        tree = small_tree(self, BASES[0])
        as_git(tree)
        with open(tree / "mm/Kconfig", "a", encoding="utf-8") as f:
            f.write("# work of somebody\n")
        self.assert_refused(tree, "uncommitted changes; commit or stash them first: mm/Kconfig")

    def test_refuses_an_unknown_base(self):
        tree = small_tree(self, BASES[0])
        text = (tree / "Makefile").read_text()
        (tree / "Makefile").write_text(text.replace("\nVERSION = ", "\nVERSION = 9", 1))
        self.assert_refused(tree, "there are series for 6.1 6.12 7.2")

    def test_refuses_what_is_no_kernel_tree(self):
        self.assert_refused(TempDir(self).path, "is not a kernel tree")

    def test_never_overwrites_what_was_changed_since(self):
        tree = small_tree(self, BASES[0])
        self.assertEqual(intree("install", tree).returncode, 0)
        with open(tree / "lib/test_hmm.c", "a", encoding="utf-8") as f:
            f.write("/* work of somebody */\n")
        self.assert_refused(tree, "changed since it was installed", "uninstall")
        self.assert_refused(tree, "lib/test_hmm.c")


class Kconfig(unittest.TestCase):
    """What becomes of options, by the Kconfig of each base"""

    def made(self, base, theirs):
        """(the request, the .config)"""
        out, tree = TempDir(self, "").path, pristine(base)
        (out / "theirs").write_text(theirs)
        # pristine, so without what test_hmm does without in the series
        request = kconfig.Request("x86_64", Extras(config=out / "theirs" if theirs else None))
        (out / "asked").write_text(request.text())
        r = sh("make", "-s", "-C", tree, f"O={out}", f"KCONFIG_ALLCONFIG={out}/asked",
               "ARCH=x86_64", request.target)
        self.assertEqual(r.returncode, 0, r.stdout)
        config = (out / ".config").read_text()
        self.assertEqual(request.lost(machine(), tree, config), [])
        return request, config

    def test_ours(self):
        for base in BASES:
            with self.subTest(base):
                request, config = self.made(base, "")
                self.assertEqual(request.changed(config), [])
        self.whole(base, config)

    def whole(self, base, config):
        """Somebody's .config that was that one"""
        for line in ("CONFIG_KSM=y", "CONFIG_VIRTIO_CONSOLE=y"):
            self.assertIn(f"\n{line}\n", config)
            config = config.replace(line, f"# {line[:-2]} is not set")
        config = config.replace("CONFIG_BLK_DEV_LOOP=y", "CONFIG_BLK_DEV_LOOP=m")
        request, made = self.made(base, f"{config}CONFIG_NONE_OF_OURS=y\n")
        self.assertEqual(request.changed(made)[:2], [
            "CONFIG_BLK_DEV_LOOP=m became CONFIG_BLK_DEV_LOOP=y",
            "# CONFIG_VIRTIO_CONSOLE is not set became CONFIG_VIRTIO_CONSOLE=y"])
        self.assertIn("CONFIG_NONE_OF_OURS=y became nothing: no such option here",
                      request.changed(made))
        self.assertNotIn("CONFIG_KSM=y", made)

    def test_a_fragment(self):
        request, config = self.made(BASES[-1], "# CONFIG_NUMA is not set\nCONFIG_SOUND=y\n")
        self.assertNotIn("\nCONFIG_NUMA=y\n", config)
        self.assertIn("\nCONFIG_SOUND=y\n", config)
        why = "=y is not possible with that; what needs it skips"
        self.assertEqual(request.changed(config), [f"CONFIG_NUMA_BALANCING{why}",
                                                   f"CONFIG_X86_64_ACPI_NUMA{why}"])


class Copy(unittest.TestCase):
    """The copy of a developer's tree that is patched and built."""

    def setUp(self):
        self.tree, self.pristine = small_tree(self, "6.12"), False
        self.work = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        self.patches = sorted((TOP / "kernel-patches/6.12").glob("00*.patch"))
        self.patches = [p for p in self.patches if "selftests" not in p.name]

    def sync(self, patches=None):
        tree.sync(machine(), self.tree, self.work,
                  self.patches if patches is None else patches, self.pristine)

    def times(self):
        copy = self.work / "tree"
        return {str(p.relative_to(copy)): p.stat().st_mtime_ns
                for p in copy.rglob("*") if p.is_file()}

    def changes(self, before):
        after = self.times()
        return {f for f in before.keys() | after.keys() if before.get(f) != after.get(f)}

    def test_only_what_changed_gets_a_new_time(self):
        for git in (False, True):
            if git:
                as_git(self.tree)
            original = contents(self.tree)
            self.sync()
            self.assertIn("FAIL_POINT", (self.work / "tree/lib/test_hmm_uapi.h").read_text())
            before = self.times()
            self.sync()
            self.assertEqual(self.changes(before), set())
            self.assertEqual(contents(self.tree), original)

    def test_uncommitted_new_and_removed_files_count(self):
        as_git(self.tree)
        self.sync()
        before = self.times()
        text = (self.tree / "mm/mmu_notifier.c").read_text()
        (self.tree / "mm/mmu_notifier.c").write_text(text + "/* uncommitted */\n")
        (self.tree / "mm/new.c").write_text("/* new */\n")
        (self.tree / "mm/Kconfig").unlink()
        self.sync()
        self.assertEqual(self.changes(before),
                         {"mm/mmu_notifier.c", "mm/new.c", "mm/Kconfig"})
        copied = (self.work / "tree/mm/mmu_notifier.c").read_text()
        self.assertIn("uncommitted", copied)
        self.assertIn("ret && subscriptions->has_itree", copied)

    def test_a_source_that_git_is_to_ignore_is_copied(self):
        """Debian's .gitignore has no more than debian/, whatever somebody committed."""
        self.assertIn("\n/*\n", (pristine("6.12") / ".gitignore").read_text())
        shutil.copy(pristine("6.12") / ".gitignore", self.tree)
        git = ["git", "-C", self.tree, "-c", "user.name=t", "-c", "user.email=t@example.org"]
        (self.tree / "mm/new.o").touch()
        for step in (["init", "-q"], ["add", "-A"], ["add", "-f", "Makefile", "lib"],
                     ["commit", "-qm", "base"]):
            sh(*git, *step)
            with self.subTest(step):
                shutil.rmtree(self.work)
                self.sync()
                copied = set(contents(self.work / "tree"))
                self.assertEqual(contents(self.tree).keys() - copied, {"mm/new.o"})

    def test_a_patch_that_is_there_already_is_left_alone(self):
        fixes = [p for p in self.patches if "mm-mmu_notifier" in p.name]
        self.assertEqual(len(fixes), 2)
        for p in fixes:
            self.assertEqual(sh("patch", "-d", self.tree, "-p1", "-i", p).returncode, 0)
        self.sync(fixes)
        self.assertEqual((self.work / "tree/mm/mmu_notifier.c").read_text(),
                         (self.tree / "mm/mmu_notifier.c").read_text())

    def test_says_which_hunk_does_not_apply(self):
        text = (self.tree / "mm/mmu_notifier.c").read_text()
        (self.tree / "mm/mmu_notifier.c").write_text(text.replace("ret = _ret;", "ret = 7;"))
        with self.assertRaises(series.DoesNotFit) as said:
            self.sync()
        self.assertIn("6.12/0030-", str(said.exception))
        self.assertRegex(str(said.exception), r"Hunk #1 FAILED at \d+")

    def test_an_interrupted_copy_is_made_whole(self):
        self.sync()
        (self.work / "stats").unlink()
        (self.work / "tree/mm/Kconfig").unlink()
        (self.work / "tree/mm/mmu_notifier.c").write_text("half of it\n")
        (self.work / "tree/lib/test_hmm_uapi.h").write_text("half of it\n")
        before = self.times()
        self.sync()
        self.assertEqual(self.changes(before), {"mm/Kconfig", "mm/mmu_notifier.c",
                                                "lib/test_hmm_uapi.h"})
        self.assertIn("FAIL_POINT", (self.work / "tree/lib/test_hmm_uapi.h").read_text())

    def test_a_pristine_source_is_linked_and_stays_as_it_is(self):
        self.pristine = True
        before = contents(self.tree)
        self.sync()
        self.assertTrue((self.tree / "mm/Kconfig").samefile(self.work / "tree/mm/Kconfig"))
        patched = self.work / "tree/lib/test_hmm.c"
        self.assertFalse((self.tree / "lib/test_hmm.c").samefile(patched))
        self.assertEqual(contents(self.tree), before)

    def test_without_git_what_a_build_left_is_not_copied(self):
        for name in ("vmlinux", "mm/.oom_kill.o.cmd", "mm/oom_kill.o", "modules.order"):
            (self.tree / name).write_text("built\n")
        (self.tree / "mm/link.h").symlink_to("Kconfig")
        self.sync()
        self.assertTrue((self.work / "tree/mm/link.h").is_symlink())
        self.assertFalse(list((self.work / "tree").rglob("*.o")))
        for name in ("vmlinux", "modules.order", "mm/.oom_kill.o.cmd"):
            self.assertFalse((self.work / "tree" / name).exists(), name)


if __name__ == "__main__":
    os.chdir(TOP)
    unittest.main()
