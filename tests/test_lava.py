# SPDX-License-Identifier: GPL-2.0
"""A LAVA job of the tests, run by LAVA's own dispatcher: each test is a test case there,
with the verdict that it has here."""
import contextlib
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import unittest

from support import KERNEL, STANDINS, TOP, Run, TempDir, sh

told = importlib.import_module("ci.lava.told")
lab = importlib.import_module("ci.lava.lab")

X = "hmm_notifier_standin"
NEXT = "hmm_notifier_standin_next"
# What a server does with a job before it takes it
VALIDATE = """
import sys, yaml
from lava_common import schemas
from lava_common.schemas import device
schemas.validate(yaml.safe_load(open(sys.argv[1])))
device.validate(yaml.safe_load(open(sys.argv[2])))
"""


def result(name, result, definition="hmm-notifier"):
    return {"lvl": "results", "msg": {
        "case": told.slug(name), "definition": definition,
        "extra": {"test_case_id": name}, "result": result}}


JOB = result("job", "pass", "lava")
GOOD = [result("p:f.v.a", "pass"), result("p:f.v.b", "skip"), result("p:f.v.c", "pass"),
        result("p", "pass"), JOB]
JUDGED = [{"name": f"p:f.v.{name}", "result": said}
          for name, said in (("a", "pass"), ("b", "skip"), ("c", "known_bug"))]


class Compared(unittest.TestCase):
    def assert_differs(self, lines, *names, judged=JUDGED):
        said = told.differences(judged, lines)
        self.assertEqual([line.partition(": ")[0] for line in said], list(names), said)

    def test_the_same(self):
        self.assert_differs(GOOD)

    def test_another_verdict(self):
        for name in "abc":
            lines = [result("p:f.v." + name, "fail") if line["msg"]["case"] == f"p_f_v_{name}"
                     else line for line in GOOD]
            self.assert_differs(lines, f"p:f.v.{name}")
        self.assert_differs([GOOD[0], result("p:f.v.b", "pass"), *GOOD[2:]], "p:f.v.b")
        self.assert_differs(GOOD, "p:f.v.a", judged=[{**JUDGED[0], "result": "fail"},
                                                     *JUDGED[1:]])

    def test_absent_twice_or_unknown(self):
        self.assert_differs(GOOD[1:], "p:f.v.a")
        self.assert_differs([GOOD[0], *GOOD], "p:f.v.a")
        self.assert_differs(GOOD, "p:f.v.c", judged=JUDGED[:2])
        self.assert_differs([], *(t["name"] for t in JUDGED))

    def test_unasked(self):
        """6.1's harness runs a program whole."""
        to = TempDir(self).path
        for selects, differ in ((False, 0), (True, 1)):
            (to / "programs.json").write_text(json.dumps(
                {"p": {"selects": selects, "tests": ["f.v.a", "f.v.c"], "strings": []}}))
            said = told.differences(JUDGED[:2], GOOD, told.beside(to))
            self.assertEqual(len(said), differ, said)

    def test_broken_off(self):
        """What failed here may be absent there, if there is something that says why."""
        failed = [JUDGED[0], *({**t, "result": "fail"} for t in JUDGED[1:])]
        self.assert_differs([GOOD[0], JOB], "p:f.v.b", "p:f.v.c", judged=failed)
        self.assert_differs([GOOD[0], result("panic - not syncing: x", "fail"), JOB],
                            judged=failed)
        self.assert_differs([GOOD[0], result("job", "fail", "lava")], judged=failed)
        self.assert_differs([GOOD[0], result("job", "fail", "lava")], "p:f.v.b", "p:f.v.c")


class Console(unittest.TestCase):
    """What runner/guest/cases makes of the harness' words"""

    def said(self, *lines):
        script = TOP / "runner/guest/cases"
        text = script.read_text().replace("/dev/console", "/dev/stderr")
        done = subprocess.run(["awk", text],
                              input="".join(f"{line}\n" for line in lines), text=True,
                              capture_output=True, check=True)
        self.assertEqual(done.stdout.splitlines(), list(lines))
        return re.findall("^hmm_notifier: case (.*)$", done.stderr, re.M)

    def test_each_word(self):
        begin = ("# hmm_notifier: program p", "# #  RUN           f.v.a ...")
        for line, said in (("ok 1 f.v.a", "pass"), ("not ok 1 f.v.a", "fail"),
                           ("ok 1 f.v.a # SKIP no NUMA", "skip"),
                           ("ok 1 # SKIP no NUMA", "skip"),
                           ("ok 1 # SKIP known bug: mm: a title", "pass"),
                           ("ok 1 f.v.a # XFAIL known bug: mm: a title", "pass")):
            self.assertEqual(self.said(*begin, f"# {line}"), [f"{said} p:f.v.a"])
        for line, said in (("ok 1 selftests: mm: p", "pass"),
                           ("ok 1 selftests: mm: p # SKIP", "skip"),
                           ("not ok 1 selftests: mm: p # exit=1", "fail")):
            self.assertEqual(self.said(*begin, line), [f"{said} p"])

    def test_nothing(self):
        self.assertEqual(self.said(), ["fail nothing_ran"])


