# SPDX-License-Identifier: GPL-2.0
"""kcidb.json is what KernelCI's database takes, and says what summary.json says."""
import copy
import json
import unittest

import jsonschema
from goodrun import BUG, kmsg
from judged import LAST, PROGRAM, TESTS, Judged, changed, good_ktap
from support import TOP
from test_junit import failing

from runner import kcidb

try:
    from kcidb_io import schema as upstream     # pip has it; Debian has not
except ImportError:
    upstream = None

SCHEMA = json.loads((TOP / "tests/kcidb.schema.json").read_text())
CHECK = jsonschema.Draft7Validator(SCHEMA)
SUITE = "kselftest.mm.hmm_notifier"


def read(judged):
    return json.loads((judged.dir / "kcidb.json").read_text())


class Kcidb(unittest.TestCase):
    def runs(self):
        skipped = good_ktap(**{name: " # SKIP no device here" for name in TESTS})
        yield "PASS", Judged(self)
        yield "FAIL", failing(self)
        yield "FAIL", Judged(self, None, None, "--strict")
        yield "MISS", Judged(self, skipped, kmsg({}))
        yield "FAIL", Judged(self, [], [], ended="no-boot")
        yield "FAIL", Judged(self, changed(good_ktap(), LAST, f"# # \x01{'x' * 20000}",
                                           f"# not ok 4 {LAST.split()[-1]}"))

    def assert_links(self, r):
        """No object names one that is not there, and none is there twice."""
        ids = {kind: [o["id"] for o in r[kind]] for kind in r if kind != "version"}
        for kind, found in ids.items():
            self.assertEqual(len(set(found)), len(found), kind)
        for kind, key, of in (("builds", "checkout_id", "checkouts"),
                              ("tests", "build_id", "builds"),
                              ("incidents", "test_id", "tests"),
                              ("incidents", "issue_id", "issues")):
            self.assertLessEqual({o[key] for o in r[kind]}, set(ids[of]), key)

    def test_of_what_was_judged(self):
        for whole, judged in self.runs():
            r = read(judged)
            self.assertEqual([e.message for e in CHECK.iter_errors(r)], [])
            self.assert_links(r)
            self.assertEqual((r["tests"][0]["path"], r["tests"][0]["status"]), (SUITE, whole))
            self.assertEqual(len(r["tests"]) - 1, len(judged.tests))
            paths = [t["path"] for t in r["tests"]]
            self.assertEqual(len(set(paths)), len(paths))

    @unittest.skipUnless(upstream, "no python module kcidb_io")
    def test_upstream_takes_it(self):
        for _, judged in self.runs():
            upstream.V5_3.validate(read(judged))

    def statuses(self, judged):
        return {t["path"].removeprefix(f"{SUITE}."): t["status"]
                for t in read(judged)["tests"][1:]}

    def test_each_result(self):
        where = PROGRAM.removeprefix("hmm_notifier_")
        good = {f"{where}.f.v.one": "PASS", f"{where}.f.v.two": "SKIP",
                f"{where}.f.w.one": "FAIL", f"{where}.f.w.two": "PASS"}
        self.assertEqual(self.statuses(Judged(self)), good)
        self.assertEqual(self.statuses(failing(self)), {**good, f"{where}.f.w.two": "FAIL"})
        # a run that never came to a test: of the kernel, and of what did not run
        got = self.statuses(Judged(self, [], [], ended="no-boot"))
        self.assertEqual(got.pop("guest"), "FAIL")
        self.assertEqual({got[name] for name in good}, {"MISS"})

    def test_a_known_bug_is_an_issue(self):
        r = read(Judged(self))
        self.assertEqual([i["report_subject"] for i in r["issues"]], [BUG])
        incident, = r["incidents"]
        test, = (t for t in r["tests"] if t["id"] == incident["test_id"])
        self.assertEqual((test["path"], test["status"]), (f"{SUITE}.x.f.w.one", "FAIL"))
        self.assertEqual(read(failing(self))["issues"][0]["id"], r["issues"][0]["id"])

    def test_judged_again_it_is_the_same_run(self):
        runs = [{t["id"] for t in read(j)["tests"]}
                for j in (Judged(self), Judged(self), failing(self))]
        self.assertEqual(runs[0], runs[1])
        self.assertFalse(runs[0] & runs[2])

    def test_paths(self):
        for name, path in (("hmm_notifier_a:f.v.t", f"{SUITE}.a.f.v.t"), ("", SUITE),
                           ("kernel-log", f"{SUITE}.kernel-log"),
                           ("a..b: c/\xe4", f"{SUITE}.a.b._c__")):
            self.assertEqual(kcidb.path(name), path)

    def test_refuses_what_is_none(self):
        good = read(Judged(self))
        for kind, key, value in (
                ("checkouts", "id", "no origin"), ("checkouts", "origin", "hmm-notifier"),
                ("builds", "checkout_id", None), ("builds", "architecture", "X86"),
                ("tests", "path", "a..b"), ("tests", "status", "XFAIL"),
                ("tests", "log_excerpt", "x" * 16385), ("tests", "comment", "a\0b"),
                ("tests", "environment", {"arch": "x"}), ("tests", "result", "pass"),
                ("incidents", "issue_version", "1"), ("issues", "culprit", {"us": True})):
            bad = copy.deepcopy(good)
            bad[kind][0][key] = value
            self.assertFalse(CHECK.is_valid(bad), (kind, key))
        self.assertFalse(CHECK.is_valid({**good, "version": {"major": 4, "minor": 3}}))


if __name__ == "__main__":
    unittest.main()
