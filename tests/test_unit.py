# SPDX-License-Identifier: GPL-2.0
"""Parts of lib/ on the host: the programs of tests/unit, linked with the objects that
the guest's programs are made of."""
import functools
import pathlib
import re
import unittest

from support import TOP, TempDir, built, sh

SOURCES = sorted((TOP / "tests/unit").glob("*.c"))


class Unit(unittest.TestCase):
    def compiled(self, source: pathlib.Path) -> pathlib.Path:
        """The program; what it has its own __wrap_ of, lib/ gets from there."""
        program = TempDir(self, "").path / "program"
        build = built().directory
        wrapped = set(re.findall(r"\b__wrap_(\w+)\(", source.read_text()))
        r = sh("gcc", "-O2", "-g", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra",
               "-Wmissing-prototypes", "-Wshadow", "-Werror", "-I", TOP / "lib",
               "-I", build / "module/lib", "-o", program, source,
               *(build / "obj").rglob("*.o"), "-lnuma",
               *(f"-Wl,--wrap={name}" for name in sorted(wrapped)))
        self.assertEqual((r.returncode, r.stdout), (0, ""))
        return program

    def run_tests_of(self, source: pathlib.Path) -> None:
        program = self.compiled(source)
        names = sh(program).stdout.split()
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                r = sh(program, name)
                self.assertEqual((r.returncode, r.stdout), (0, ""))


for src in SOURCES:
    setattr(Unit, f"test_{src.stem}", functools.partialmethod(Unit.run_tests_of, src))


if __name__ == "__main__":
    unittest.main()
