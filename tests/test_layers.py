# SPDX-License-Identifier: GPL-2.0
"""Includes and calls point down: a test, its engine, the core.  Engines do not know
each other, and no files of one folder need each other in a circle."""
import graphlib
import pathlib
import re
import unittest

from support import TOP, built, sh

Uses = dict[str, set[str]]


def included(f: pathlib.Path) -> set[str]:
    """Files of lib/, without what follows the dot"""
    names = re.findall(r'^#include "(\w+/\w+)\.h"', f.read_text(), re.M)
    return {name for name in names if (TOP / "lib" / f"{name}.h").exists()}


def includes() -> Uses:
    """Of each header of lib/"""
    return {str(f.relative_to(TOP / "lib").with_suffix("")): included(f)
            for f in (TOP / "lib").rglob("*.h")}


def calls(objects: pathlib.Path) -> Uses:
    """Of each object of lib/, those that have what it does not have itself"""
    where: dict[str, str] = {}
    wants: Uses = {}
    for obj in objects.glob("*/*.o"):
        name = f"{obj.parent.name}/{obj.stem}"
        wants[name] = set()
        for line in sh("nm", obj).stdout.splitlines():
            *_, kind, symbol = line.split()
            if kind == "U":
                wants[name].add(symbol)
            elif kind.isupper():
                where[symbol] = name
    return {name: {where[s] for s in symbols if s in where} - {name}
            for name, symbols in wants.items()}


class Layers(unittest.TestCase):
    def assert_points_down(self, uses: Uses) -> None:
        for name, used in uses.items():
            folder = name.split("/")[0]
            above = {u for u in used if u.split("/")[0] not in ("core", folder)}
            self.assertEqual(above, set(), f"{name} is below what it uses")
        try:
            graphlib.TopologicalSorter(uses).prepare()
        except graphlib.CycleError as circle:
            self.fail(f"a circle: {' -> '.join(circle.args[1])}")

    def test_includes(self):
        uses = includes()
        self.assertIn("core/victim", uses["oom/oom"])
        self.assert_points_down(uses)
        for f in (TOP / "lib").rglob("*.c"):
            folders = {name.split("/")[0] for name in included(f)}
            self.assertLessEqual(folders, {"core", f.parent.name}, f)

    def test_calls(self):
        uses = calls(built().directory / "obj")
        self.assertIn("core/rule", uses["stress/expected_warns"])
        self.assert_points_down(uses)

    def test_a_program_has_one_engine(self):
        for f in (TOP / "selftests").glob("hmm_notifier_*.c"):
            text = f.read_text() + "".join(
                (TOP / "selftests" / h).read_text()
                for h in re.findall(r'^#include "(hmm_notifier\w+\.h)"', f.read_text(), re.M))
            engines = set(re.findall(r'^#include "(\w+)/', text, re.M)) - {"core"}
            self.assertLessEqual(len(engines), 1, f.name)

    def test_what_points_up_is_told(self):
        for uses in ({"core/a": {"oom/b"}}, {"oom/a": {"change/b"}},
                     {"core/a": {"core/b"}, "core/b": {"core/a"}}):
            with self.assertRaises(AssertionError):
                self.assert_points_down(uses)


if __name__ == "__main__":
    unittest.main()
