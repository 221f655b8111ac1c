# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh --compare: what is worse, and what is not."""
import contextlib
import json
import pathlib
import unittest

from judged import PROGRAM, Judged
from support import TOP, TempDir, sh
from test_junit import failing

from runner import compare, host, options
from runner.errors import BadUsage

RUN = TOP / "run_tests.sh"
TWO = f"{PROGRAM}:f.w.two"


def a_test(name, result="pass", seconds=0.1, reason=""):
    return {"name": name, "result": result, "seconds": seconds, "reason": reason}


def summary(*tests):
    return {"format": 1, "verdict": "pass", "tests": list(tests)}


class Differences(unittest.TestCase):
    def kinds(self, old, new):
        found = compare.differences(summary(*old), summary(*new))
        return {title.split(" (")[0]: [line.split(":")[0].strip() for line in lines]
                for title, lines in found.items() if lines}

    def test_each_pair_of_results(self):
        worse = {("pass", "fail"), ("pass", "known_bug"), ("skip", "fail"),
                 ("skip", "known_bug"), ("known_bug", "fail")}
        better = {("fail", "pass"), ("known_bug", "pass")}
        for old in compare.BAD:
            for new in compare.BAD:
                title = "newly failing" if (old, new) in worse else \
                    "newly passing" if (old, new) in better else "otherwise another result"
                self.assertEqual(self.kinds([a_test("a", old)], [a_test("a", new)]),
                                 {} if old == new else {title: ["a"]}, (old, new))

    def test_gone_and_new(self):
        self.assertEqual(self.kinds([a_test("a")], [a_test("b"), a_test("c", "fail")]),
                         {"gone": ["a"], "new": ["b"], "new and failing": ["c"]})

    def test_slower_needs_both(self):
        for old, new, slower in ((1, 2.1, True), (0.2, 0.6, False), (10, 15, False),
                                 (0.1, 0.7, True), (2, 1, False), (None, 9, False),
                                 (1, None, False)):
            found = self.kinds([a_test("a", seconds=old)], [a_test("a", seconds=new)])
            self.assertEqual(found, {"slower": ["a"]} if slower else {}, (old, new))


class Directories(unittest.TestCase):
    def compare(self, old, new, *more):
        done = sh(RUN, "--compare", old, new, *more)
        return done.returncode, done.stdout

    def test_regression_and_back(self):
        good, bad = Judged(self).dir, failing(self).dir
        code, out = self.compare(good, bad)
        self.assertEqual(code, 1, out)
        self.assertIn(f"newly failing: 1\n  {TWO}: pass, now fail: x.c:60:two:Expected", out)
        self.assertIn("REGRESSION: 1 worse", out)
        code, out = self.compare(bad, good)
        self.assertEqual(code, 0, out)
        self.assertIn(f"newly passing: 1\n  {TWO}: fail, now pass\n", out)
        self.assertEqual(self.compare(bad, bad)[0], 0)

    def test_at_most_so_many_are_named(self):
        where = [TempDir(self).path for _ in range(2)]
        for to, result in zip(where, ("pass", "fail")):
            (to / "summary.json").write_text(json.dumps(
                summary(*(a_test(f"p:t{i}", result) for i in range(500)))))
        code, out = self.compare(*where)
        self.assertEqual(code, 1)
        self.assertIn("newly failing: 500\n", out)
        self.assertIn("  and 480 more\n", out)
        self.assertLess(len(out.splitlines()), 30)

    def test_what_is_no_result(self):
        good, empty = Judged(self).dir, TempDir(self).path
        for text in (None, "x", "[]", '{"verdict": "fail", "reason": "cut off"}',
                     '{"tests": [1]}', '{"tests": [{"name": "a", "reason": "", "result": []}]}'):
            if text:
                (empty / "summary.json").write_text(text)
            for pair in ((good, empty), (empty, good)):
                code, out = self.compare(*pair)
                self.assertEqual(code, 2, out)
                self.assertIn(f"--compare {empty}: ", out)

    def test_nothing_in_common(self):
        """Of all that ran: no regression is not said of what nobody saw."""
        ran = summary(a_test("p:a"), a_test("p:b", "skip"))
        for old, new, code in ((ran, summary(), 4), (summary(), ran, 4),
                               (ran, summary(a_test("p:a", "skip")), 4),
                               (summary(a_test("p:b")), ran, 4),
                               (ran, summary(a_test("p:c")), 4),
                               (ran, summary(a_test("p:c", "fail")), 1),
                               (ran, summary(a_test("p:a"), a_test("p:c")), 0)):
            where = [TempDir(self).path for _ in range(2)]
            for to, said in zip(where, (old, new)):
                (to / "summary.json").write_text(json.dumps(said))
            got, out = self.compare(*where)
            self.assertEqual(got, code, out)
            self.assertEqual("no regression" in out, code == 0, out)

    def test_wrong_usage(self):
        good = Judged(self).dir
        for args in ((good,), (good, "HEAD~3"), (good, "nowhere:x"),
                     (good, good, "--list"), (good, good, "--bisect", "--list")):
            done = sh(RUN, "--compare", *args)
            self.assertIn(done.returncode, (2, 255), args)
            self.assertIn("--compare", done.stdout)


class Revisions(unittest.TestCase):
    def setUp(self):
        self.tree, self.cache = TempDir(self).path, TempDir(self, "").path
        for text in ("one", "two"):
            (self.tree / "file").write_text(text)
            for cmd in (["init", "-q"], ["add", "file"],
                        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", text]):
                self.assertEqual(sh("git", "-C", self.tree, *cmd).returncode, 0)
        self.machine = host.Host()
        self.machine.env["XDG_CACHE_HOME"] = str(self.cache)

    def test_is_unpacked_and_the_tree_left_alone(self):
        (self.tree / "file").write_text("three")
        with compare.unpacked(self.machine, str(self.tree), "HEAD~1") as old:
            self.assertEqual((old / "file").read_text(), "one")
            self.assertTrue(old.is_relative_to(self.cache))
        self.assertFalse(old.exists())
        self.assertEqual((self.tree / "file").read_text(), "three")
        self.assertEqual(sh("git", "-C", self.tree, "worktree", "list").stdout.count("\n"), 1)

    def test_that_there_is_not(self):
        with self.assertRaisesRegex(BadUsage, "HEAD~9"):
            with compare.unpacked(self.machine, str(self.tree), "HEAD~9"):
                pass

    def test_both_are_run_with_the_other_options(self):
        seen = []

        def run(opt, spec):
            tree = pathlib.Path(spec[len("tree:"):].removesuffix("+fixes"))
            seen.append((opt.globs, spec.endswith("+fixes"), (tree / "file").read_text()))
            where = TempDir(self).path
            (where / "summary.json").write_text(json.dumps(summary(a_test("a"))))
            return where

        real, compare.test = compare.test, run
        self.addCleanup(setattr, compare, "test", real)
        opt = options.parse(["--compare", "HEAD~1", f"tree:{self.tree}+fixes", "--test", "x"])
        before = host.environment

        def environment():
            return {**before(), "XDG_CACHE_HOME": str(self.cache)}

        host.environment = environment
        self.addCleanup(setattr, host, "environment", before)
        with contextlib.redirect_stdout(None):
            self.assertEqual(compare.run_both(opt), 0)
        self.assertEqual(seen, [(("x",), True, "one"), (("x",), True, "two")])


if __name__ == "__main__":
    unittest.main()
