# SPDX-License-Identifier: GPL-2.0
"""The results as data that anybody may have sent, and the grammar of splats."""
import json
import os
import pathlib
import re
import unittest

import mutations
from judged import LAST, PROGRAM, Judged, JudgeTest, changed, good_kmsg, good_ktap
from support import BASES, RUNNER, TOP, TempDir, sh

from runner import klog


class Data(JudgeTest):
    """The results may come from anybody, and hold anything."""

    def test_files_of_wrong_types(self):
        nines = "9" * 5000
        for name in ("boot_json", "meta_json", "programs_json"):
            for text in ("[]", "null", "7", "{", "[" * 100000, f'{{"seconds": {nines}}}',
                         '{"ended": []}', '{"kernel": [1]}', '{"ended": "power-off", "times": 3}',
                         '{"warn_sites": {"hlist": "487"}}', '{"x": {"tests": 7}}'):
                with self.subTest(name=name, text=text[:40]):
                    j = Judged(self, **{name: text})
                    self.assertEqual(j.summary["verdict"], "fail", j.out)
                    self.assertIn(j.code, (1, 4), j.out)

    def test_missing_files(self):
        for name in ("meta.json", "programs.json", "expected", "boot.json", "kmsg.log", "ktap.log"):
            with self.subTest(name=name):
                j = Judged(self)
                (j.dir / name).unlink()
                done = sh(*RUNNER, "judge", j.dir)
                self.assertIn(done.returncode, (1, 4), done.stdout)

    def test_nothing_of_it_is_run_or_followed(self):
        j = Judged(self)
        (j.dir / "kunit").mkdir()
        for name in ("kunit_parser", "kunit_printer", "klog"):
            for where in (j.dir, j.dir / "kunit"):
                (where / f"{name}.py").write_text(f"open({str(j.dir / 'ran')!r}, 'w')")
        other = TempDir(self).path / "other"
        other.write_text("mine")
        for name in ("summary.json", "junit.xml"):
            (j.dir / name).unlink()
            (j.dir / name).symlink_to(other)
        self.assertEqual(sh(*RUNNER, "judge", j.dir, cwd=j.dir).returncode, 0)
        self.assertFalse((j.dir / "ran").exists())
        self.assertEqual(other.read_text(), "mine")

    def test_what_is_no_file(self):
        j = Judged(self)
        (j.dir / "kmsg.log").unlink()
        os.mkfifo(j.dir / "kmsg.log")
        self.assertEqual(sh(*RUNNER, "judge", j.dir).returncode, 1)
        (j.dir / "ktap.log").unlink()
        (j.dir / "ktap.log").symlink_to("/dev/zero")
        self.assertEqual(sh(*RUNNER, "judge", j.dir).returncode, 4)

    def test_plan_behind_the_results(self):
        """The kernel's own parser never comes back from that."""
        ktap = good_ktap()
        ktap[1], ktap[-2] = ktap[-2], ktap[1]
        self.assertEqual(Judged(self, ktap).code, 1)

    def test_no_verdict_is_no_failure(self):
        """An error of ours exits with neither 0, 1 nor 4, and leaves no pass behind."""
        j = Judged(self)
        (j.dir / "junit.xml").unlink()
        (j.dir / "junit.xml").mkdir()
        done = sh(*RUNNER, "judge", j.dir)
        self.assertEqual(done.returncode, 70, done.stdout)
        self.assertIn("no verdict", done.stdout)
        self.assertEqual(json.loads((j.dir / "summary.json").read_text())["verdict"], "fail")

    def test_full_disk(self):
        if sh("unshare", "-rm", "true").returncode:
            self.skipTest("no user namespaces here")
        j, where = Judged(self), TempDir(self, "").path
        done = sh("unshare", "-rm", "sh", "-c",
                  f"mount -t tmpfs -o size=40k tmpfs {where} && cd '{j.dir}' &&"
                  f"cp *.log expected meta.json programs.json boot.json {where} &&"
                  f"'{TOP}/run_tests.sh' judge {where}; echo $?; cat {where}/summary.json")
        self.assertIn("o space left", done.stdout)
        self.assertIn("\n70\n", done.stdout)
        self.assertIn('"verdict": "fail"', done.stdout)

    def test_python_that_looks_for_modules_elsewhere(self):
        j = Judged(self)
        done = sh(*RUNNER, "judge", j.dir, env={"PYTHONSAFEPATH": "1"}, cwd=j.dir)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_reader_that_has_seen_enough(self):
        j = Judged(self)
        done = sh("bash", "-c", f"'{TOP}/run_tests.sh' judge '{j.dir}' | true; echo ${{PIPESTATUS[0]}}")
        self.assertEqual(done.stdout, "0\n")


class Screen(JudgeTest):
    BAD = "\x1b[2J\x07\x9b31m\u202e"

    def test_nothing_of_the_guest_moves_the_cursor(self):
        ktap = changed(good_ktap(), LAST, f"# # x.c:1:Expected {self.BAD}",
                       f"# not ok 4 f.w.two #  {self.BAD}", f"# not ok 5 {self.BAD}")
        kmsg = good_kmsg()
        kmsg[3:3] = [(4, "BUG: \\x1b[2J\\x07"), (12, "hmm_notifier: expect \\x1b[2J")]
        boot = json.dumps({"ended": "killed", "detail": self.BAD})
        j = Judged(self, ktap, kmsg, "--verbose", boot_json=boot)
        self.assertEqual(j.code, 1)
        self.assertRegex(j.out, r"\A[\n\x20-\x7e]*\Z")

    def test_while_it_runs(self):
        code = ("from runner import progress; p = progress.Progress('.', True); p.tty = True\n"
                f"p.line({f'# #  RUN {self.BAD} ...'!r})")
        done = sh("python3", "-c", code, cwd=TOP)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("RUN ?[2J??31m? ...", done.stdout)
        self.assertNotRegex(done.stdout.replace("\r\x1b[K", ""), r"[^\n\x20-\x7e]")


