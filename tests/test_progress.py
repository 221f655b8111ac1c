# SPDX-License-Identifier: GPL-2.0
"""The line that shows how far a run is, on a terminal of any width."""
import fcntl
import os
import pty
import select
import shutil
import struct
import sys
import termios
import time
import unittest
from unittest import mock

from support import TempDir

from runner import progress
from runner.linux import objects


class Width(unittest.TestCase):
    def setUp(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        os.set_blocking(master, False)
        self.master, stderr = master, sys.stderr
        sys.stderr = open(slave, "w", encoding="ascii")  # pylint: disable=R1732
        self.addCleanup(setattr, sys, "stderr", stderr)
        self.addCleanup(sys.stderr.close)
        term = os.environ.get("TERM")
        os.environ["TERM"] = "xterm"
        self.addCleanup(os.environ.__setitem__, "TERM", term or "dumb")

    def resize(self, columns):
        fcntl.ioctl(sys.stderr.fileno(), termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, columns, 0, 0))

    def shown(self):
        """All that came; the terminal hands it on in parts."""
        data = b""
        while select.select([self.master], [], [], 0.2)[0]:
            data += os.read(self.master, 1 << 16)
        return data.decode().replace("\r\033[K", "")

    def test_fits_as_the_terminal_is_now(self):
        show = progress.Progress(TempDir(self).path, False)
        self.assertTrue(show.tty)
        for columns in (60, 20, 200):
            self.resize(columns)
            show.line(f"# #  RUN           {'x' * 100} ...")
            self.assertEqual(len(self.shown()), min(columns - 1, len("[0/0]   0 s  ") + 100))

    def test_the_same_line_is_not_printed_again(self):
        self.resize(60)
        show = progress.Progress(TempDir(self).path, False)
        show.line(f"# #  RUN           {'x' * 100} ...")
        self.shown()
        show.tick()
        self.assertRaises(BlockingIOError, os.read, self.master, 1)

    def test_many_failures_are_not_all_named(self):
        self.resize(80)
        show = progress.Progress(TempDir(self).path, False)
        for n in range(74):
            show.line(f"# not ok {n + 1} rule.v{n}.holds")
        said = self.shown()
        self.assertEqual(said.count("FAIL rule."), progress.FAILURES)
        self.assertEqual(said.count("more tests fail"), 1)
        self.assertIn("[74/0, 74 failed]", said)

    @mock.patch("runner.linux.objects.now")
    def test_how_far_a_build_is(self, clock):
        """By the objects of the last whole build of that kind; it fits, too"""
        where = TempDir(self).path
        build, kept = where / "build", where / "objects"
        (build / "mm").mkdir(parents=True)
        self.resize(80)
        for total, text in ((None, "x: 40 of about 1200 objects, 10 s, 290 s left"),
                            (80, "x: 40 of about 80 objects, 10 s, 10 s left")):
            if total:
                kept.write_text(f"{total}\n")
            clock.return_value = began = time.time() - 1
            shown = objects.Objects("x", build, kept)
            for n in range(40):
                (build / f"mm/{n}.o").touch()
            clock.return_value = began + 10
            shown.tick()
            self.assertEqual(self.shown(), text)
            self.resize(20)
            shown.tick()
            self.assertEqual(len(self.shown()), 19)
            self.resize(80)
            shown.close(True)
            self.assertEqual(kept.read_text(), "40\n")
            again = objects.Objects("x", build, kept)  # nothing is made again
            again.tick()
            self.assertIn("x: 0 objects, ", self.shown())
            again.close(False)
            self.shown()
            shutil.rmtree(build / "mm")
            (build / "mm").mkdir()


if __name__ == "__main__":
    unittest.main()
