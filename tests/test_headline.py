# SPDX-License-Identifier: GPL-2.0
"""What a failing run says first: what is broken, by its cause, on one screen."""
import json
import os
import re
import shlex
import unittest

import goodrun
from judged import PROGRAM, Judged, changed, good_kmsg, good_ktap
from support import RUNNER, TOP, TempDir, sh

from runner import headline, options

HLIST = ("hmm_notifier.h:178:holds:Expected expected->warns[RULE_SITE_HLIST] (1) == "
         "report->warns[RULE_SITE_HLIST] (0)")


def failing(said=(HLIST,), name="f.w.two"):
    ktap = changed(good_ktap(), f"# #            OK  {name}", *(f"# # {s}" for s in said),
                   f"# #          FAIL  {name}")
    return changed(ktap, f"# ok 4 {name}", f"# not ok 4 {name}")


def meta(**more):
    given = json.loads(goodrun.describe({PROGRAM: {"x": ""}})["meta.json"])
    return json.dumps({**given, **more})


class Causes(unittest.TestCase):
    def of(self, *said, reason="x"):
        return headline.cause({"name": "p:t", "reason": reason,
                               "log": [f"# {line}" for line in said]},
                              {"warn_sites": goodrun.SITES})

    def test_a_warn_that_did_not_come_names_function_and_line(self):
        self.assertEqual(self.of(HLIST), "the hlist WARN (mn_hlist_invalidate_range_start, "
                         "mm/mmu_notifier.c:487) did not come")

    def test_a_warn_too_many(self):
        self.assertIn("came where the rule has none", self.of(
            HLIST.replace("(0)", "(2)").replace("(1)", "(0)")))

    def test_each_check_of_a_change_has_a_sentence(self):
        """Those of what check_starts.c finds"""
        text = (TOP / "selftests/hmm_notifier_mmap.c").read_text()
        found = re.findall(r"EXPECT_EQ\(0, (starts->[\w.]+)\)", text)
        self.assertLess(3, len(found))
        for what in found:
            self.assertNotIn(what, self.of(f"x.c:9:t:Expected 0 (0) == {what} (1)"))

    def test_what_is_not_started_does_not_warn_either(self):
        self.assertEqual(self.of(HLIST, "x.c:1:t:Expected 1 (1) <= starts->starts[i] (0)"),
                         "an invalidation was not started")
        self.assertEqual(self.of(HLIST, "x.c:1:t:Expected 1 (1) <= starts->starts[i] (0)",
                                 "x.c:2:t:no event 0 of 0x1 to 0x2, which zap() starts"),
                         "zap() did not start its invalidation")
        self.assertEqual(self.of(HLIST, "x.c:1:t:Expected expected->calls[i] (1) == "
                                 "seen.calls (0)"), "a notifier was not called")

    def test_what_no_rule_is_for_is_as_it_was_said(self):
        self.assertEqual(self.of("x.c:1:t:Expected a (1) == b (2)"), "a == b does not hold")
        self.assertEqual(self.of("x.c:1:t:Expected '' == 'a stale read: 7, not 1'."),
                         "a stale read: 7, not 1")
        self.assertEqual(self.of(reason="hangs: for 45 s; more"), "hangs: for 45 s")

    def test_in_words(self):
        self.assertEqual(headline.in_words(f"# {HLIST}"),
                         "hmm_notifier.h:178: expected one WARN at hlist, saw none")

    def test_each_known_bug_says_what_it_means(self):
        header = (TOP / "selftests/hmm_notifier.h").read_text()
        bugs = re.findall(r'"known bug: (.*)"', header)
        self.assertLess(2, len(bugs))
        self.assertEqual(set(bugs) - set(headline.MEANS), set())


