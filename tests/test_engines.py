# SPDX-License-Identifier: GPL-2.0
"""The table that compares engines, test by test: a difference of each kind is seen."""
import contextlib
import io
import json
import unittest

from support import TempDir

import engines

X = "hmm_notifier_contract"
KTAP = """\
TAP version 13
1..1
# timeout set to 300
# selftests: mm: ksft_hmm_notifier.sh
# # TAP version 13
# # 1..2
# # # Starting 4 tests from 2 test cases.
# # #  RUN           rule.hlist_block_0.holds ...
# # #            OK  rule.hlist_block_0.holds
# # ok 1 rule.hlist_block_0.holds
# # not ok 2 rule.hlist_block_eagain.holds
# # ok 3 rule.hlist_block_enomem.holds # SKIP splats are not asked for (HMM_NOTIFIER_SPLATS=1)
# # ok 4 release.true.holds # XFAIL known bug: mm: a title
# # # FAILED: 3 / 4 tests passed.
# not ok 1 hmm_notifier_contract
# # ok 1 global.says # SKIP no NUMA
# ok 2 hmm_notifier_device # SKIP
# # Totals: pass:0 fail:1 xfail:0 xpass:0 skip:1 error:0
not ok 1 selftests: mm: ksft_hmm_notifier.sh # exit=1
"""
NOT_ASKED = "splats are not asked for (HMM_NOTIFIER_SPLATS=1)"
READ = {f"{X}:rule.hlist_block_0.holds": ("pass", ""),
        f"{X}:rule.hlist_block_eagain.holds": ("fail", ""),
        f"{X}:rule.hlist_block_enomem.holds": ("skip", NOT_ASKED),
        f"{X}:release.true.holds": ("known_bug", "known bug: mm: a title"),
        "hmm_notifier_device:global.says": ("skip", "no NUMA")}


def lava_line(name, result):
    return json.dumps({"lvl": "results", "msg": {
        "case": "x", "definition": "hmm-notifier", "extra": {"test_case_id": name},
        "result": result}})


class Read(unittest.TestCase):
    def test_ktap(self):
        self.assertEqual(engines.read_ktap(KTAP), READ)
        self.assertEqual(engines.read_ktap(KTAP.replace("# # ", "# ")), READ)

    def test_kunit_in_dmesg(self):
        log = """\
[    1.625790]     # Subtest: mmu_notifier
[    1.626450]         # Subtest: holds
[    1.672265]         ok 2 block_hlist
[   11.675343]         not ok 3 release_hlist
[   11.676343]         ok 4 release_two_pass # SKIP no such
[   11.700000]     # holds: pass:1 fail:1 skip:1 total:3
[   11.700000]     not ok 1 holds
[   11.700100] not ok 1 mmu_notifier
"""
        self.assertEqual(engines.read_ktap(log), {
            f"kunit:mmu_notifier.{name}.holds": said for name, said in (
                ("block_hlist", ("pass", "")), ("release_hlist", ("fail", "")),
                ("release_two_pass", ("skip", "no such")))})

    def test_nothing_of_a_program_that_did_not_end(self):
        cut = KTAP[:KTAP.index("# ok 2 hmm_notifier_device")]
        self.assertNotIn("hmm_notifier_device:global.says", engines.read_ktap(cut))

    def test_lava(self):
        log = TempDir(self).path / "lava.log"
        log.write_text("".join(f"{lead}{lava_line(name, said)}\n" for lead, name, said in (
            ("", f"{X}:a.b", "pass"), ("- ", f"{X}:a.c", "fail"), ("", X, "fail"))))
        self.assertEqual(engines.read(log),
                         {f"{X}:a.b": ("pass", ""), f"{X}:a.c": ("fail", "")})

    def test_names_in_kunit(self):
        for ours, theirs in (
                ("rule.hlist_block_0.holds", "block_hlist"),
                ("rule.hlist_nonblock_enomem.holds", "nonblock_hlist_enomem"),
                ("rule.hlist_end_block_eagain.holds", "block_end_eagain"),
                ("rule.interval_block_true.holds", "block_interval"),
                ("rule.two_pass_nonblock_false.holds", "nonblock_two_pass_false"),
                ("rule.block_end_hlist_eagain.holds", "block_end_hlist_eagain"),
                ("release.true.holds", "release_interval"),
                ("release.two_pass_false.holds", "release_two_pass_false")):
            self.assertEqual(engines.in_kunit(f"{X}:{ours}"),
                             f"kunit:mmu_notifier.{theirs}.holds")


class Compared(unittest.TestCase):
    def compared(self, theirs):
        found = engines.compare(READ, theirs)
        return {how: len(tests) for how, tests in found.items()}

    def test_the_same(self):
        self.assertEqual(self.compared(READ), {engines.SAME: 5})

    def test_not_asked_for(self):
        name = f"{X}:rule.hlist_block_0.holds"
        for why in (NOT_ASKED, "no free huge pages (vm.nr_hugepages=12)",
                    "no victim was killed so"):
            self.assertEqual(self.compared({name: ("skip", why)}), {engines.CONSENT: 1})
        self.assertEqual(self.compared({name: ("skip", "no NUMA")}),
                         {"pass, there skip (no NUMA)": 1})
        self.assertEqual(self.compared({name: ("skip", "")}), {"pass, there skip": 1})

    def test_known_bug_passes_elsewhere(self):
        name = f"{X}:release.true.holds"
        self.assertEqual(self.compared({name: ("pass", "")}), {engines.SAME: 1})
        self.assertEqual(self.compared({name: ("fail", "")}), {"known_bug, there fail": 1})

    def test_each_other_result(self):
        for name, (ours, _) in READ.items():
            for theirs in {"pass", "fail", "skip", "twice"} - {engines.told.SAYS[ours]}:
                self.assertEqual(self.compared({name: (theirs, "")}),
                                 {f"{ours}, there {theirs}": 1})


class Program(unittest.TestCase):
    def run_it(self, *logs):
        tmp = TempDir(self).path
        (tmp / "summary.json").write_text(json.dumps({"tests": [
            {"name": name, "result": said, "reason": why}
            for name, (said, why) in READ.items()]}))
        engine = []
        for i, log in enumerate(logs):
            (tmp / f"{i}.ktap").write_text(log)
            engine.append(f"kselftest={tmp}/{i}.ktap")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = engines.main([str(tmp), *engine])
        return code, out.getvalue()

    def test_agree(self):
        code, out = self.run_it(KTAP)
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"kselftest +5 +5 +5 +0 +0\n")

    def test_differ(self):
        code, out = self.run_it(KTAP, KTAP.replace("# # not ok 2", "# # ok 2"))
        self.assertEqual(code, 1, out)
        self.assertIn(f"fail, there pass: {X}:rule.hlist_block_eagain.holds\n", out)

    def test_nothing_to_compare(self):
        self.assertEqual(self.run_it("")[0], 1)


if __name__ == "__main__":
    unittest.main()
