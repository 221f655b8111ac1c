# SPDX-License-Identifier: GPL-2.0
"""The judge on the results of a small run, changed before it sees them."""
import json
import unittest

import goodrun
from goodrun import BUG
from support import RUNNER, TempDir, sh

PROGRAM = "hmm_notifier_x"
TESTS = {
    "f.v.one": "",
    "f.v.two": " # SKIP no CONFIG_THIS",
    "f.w.one": f" # XFAIL known bug: {BUG}",
    "f.w.two": "",
}
OTHER_WARN = "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 get_page+0x1/0x2"
ONE, KNOWN = "# ok 1 f.v.one", f"# ok 3 f.w.one # XFAIL known bug: {BUG}"
SKIP, LAST = "# ok 2 f.v.two # SKIP no CONFIG_THIS", "# ok 4 f.w.two"


def good_ktap(**results):
    return goodrun.ktap({PROGRAM: {**TESTS, **results}})


def good_kmsg():
    return goodrun.kmsg({f"{PROGRAM}:{name}": rest for name, rest in TESTS.items()})


class Judged:
    def __init__(self, test, ktap=None, kmsg=None, *args, ended="power-off",
                 expected=None, numbers=None, end_line=True, selects=True, **files):
        self.dir = TempDir(test).path
        ktap = good_ktap() if ktap is None else ktap
        kmsg = good_kmsg() if kmsg is None else kmsg
        lines = goodrun.kmsg_lines(kmsg, numbers, end_line)
        self.write("ktap.log", "\n".join(ktap) + "\n" * bool(ktap))
        self.write("kmsg.log", "\n".join(lines) + "\n")
        for name, text in goodrun.describe({PROGRAM: TESTS}, selects).items():
            self.write(name, text)
        if expected is not None:
            self.write("expected", "".join(f"{PROGRAM}:{n}\n" for n in expected))
        if ended:
            self.write("boot.json", json.dumps(
                {"ended": ended, "detail": "" if ended == "power-off" else "it ended so"}))
        for name, text in files.items():
            self.write(name.replace("_json", ".json"), text)
        done = sh(*RUNNER, "judge", *args, self.dir)
        self.code, self.out = done.returncode, done.stdout
        self.summary = json.loads((self.dir / "summary.json").read_text())
        self.tests = {t["name"]: (t["result"], t["reason"])
                      for t in self.summary.get("tests", [])}

    def write(self, name, text):
        (self.dir / name).write_text(text)

    def failed(self):
        return {n: why for n, (what, why) in self.tests.items() if what == "fail"}


def changed(lines, old, *new):
    assert old in lines, old
    i = lines.index(old)
    return [*lines[:i], *new, *lines[i + 1:]]


class JudgeTest(unittest.TestCase):
    def assert_fails(self, j, name, text, code=1):
        self.assertEqual((j.code, j.summary["verdict"]), (code, "fail"), j.out)
        self.assertIn(text, j.failed().get(name, f"not failed: {j.out}"))
