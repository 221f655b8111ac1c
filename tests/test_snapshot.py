# SPDX-License-Identifier: GPL-2.0
"""A run that goes on from a saved guest is as good as one that boots; what can't, boots."""
import json
import os
import pathlib
import re
import shutil
import sys
import threading
import time
import unittest

from support import TOP, Run, TempDir, kernel_dir, machine, shim

from runner import snapshot

sys.path.insert(0, str(TOP / "tests/proof"))
import guest  # noqa: E402

X = "hmm_notifier_standin"
PASSES = ("--test", f"{X}:ends.passes")


class Goes(unittest.TestCase):
    """With a cache of its own, in which nothing is saved yet"""

    def setUp(self):
        cache = TempDir(self, "").path / "hmm-notifier-tests"
        cache.mkdir()
        for path in machine().cache().iterdir():
            if path.name != "snapshots" and path.name[0] != ".":
                (cache / path.name).symlink_to(path)
        self.env = {"XDG_CACHE_HOME": str(cache.parent)}
        self.saved = cache / "snapshots"

    def run_it(self, *args, **env):
        """What it said, and how long it took to save a guest; None if it booted."""
        r = Run(self, *PASSES, *args, env={**self.env, **env})
        self.assertEqual((r.code, sorted(r.tests)), (0, [f"{X}:ends.passes"]), r.out)
        return r.out, json.loads(r.log("boot.json"))["times"].get("saved")

    def files(self):
        return sorted(p for p in self.saved.iterdir() if not p.suffix)

    def test_is_made_once_and_again_when_damaged(self):
        self.assertGreater(self.run_it()[1], 0)
        self.assertEqual(self.run_it()[1], 0)
        with open(self.files()[0], "r+b") as f:
            f.seek(1 << 20)
            byte = f.read(1)
            f.seek(1 << 20)
            f.write(bytes([byte[0] ^ 1]))
        out, seconds = self.run_it()
        self.assertIn("is damaged", out)
        self.assertGreater(seconds, 0)
        # another guest
        self.assertGreater(self.run_it("--append", "nosmp")[1], 0)
        self.assertEqual(len(self.files()), 2)

    def test_boots_if_asked(self):
        self.assertIsNone(self.run_it("--no-snapshot")[1])

    def test_boots_when_qemu_does_not_take_it(self):
        name = f"qemu-system-{os.uname().machine}"
        env = shim(self, qemu='case "$*" in *-incoming*) echo not me >&2; exit 1;; esac\n'
                              f'exec {shutil.which(name)} "$@"')
        where = pathlib.Path(env["PATH"].partition(":")[0])
        (where / "qemu").rename(where / name)
        out, seconds = self.run_it(**env)
        self.assertRegex(out, r"can't go on from a snapshot \(QEMU exited with 1: not me\)")
        self.assertIsNone(seconds)
        # which is known from now on
        out, seconds = self.run_it(**env)
        self.assertNotIn("snapshot", out)
        self.assertIsNone(seconds)


class Wakes(unittest.TestCase):
    """Two guests that go on from one file"""

    @classmethod
    def setUpClass(cls):
        case = cls("test_time")
        tmp = TempDir(case, "").path
        cls.addClassCleanup(case.doCleanups)
        script = tmp / "looks.sh"
        script.write_text("#!/bin/busybox sh\ndate +%s\nhead -c 16 /dev/urandom | xxd -p\n"
                          "echo swappiness $(cat /proc/sys/vm/swappiness)\n")
        script.chmod(0o755)
        kernel = guest.Kernel(machine(), kernel_dir(), tmp, tmp / "results", None,
                              upstream=False)
        cls.said = []
        for _ in range(2):
            began = time.time()
            to = kernel.boot("looks", ["../job/looks.sh"], [], [script], settings=[
                "/proc/sys/vm/swappiness 7", "/sys/nowhere 1", "/proc/sys/kernel/ostype 1"])
            text = (to / "ktap.log").read_text()
            cls.said.append((began, time.time(), text, (to / "kmsg.log").read_text()))

    def test_time(self):
        for began, ended, text, _ in self.said:
            date = int(re.search(r"^# (\d{9,})$", text, re.M)[1])
            self.assertLessEqual(int(began), date, text)
            self.assertLessEqual(date, ended + 1, text)

    def test_random_numbers(self):
        first, second = (re.search(r"^# ([0-9a-f]{32})$", text, re.M)[1]
                         for *_, text, _ in self.said)
        self.assertNotEqual(first, second)

    def test_settings(self):
        for *_, text, _ in self.said:
            self.assertIn("\n# swappiness 7\n", text)
            self.assertEqual(re.findall("could not set (.*)", text),
                             ["/sys/nowhere", "/proc/sys/kernel/ostype"])

    def test_log(self):
        """All of it, from the kernel's first line on, once"""
        for *_, log in self.said:
            numbers = [int(n) for n in re.findall(r"^\d+,(\d+),\d+,", log, re.M)]
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertEqual(log.count("Linux version "), 1)
            self.assertRegex(log[-60:], "end of log, ")


class Asked(unittest.TestCase):
    """What QEMU's monitor answers"""

    def save(self, *answers):
        monitor = snapshot.Monitor()
        asked = []

        def qemu():
            with monitor.its.makefile("rw") as f:
                f.write('{"QMP": {}}\n')
                f.flush()
                for answer in answers:
                    asked.append(json.loads(f.readline())["execute"])
                    f.write(f"{json.dumps(answer)}\n")
                    f.flush()

        thread = threading.Thread(target=qemu)
        thread.start()
        try:
            monitor.save(TempDir(self).path / "it's")
        finally:
            thread.join()
        return asked

    def test_completed(self):
        done = {"return": {"status": "completed"}}
        self.assertEqual(self.save({"return": {}}, {"return": {}}, {"return": {}},
                                   {"return": {"status": "active"}}, done)[-2:],
                         ["query-migrate", "query-migrate"])

    def test_says_why_not(self):
        for answer in ({"error": {"desc": "it is blocked"}},
                       {"return": {"status": "failed", "error-desc": "it is blocked"}}):
            with self.assertRaisesRegex(snapshot.CannotGoOn, "it is blocked"):
                self.save({"return": {}}, {"return": {}}, {"return": {}}, answer)


if __name__ == "__main__":
    unittest.main()