class Grammar(unittest.TestCase):
    """lib/core/splats.h, against the kernels' sources and what kernels printed."""

    def test_each_form_is_in_the_source_that_it_names(self):
        rows = re.findall(r'^SPLAT\(\w+, "(.*)"\)\s+/\* (\S+) \*/$', klog.SPLATS.read_text(), re.M)
        self.assertEqual(len(rows), len(klog.GRAMMAR))
        trees = [pathlib.Path(sh(TOP / "run_tests.sh", "get-source", base).stdout.strip()) for base in BASES]
        for pattern, source in rows:
            # what is before the text that printk() gets comes from pr_fmt(), or die()
            parts = [p.strip(" :") for p in pattern.split("*")]
            parts[0] = re.sub(r"^(NMI )?(rcu|watchdog|kmemleak)(: |$)", "", parts[0])
            texts = [(t / source).read_text() for t in trees if (t / source).exists()]
            self.assertTrue(any(all(part in text for part in parts) for text in texts),
                            f"{pattern}: not in {source}")

    def test_the_program_in_c_has_the_same(self):
        """lib/core/warn.c's reader of patterns, with those of the file."""
        where = TempDir(self, "").path
        text = (TOP / "lib/core/warn.c").read_text()
        begins = text[text.index("static bool begins("):text.index("static void count_other")]
        (where / "x.c").write_text(
            "#include <stdbool.h>\n#include <stdio.h>\n#include <string.h>\n" + begins +
            "int main(int argc, char **argv)\n{\n\tint i;\n\n\tfor (i = 1; i < argc; i++)\n"
            '\t\tputs(is_other_splat(argv[i]) ? "REPORT" : "");\n}\n')
        built = sh("cc", "-Wall", "-Werror", f"-I{TOP}/lib", "-o", where / "x", where / "x.c")
        self.assertEqual(built.returncode, 0, built.stdout)
        lines = [s.decode() for s in mutations.SPLATS if b"\n" not in s] + [
            "INFO: lockdep is turned off.", "INFO: NMI handler (x) took too long", "x: BUG: y",
            "kmemleak: Kernel memory leak detector initialized", "in_atomic(): 1", "irq 7: ok"]
        python = ["REPORT" * (klog.kind_of(line) == "REPORT") for line in lines]
        self.assertEqual(sh(where / "x", *lines).stdout.splitlines(), python)
        self.assertEqual(python.count("REPORT"), len(lines) - 7) # and one of two lines

    def test_a_leak_is_told_with_who_made_it(self):
        """As 6.12 and 7.2 print two objects at the end of a run"""
        def leak(at, *functions):
            return [(4, f"kmemleak: {line}") for line in (
                f"unreferenced object {at} (size 64):", '  comm "x", pid 9, jiffies 4294942063',
                "  hex dump (first 32 bytes):", "    6b 6b 6b 6b 6b 6b 6b 6b  kkkkkkkk",
                "  backtrace (crc 0):", *(f"    {f}" for f in functions))]
        kmsg = [*good_kmsg(), *leak("0x1", "__kmalloc_noprof+0x2a/0x3b", "add+0x1/0x2 [test_hmm]"),
                *leak("(percpu) 0x2", "pcpu_alloc+0x1/0x2"),
                (6, "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)")]
        why = Judged(self, None, kmsg).failed()["kernel-log"]
        self.assertIn(f"after {PROGRAM}:f.w.two: kmemleak: unreferenced object 0x1 (size 64): "
                      "from __kmalloc_noprof from add [test_hmm]; ", why)
        self.assertIn("object (percpu) 0x2 (size 64): from pcpu_alloc; ", why)
        self.assertIn("kmemleak: 2 new suspected memory leaks", why)

    def test_unknown_error_of_the_kernel(self):
        kmsg = good_kmsg()
        kmsg.insert(4, (3, "zram: something is wrong"))
        j = Judged(self, None, kmsg)
        self.assertIn("zram: something is wrong (KERN_ERR", j.failed()[f"{PROGRAM}:f.v.one"])
        kmsg[4:4] = [(12, "hmm_notifier: expect something is wrong")]
        self.assertEqual(Judged(self, None, kmsg).code, 0)
        self.assertEqual(Judged(self, None, [(3, "ACPI: x"), *good_kmsg()]).code, 0)

    def test_what_belongs_to_an_announced_splat(self):
        kmsg = good_kmsg()
        kmsg[4:4] = [(12, "hmm_notifier: expect BUG: sleeping function"),
                     (3, "BUG: sleeping function called from invalid context at x.c:1"),
                     (3, "in_atomic(): 1, irqs_disabled(): 0, non_block: 1, pid: 1, name: x"),
                     (3, "preempt_count: 0, expected: 0")]
        self.assertEqual(Judged(self, None, kmsg).code, 0)

    def test_announcement_that_says_nothing(self):
        for text in ("", " ", "BUG: ", "BUG", ": ", "WARNING: ", "WARNING: CPU: 0 PID: 1 at ",
                     "BUG: KASAN: ", "list_del corruption"):
            with self.subTest(text=text):
                kmsg = good_kmsg()
                kmsg[4:4] = [(12, f"hmm_notifier: expect {text}")]
                why = Judged(self, None, kmsg).failed()[f"{PROGRAM}:f.v.one"]
                self.assertRegex(why, "it may not expect '.*': it (is too short|names a whole)")


if __name__ == "__main__":
    unittest.main()
