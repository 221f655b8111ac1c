# SPDX-License-Identifier: GPL-2.0
"""Kernels of other shapes: what make check-shapes runs, without a guest."""
import contextlib
import importlib.util
import io
import pathlib
import re
import unittest
from unittest import mock

from support import TOP

from runner import options, qemu
from runner.linux import kconfig

HERE = TOP / "tests/shapes"
SPEC = importlib.util.spec_from_file_location("shapes", HERE / "shapes.py")
shapes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(shapes)

GREEN = {"verdict": "pass", "passed": 2, "failed": 0, "skipped": 1, "known_bugs": 0,
         "kernel": "6.12", "tests": [{"result": "skip", "reason": "no NUMA"}]}


class Shapes(unittest.TestCase):
    def test_options_are_those_of_run_tests(self):
        for name, (words, sign) in shapes.SHAPES.items():
            with self.subTest(shape=name):
                opt = options.parse([str(word) for word in words])
                self.assertEqual(opt.choice, "default")
                re.compile(sign)
                self.assertTrue(sign or opt.config, "nothing shows that it has the shape")

    def test_each_fragment_is_used_and_one(self):
        used = {word for words, _ in shapes.SHAPES.values() for word in words
                if isinstance(word, pathlib.Path)}
        self.assertLessEqual(set(HERE.glob("*.config")), used)
        for file in used:
            asked = kconfig.options(file.read_text())
            for line in filter(None, file.read_text().splitlines()):
                self.assertTrue(line in asked.values() or line.startswith("# "), line)
            self.assertFalse(kconfig.WHOLE.search(file.read_text()))

    def main(self, *names, **results):
        with mock.patch.object(shapes, "run", lambda name: results[name.replace("-", "_")]), \
                contextlib.redirect_stdout(io.StringIO()) as said:
            return shapes.main(names), said.getvalue()

    def test_table_has_what_came_of_each(self):
        bad, said = self.main("rt", "128m", rt=(GREEN, ""), **{"128m": (
            {**GREEN, "tests": []}, "")})
        self.assertFalse(bad)
        self.assertRegex(said, r"\nrt +2 +0 +1 +0  6.12\n128m +2 ")
        self.assertIn("\nrt: no NUMA: 1\n", said)

    def test_what_is_not_green_or_of_another_shape_fails(self):
        for result, why in ((({**GREEN, "verdict": "fail"}, ""), ": fail\n"),
                            (({}, "no results"), "-: no results\n"),
                            ((GREEN, "no PREEMPT_RT in its log"), ": no PREEMPT_RT in")):
            bad, said = self.main("rt", rt=result)
            self.assertTrue(bad)
            self.assertIn(why, said)

    def test_unknown_one_is_named(self):
        with self.assertRaisesRegex(SystemExit, "no such shape: round; there is one-cpu "):
            shapes.main(["round"])


class Machine(unittest.TestCase):
    def command(self, **how):
        where = pathlib.Path("x")
        return " ".join(qemu.command("x86_64", "tcg", where, where, where, **how))

    def test_cpus_are_in_both_nodes(self):
        self.assertIn(",memdev=mem0,cpus=0,cpus=2 ", self.command(cpus=3))
        self.assertRegex(self.command(cpus=3), "-smp 3,sockets=3 .*,memdev=mem1,cpus=1 ")
        self.assertRegex(self.command(cpus=1), "-smp 1,sockets=1 .*,memdev=mem1 ")

    def test_little_memory_has_a_root_without_a_limit(self):
        self.assertRegex(self.command(memory=128), "size=64M .*rootfstype=ramfs")
        self.assertNotIn("rootfstype", self.command())


if __name__ == "__main__":
    unittest.main()
