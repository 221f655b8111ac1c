# SPDX-License-Identifier: GPL-2.0
"""make new-test: what it makes builds, runs and passes as it is."""
import shutil
import unittest

from support import TOP, Run, TempDir, sh


class NewTest(unittest.TestCase):
    def setUp(self):
        self.top = TempDir(self, "").path / "checkout"
        for name in sh("git", "-C", TOP, "ls-files", "-co", "--exclude-standard"
                       ).stdout.splitlines():
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, self.top / name)

    def new_test(self, name):
        return sh("make", "-s", "-C", self.top, "new-test", f"NAME={name}")

    def test_passes(self):
        r = self.new_test("begun")
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("\thmm_notifier_begun\n",
                      (self.top / "intree/tests-series").read_text())
        r = Run(self, "--test", "hmm_notifier_begun:*", top=self.top, standins=False)
        self.assertEqual({name: t["result"] for name, t in r.tests.items()},
                         {f"hmm_notifier_begun:begun.nonblock_{e}.says_try_again": "pass"
                          for e in ("eagain", "enomem")}, r.out)

    def test_what_is_no_name_is_refused(self):
        before = sorted((self.top / "selftests").iterdir())
        for name in ("", "a b", "../x", "Munmap", "errno"):
            r = self.new_test(name)
            self.assertNotEqual(r.returncode, 0, name)
            self.assertIn("new-test: ", r.stdout)
        self.assertEqual(sorted((self.top / "selftests").iterdir()), before)


if __name__ == "__main__":
    unittest.main()
