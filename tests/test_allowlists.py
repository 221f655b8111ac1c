# SPDX-License-Identifier: GPL-2.0
"""What ci/ has mm's CI and lkp ignore are the WARNs of our tests, and nothing else."""
import re
import unittest

from support import TOP, Run, sh

from runner import klog

MM_CI = TOP / "ci/mm-ci/run-mm-selftests.sh"
LKP = TOP / "ci/lkp/oops-pattern-ignore"

# As kernels say it: 6.1 and 6.12; 7.2, and with CONFIG_DEBUG_BUGVERBOSE_DETAILED
OURS = (
    "WARNING: CPU: 0 PID: 171 at mm/mmu_notifier.c:487 "
    "__mmu_notifier_invalidate_range_start+0xc3/0x1e0",
    "WARNING: CPU: 1 PID: 99 at mm/mmu_notifier.c:283 __mmu_notifier_release+0x1ca/0x220",
    "WARNING: mm/mmu_notifier.c:534 at __mmu_notifier_invalidate_range_start+0xbb/0x270, "
    "CPU#0: hmm_notifier_co/172",
    "WARNING: mm/mmu_notifier.c:308 at __mmu_notifier_release+0x132/0x220, CPU#1: a/1",
    "WARNING: [mmu_notifier_range_blockable(range) || _ret != -11] mm/mmu_notifier.c:534 at "
    "mn_hlist_invalidate_range_start+0x1/0x2, CPU#0: a/1",
)
RIP = "RIP: 0010:__mmu_notifier_invalidate_range_start+0xbb/0x270"
OTHERS = (
    "WARNING: CPU: 0 PID: 171 at mm/mmu_notifier.c:640 __mmu_notifier_register+0x1/0x2",
    "WARNING: mm/mmu_notifier.c:1 at mmu_interval_notifier_remove+0x1/0x2, CPU#0: a/1",
    "WARNING: CPU: 0 PID: 1 at mm/memory.c:487 unmap_page_range+0x1/0x2",
    "WARNING: CPU: 0 PID: 1 at kernel/mm/mmu_notifier.c:487 __mmu_notifier_release+0x1/0x2",
    "WARNING: possible circular locking dependency detected",
    "WARNING: CPU: 0 PID: 1 at mm/mmu_notifier_c:487 __mmu_notifier_release+0x1/0x2",
    "BUG: KASAN: slab-use-after-free in __mmu_notifier_release+0x1ca/0x220",
    "BUG: sleeping function called from invalid context at mm/mmu_notifier.c:487",
    "Oops: 0000 [#1] PREEMPT SMP", "RIP: 0010:unmap_page_range+0x1/0x2",
    "UBSAN: shift-out-of-bounds in mm/mmu_notifier.c:487:3",
)


def left(lines, *command):
    """What grep does not ignore"""
    done = sh("bash", "-c", 'exec "$@" <<<"$LINES_"', "-", *command,
              env={"LINES_": "\n".join(lines)})
    return done.stdout.splitlines()


def ok_re(script="ksft_hmm_notifier.sh"):
    """As check_kernel_log() of mm-ci has it"""
    said = sh("bash", "-c", f". {MM_CI}; printf %s \"$ok_re\"",
              env={"test_script": script, "ok_re": "FAULT_INJECTION"})
    return said.stdout


def not_ok(lines):
    return left(lines, "grep", "-Ev", "--", ok_re())


def not_ignored(lines):
    return left(lines, "grep", "-v", "-E", "-f", LKP)


class Allowlists(unittest.TestCase):
    def test_ours(self):
        self.assertEqual(not_ok(OURS), [])
        self.assertEqual(not_ignored([*OURS, RIP]), [])

    def test_nothing_else(self):
        self.assertEqual(not_ok([*OTHERS, RIP]), [*OTHERS, RIP])
        self.assertEqual(not_ignored(OTHERS), list(OTHERS))

    def test_of_our_script_alone(self):
        self.assertEqual(ok_re("ksft_hmm.sh"), "FAULT_INJECTION")

    def test_a_file_with_an_empty_line_would_ignore_all(self):
        for line in LKP.read_text().split("\n")[:-1]:
            self.assertRegex(line, r"^(WARNING|RIP): ")

    def test_real_ones(self):
        """All that this kernel reports while tests provoke WARNs"""
        globs = ("contract:rule.hlist_block_eagain*", "contract:rule.interval_block*")
        r = Run(self, *(a for g in globs for a in ("--test", g)), standins=False)
        texts = [m[4] for m in map(klog.RECORD.fullmatch, r.log("kmsg.log").splitlines()) if m]
        reports = [text for text in texts if klog.kind_of(text) == "REPORT"]
        rips = [text for text in texts if re.match(r"RIP: 0010:.*mmu_notifier", text)]
        self.assertGreater(len(reports), 1, r.out)
        self.assertEqual(not_ok(reports), [])
        self.assertEqual(not_ignored(reports + rips), [])


if __name__ == "__main__":
    unittest.main()