class Stored(unittest.TestCase):
    """What a server kept of a log"""
    ROWS = [{"suite": "hmm-notifier", "name": line["msg"]["case"],
             "result": line["msg"]["result"]} for line in GOOD[:-1]]

    def test_the_same(self):
        job = {"suite": "lava", "name": "job", "result": "pass"}
        self.assertEqual(told.stored([*self.ROWS, job], GOOD), [])

    def test_another_absent_or_unknown(self):
        for rows in ([{**self.ROWS[0], "result": "fail"}, *self.ROWS[1:]], self.ROWS[1:],
                     [*self.ROWS, {**self.ROWS[0], "name": "p_f_v_d"}]):
            self.assertEqual(len(told.stored(rows, GOOD)), 1, rows)


class Table(unittest.TestCase):
    """What make lava-lab says of its jobs"""

    def job(self, name, *lines, differ=()):
        each = lab.Entry(name, None, None, None, lava=list(lines), differ=list(differ))
        each.shown = {"device": "qemu-1", "submit_time": "20260101T10:00:00",
                      "start_time": "20260101T10:00:05", "end_time": "20260101T10:01:10"}
        return each

    def said(self, *matrix):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = lab.report(list(matrix), 2)
        return code, out.getvalue()

    def test_agrees(self):
        code, out = self.said(self.job("source:6.12", *GOOD),
                              self.job("mutant x", result("p:f.v.a", "fail")))
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"source:6.12 +qemu-1 +5 +65 +3 +0 +1 +0\n")
        self.assertIn("2 workers: 2 jobs in 70 s, that ran 130 s: 1.86 at once; 0 diff", out)

    def test_differs(self):
        code, out = self.said(self.job("source:6.12", *GOOD, differ=["p:f.v.a: pass, ..."]))
        self.assertEqual(code, 1, out)
        self.assertIn("DIFFERS source:6.12: p:f.v.a: pass, ...\n", out)

    def test_mutant_that_nobody_noticed(self):
        code, out = self.said(self.job("mutant x", *GOOD))
        self.assertEqual((code, "NOT NOTICED mutant x\n" in out), (1, True), out)


class Names(unittest.TestCase):
    def test_unlike_in_lava(self):
        """It has them in lower case, and an underscore for all that is no letter."""
        names = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--list", "--all")
        names = [line for line in names.stdout.splitlines() if told.is_test(line)]
        self.assertGreater(len(names), 100)
        self.assertEqual(len({told.slug(n) for n in names}), len(names))


@unittest.skipUnless(shutil.which("lava-run"), "no lava-run here: make lava-local has it")
@unittest.skipIf(os.geteuid(), "lava-run wants to be root")
class Really(unittest.TestCase):
    def run_it(self, *globs, more=()):
        self.dir = TempDir(self).path
        done = sh("/usr/bin/python3", "-B", "-m", "ci.lava", "--kernel", KERNEL, "--results",
                  self.dir, *STANDINS, *more, *(a for g in globs for a in ("--test", g)),
                  cwd=TOP)
        latest = self.dir / "latest"
        return done, told.cases(told.read_log(latest / "lava.log"))

    def test_each_verdict(self):
        done, cases = self.run_it(f"{X}:ends.passes", f"{X}:ends.fails", f"{X}:ends.skips",
                                  f"{X}:ends.known_bug", f"{NEXT}:ends.passes")
        self.assertEqual((done.returncode, cases), (1, {
            f"{X}:ends.passes": "pass", f"{X}:ends.fails": "fail", f"{X}:ends.skips": "skip",
            f"{X}:ends.known_bug": "pass", X: "fail",
            f"{NEXT}:ends.passes": "pass", NEXT: "pass"}), done.stdout)
        self.assertIn("7 test cases, 2 failed; 0 differences", done.stdout)
        latest = self.dir / "latest"
        self.assertEqual(sh("/usr/bin/python3", "-c", VALIDATE, latest / "job.yaml",
                            latest / "device.yaml").stdout, "")

    def test_what_passes(self):
        done, cases = self.run_it(f"{X}:ends.passes")
        self.assertEqual((done.returncode, cases), (0, {f"{X}:ends.passes": "pass",
                                                        X: "pass"}), done.stdout)

    def test_hang(self):
        done, cases = self.run_it(f"{X}:kernel.mad.hang", f"{NEXT}:ends.passes",
                                  more=("--timeout", "6"))
        self.assertEqual((done.returncode, cases), (1, {
            f"{X}:kernel.mad.hang": "fail", X: "fail", f"{NEXT}:ends.passes": "pass",
            NEXT: "pass"}), done.stdout)
        self.assertIn(" 0 differences", done.stdout)

    def test_panic(self):
        """It is a failure of its own, and no fault of the lab."""
        done, cases = self.run_it(f"{X}:ends.passes", f"{X}:kernel.mad.panic",
                                  f"{NEXT}:ends.passes")
        self.assertEqual((done.returncode, cases), (1, {
            f"{X}:ends.passes": "pass", "panic - not syncing: asked for": "fail"}),
            done.stdout)
        self.assertIn(" 0 differences", done.stdout)

    def test_no_device(self):
        done, cases = self.run_it(f"{X}:ends.passes",
                                  more=("--append", "module_blacklist=test_hmm"))
        self.assertEqual((done.returncode, cases["load-test_hmm.ko"]), (4, "fail"),
                         done.stdout)


class WithoutLava(unittest.TestCase):
    def test_console_has_no_cases(self):
        r = Run(self, "--test", f"{X}:ends.passes")
        self.assertEqual(r.code, 0, r.out)
        self.assertNotIn("hmm_notifier", r.log("console.log"))


if __name__ == "__main__":
    unittest.main()
