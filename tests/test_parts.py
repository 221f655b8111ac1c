# SPDX-License-Identifier: GPL-2.0
"""--jobs N: what several guests ran is one run, and nothing of it is lost."""
import json
import shutil
import unittest

import goodrun
from support import KERNEL, RUNNER, TOP, Run, TempDir, sh

from runner import options

PARTS = ({"hmm_notifier_x": {"f.v.one": "", "f.v.two": " # SKIP no CONFIG_THIS"},
          "hmm_notifier_y": {"g.one": ""}},
         {"hmm_notifier_x": {"f.w.one": f" # XFAIL known bug: {goodrun.BUG}"},
          "hmm_notifier_z": {"h.one": "", "h.two": ""}})
ALL = sorted(f"{p}:{t}" for part in PARTS for p, tests in part.items() for t in tests)


def programs(parts):
    whole = {}
    for part in parts:
        for name, tests in part.items():
            whole.setdefault(name, {}).update(tests)
    return whole


def write(where, part, **logs):
    """logs: without them there are none"""
    where.mkdir(exist_ok=True)
    texts = goodrun.describe(programs([part]))
    # all that the program has, not what of it is run here
    texts["programs.json"] = goodrun.describe(programs(PARTS))["programs.json"]
    for name, text in {**texts, **logs}.items():
        (where / name.replace("_", ".")).write_text(text)


class Judged(unittest.TestCase):
    def setUp(self):
        self.dir = TempDir(self).path
        write(self.dir, programs(PARTS))
        meta = json.loads((self.dir / "meta.json").read_text())
        (self.dir / "meta.json").write_text(json.dumps({**meta, "jobs": "2"}))
        for i, part in enumerate(PARTS, 1):
            self.write_part(i, part)

    def write_part(self, i, part):
        begun = {f"{p}:{t}": rest for p, tests in part.items()
                 for t, rest in tests.items() if "SKIP" not in rest}
        write(self.dir / f"part-{i}", part,
              ktap_log="\n".join(goodrun.ktap(part)) + "\n",
              kmsg_log="\n".join(goodrun.kmsg_lines(goodrun.kmsg(begun))) + "\n",
              boot_json=json.dumps(goodrun.BOOT))

    def judge(self):
        r = sh(*RUNNER, "judge", self.dir)
        summary = json.loads((self.dir / "summary.json").read_text())
        self.assertEqual((r.returncode == 0), summary["verdict"] == "pass", r.stdout)
        failed = {t["name"]: t["reason"] for t in summary["tests"] if t["result"] == "fail"}
        return r.returncode, failed, summary

    def test_good(self):
        code, failed, summary = self.judge()
        self.assertEqual((code, failed), (0, {}))
        self.assertEqual(sorted(t["name"] for t in summary["tests"]), ALL)
        self.assertEqual([summary[k] for k in ("passed", "skipped", "known_bugs", "ended")],
                         [4, 1, 1, "power-off"])

    def test_a_part_is_missing(self):
        for i in (1, 2):
            shutil.rmtree(self.dir / f"part-{i}")
            code, failed, _ = self.judge()
            self.assertEqual(code, 1)
            gone = {f"{p}:{t}" for p, tests in PARTS[i - 1].items() for t in tests}
            self.assertLessEqual(gone, set(failed))
            self.write_part(i, PARTS[i - 1])

    def test_a_file_is_missing(self):
        for i in (1, 2):
            for name in ("ktap.log", "kmsg.log", "boot.json", "meta.json", "programs.json",
                         "expected"):
                (self.dir / f"part-{i}" / name).unlink()
                self.assertEqual(self.judge()[0], 1, name)
                self.write_part(i, PARTS[i - 1])
        for name in ("meta.json", "expected"):
            text = (self.dir / name).read_text()
            (self.dir / name).unlink()
            self.assertNotEqual(self.judge()[0], 0, name)
            (self.dir / name).write_text(text)

    def test_a_test_in_no_part(self):
        self.write_part(2, {"hmm_notifier_z": PARTS[1]["hmm_notifier_z"]})
        code, failed, _ = self.judge()
        self.assertEqual((code, failed), (1, {
            "hmm_notifier_x:f.w.one": "did not run: no part of the run has it"}))

    def test_a_test_in_two_parts(self):
        self.write_part(2, {**PARTS[1], "hmm_notifier_y": {"g.one": ""}})
        code, failed, _ = self.judge()
        self.assertEqual((code, failed),
                         (1, {"hmm_notifier_y:g.one": "it has a result in part-2, too"}))

    def test_a_guest_ends_badly(self):
        for i in (1, 2):
            boot = {**goodrun.BOOT, "ended": "panic", "detail": "Kernel panic", "seconds": 0}
            (self.dir / f"part-{i}/boot.json").write_text(json.dumps(boot))
            code, failed, summary = self.judge()
            self.assertEqual((code, summary["ended"]), (1, "panic"))
            self.assertIn("Kernel panic", failed["guest"])
            self.write_part(i, PARTS[i - 1])


class Guests(unittest.TestCase):
    def test_all_takes_the_guests_that_the_machine_bears(self):
        for words, cpus, memory, jobs in (
                ("--all", 2, 20000, 3), ("--all", 64, 100000, 4), ("--all", 1, 20000, 2),
                ("--all", 8, 5000, 2), ("--all", 8, 500, 1), ("--all --memory 4096", 8, 20000, 2),
                ("--all --jobs 3", 1, 500, 3), ("", 8, 20000, 1), ("--panic-on-warn", 8, 20000, 1),
                ("--all --backend vng", 8, 20000, 1), ("--all --subject kvm", 8, 20000, 1)):
            got = options.parser().parse_args(words.split())
            self.assertEqual(options.guests(got, cpus, memory), jobs, words)


class Really(unittest.TestCase):
    def test_run(self):
        globs = ("--test", "ends.passes", "--test", "ends.skips")
        r = Run(self, "--jobs", "3", *globs)
        self.assertEqual(r.code, 0, r.out)
        self.assertEqual({name: r.result(name)[0] for name in r.tests},
                         {f"hmm_notifier_standin{which}:ends.{what}": result
                          for which in ("", "_next")
                          for what, result in (("passes", "pass"), ("skips", "skip"))})
        self.assertEqual(r.summary["meta"]["jobs"], "3")
        self.assertNotIn("other shards", r.summary["meta"]["left_out"])
        # judged again, wherever it comes from
        again = sh(*RUNNER, "judge", r.dir / "latest")
        self.assertEqual(again.returncode, 0, again.stdout)

    def test_failures_of_all_guests_are_told_as_they_come(self):
        r = Run(self, "--jobs", "2", "--test", "ends.fails")
        self.assertEqual(r.code, 1, r.out)
        self.assertEqual(r.out.partition("FAIL: ")[0].count("  FAIL ends.fails\n"), 2, r.out)

    def test_not_with_everything(self):
        for more in (["--panic-on-warn"], ["--subject", "kvm"]):
            r = sh(TOP / "run_tests.sh", "--kernel", KERNEL, "--jobs", "2", *more)
            self.assertIn("--jobs: not with", r.stdout)
            self.assertEqual(r.returncode, 2)


if __name__ == "__main__":
    unittest.main()