class Screen(unittest.TestCase):
    def test_says_first_what_is_broken_and_each_check_once(self):
        j = Judged(self, failing())
        self.assertTrue(j.out.startswith("FAIL the hlist WARN (mn_hlist_"), j.out)
        self.assertEqual(j.out.count("expected one WARN at hlist, saw none"), 1, j.out)
        self.assertNotIn(HLIST, j.out)

    def test_any_number_of_failures_fits_one_screen(self):
        where = TempDir(self).path
        goodrun.large(where)
        ktap = (where / "ktap.log").read_text()
        for causes in (1, 40):
            n = iter(range(10 ** 6))
            broken = re.sub(r"# #            OK  (\S+)\n# ok (\d+) \S+[^\n]*", lambda m: (
                f"# # x.c:1:t:Expected a{next(n) % causes} (1) == b (2)\n" * 30 +
                f"# #          FAIL  {m[1]}\n# not ok {m[2]} {m[1]}"), ktap)
            (where / "ktap.log").write_text(broken)
            done = sh(*RUNNER, "judge", where)
            self.assertEqual(done.returncode, 1)
            self.assertLessEqual(len(done.stdout.splitlines()), 60, done.stdout)
            self.assertIn("a0 == b does not hold", done.stdout)
            failed = sum(t["result"] == "fail" for t in
                         json.loads((where / "summary.json").read_text())["tests"])
            self.assertEqual(len(re.findall("^FAIL ", (where / "failures.txt").read_text(),
                                            re.M)), failed)

    def test_strict_says_that_it_is_the_known_bugs(self):
        self.assertIn("it is they that make it FAIL", Judged(self, None, None, "--strict").out)
        self.assertNotIn("it is they", Judged(self, failing(), None, "--strict").out)

    def test_strict_names_a_few_of_each_known_bug(self):
        where = TempDir(self).path
        goodrun.large(where)
        few, every = (sh(*RUNNER, "judge", "--strict", *more, where).stdout
                      for more in ([], ["--verbose"]))
        self.assertIn(": 12 tests\n", few)
        self.assertEqual(len(re.findall("(?m)^    hmm_notifier_", few)), 3, few)
        self.assertIn("\n    and 9 more; --verbose names them\n", few)
        self.assertEqual(len(re.findall("(?m)^    hmm_notifier_", every)), 11 + 12, every)

    def test_how_many_of_how_many(self):
        j = Judged(self, meta_json=meta(left_out={"OOM kills": 8, "more": 9},
                                        choice="default"))
        self.assertIn("4 of 21 tests ran; left out: more (9), OOM kills (8); --all", j.out)

    def test_the_command_is_the_one_of_the_run(self):
        j = Judged(self, failing(), meta_json=meta(again="./run_tests.sh --kernel 'tree:/a b'"))
        self.assertIn("alone: ./run_tests.sh --kernel 'tree:/a b' --test '"
                      f"{PROGRAM}:f.w.two'\n", j.out)

    def test_random_operations_are_repeated_by_their_seed(self):
        programs = json.loads(goodrun.describe({PROGRAM: dict.fromkeys(
            ("f.v.one", "f.v.two", "f.w.one", "f.w.two"), "")})["programs.json"])
        programs[PROGRAM]["strings"].append("HMM_NOTIFIER_STRESS_SECONDS")
        j = Judged(self, failing((HLIST, "x.c:9:t:seed 77, step 1")), good_kmsg(),
                   meta_json=meta(stress="60"), programs_json=json.dumps(programs))
        self.assertIn("--stress 60 --seed 77 --test", j.out)


class Again(unittest.TestCase):
    def test_repeats_what_matters_quoted(self):
        where = TempDir(self).path
        (where / "x.config").touch()
        text = options.parse(["--kernel", f"tree:{where}", "--config", str(where / "x.config"),
                              "--append", "a b", "--all", "--verbose", "--strict"]).again
        self.assertEqual(text, f"./run_tests.sh '--kernel=tree:{where}' "
                         f"'--config={where}/x.config' '--append=a b' --strict")
        self.assertEqual(options.parse(sh_words(text)).again, text)

    def test_paths_are_those_of_any_directory(self):
        where = TempDir(self, "").path
        (where / "mods,1").mkdir()
        for name in ("bz", "x.ko", "prog"):
            (where / name).touch()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(where)
        for words, found in (
                (["--kernel", "tree:.+fixes"], f"--kernel=tree:{where}+fixes"),
                (["--kernel", "image:bz,mods,1"], f"--kernel=image:{where}/bz,{where}/mods,1"),
                (["--kernel", "image:bz,mods,1,../src"],
                 f"--kernel=image:{where}/bz,{where}/mods,1,{where.parent}/src"),
                (["--kernel", "source:l.tar"], f"--kernel=source:{where}/l.tar"),
                (["--kernel", "source:6.12+fixes"], "--kernel=source:6.12+fixes"),
                (["--kernel", "debian:6.12"], "--kernel=debian:6.12"),
                (["--kernel", "host:src"], f"--kernel=host:{where}/src"),
                (["--subject", "prog x", "--module", "x.ko a=1"],
                 f"'--subject={where}/prog x' '--module={where}/x.ko a=1'"),
                (["--subject", "kvm"], "--subject=kvm"),
                (["--compare", "HEAD~3", "tree:."], f"--compare 'HEAD~3' tree:{where}"),
                (["--compare", "mods,1", "debian:6.12", "--strict"],
                 f"--compare {where}/mods,1 debian:6.12 --strict")):
            self.assertEqual(options.parse(words).again, f"{TOP}/run_tests.sh {found}")

    def test_of_random_operations_the_tests_say(self):
        self.assertEqual(options.parse(["--stress", "5", "--seed", "1"]).again,
                         "./run_tests.sh")


def sh_words(text):
    """As a shell takes it"""
    return shlex.split(text)[1:]


if __name__ == "__main__":
    unittest.main()
