# SPDX-License-Identifier: GPL-2.0
"""Upstream's hmm-tests say the same of the patched test_hmm as of the pristine one."""
import pathlib
import re
import shutil
import sys
import unittest

from support import TOP, TempDir, add_tests, get_kernel, machine, pristine_module

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402

ARGS = guest.UPSTREAM["hmm-tests"]
MODULES = ("pristine", "patched")


def results(ktap):
    """[{test: (result, directive)}], one for each run of hmm-tests"""
    runs = []
    for line in ktap.splitlines():
        if re.match(r"# hmm_notifier: program \S*bounded", line):
            runs.append({})
        # older harnesses give a skipped test no name
        elif runs and (m := re.match(r"# # (ok|not ok) (\d+(?: [^\s#]\S*)?)(?: # (\w+))?",
                                  line)):
            runs[-1][m[2]] = (m[1], m[3])
    return runs


class HmmTests(unittest.TestCase):
    def compare(self, base):
        tmp = TempDir(self, "").path
        kernel = guest.Kernel(machine(), get_kernel(f"source:{base}"), tmp,
                              tmp / "results", None)
        files = [kernel.upstream[0], TOP / "tests/proof/swap-module.sh"]
        for name, ko in zip(MODULES, (pristine_module(kernel.dir, tmp / "lib"),
                                      kernel.out / "modules/test_hmm.ko")):
            files.append(pathlib.Path(shutil.copy(ko, tmp / f"{name}.ko")))
        self.assertNotEqual(*(f.read_bytes() for f in files[2:]))

        lines = [line for name in MODULES
                 for line in (f"../job/swap-module.sh {name}.ko",
                              f"../bin/bounded 300 60 /job/hmm-tests {ARGS}")]
        to = kernel.boot("hmm-tests", lines, [], files, bounds=(310, 70, 700))

        ktap = (to / "ktap.log").read_text(errors="replace")
        self.assertEqual(re.findall(r"exit \.\./job/swap-module\.sh (\d+)", ktap),
                         ["0", "0"], ktap)
        # with the same results, and not by its bound
        ends = re.findall(r"exit \S*/bounded (\d+)", ktap)
        self.assertIn(ends, (["0", "0"], ["1", "1"]), ktap)
        pristine, patched = results(ktap)
        ran = [t for t, (result, directive) in pristine.items()
               if result == "ok" and not directive]
        self.assertGreater(len(ran), 20, ktap)
        self.assertEqual(pristine, patched)


add_tests(HmmTests, HmmTests.compare)


if __name__ == "__main__":
    unittest.main()
