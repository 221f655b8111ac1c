# SPDX-License-Identifier: GPL-2.0
"""Which options a kernel is asked for, and what became of them.

Without --config that is runner/config, and nothing of it may be lost. With a fragment,
its options win over those, but for what no test can do without. Somebody's whole .config
is taken as it is, with that added."""
from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable

from runner import TOP, host
from runner.linux.request import Extras

CONFIGS = TOP / "runner/config"
WHOLE = re.compile("^# Automatically generated file; DO NOT EDIT", re.M)
Options = dict[str, str]  # {symbol: its line}


def options(text: str) -> Options:
    """The later ones win."""
    lines = re.findall(r"^(?:CONFIG_\w+=|# CONFIG_\w+ is not set).*", text, re.M)
    return {(line.split()[1] if line[0] == "#" else line).partition("=")[0]: line
            for line in lines}


def of_files(*names: str) -> Options:
    """Of those that are in runner/config"""
    found = [CONFIGS / f"{name}.config" for name in names]
    return options("".join(f.read_text() for f in found if f.exists()))


def needed(arch: str) -> Options:
    """What every kernel that is tested must have, wherever it was built"""
    return of_files("needed", f"needed-{arch}")


def is_on(line: str) -> bool:
    return line.startswith("CONFIG_")


def differing(asked: Options, config: str) -> list[str]:
    """Symbols that are not so in the .config, whatever for."""
    got = {sym: line for sym, line in options(config).items() if is_on(line)}
    return sorted(sym for sym, line in asked.items()
                  if got.get(sym) != (line if is_on(line) else None))


def lacking(asked: Iterable[str], config: str) -> list[str]:
    """Symbols that the .config has neither in the kernel nor as a module"""
    got = options(config)
    return [sym for sym in asked if got.get(sym) not in (f"{sym}=y", f"{sym}=m")]


def is_known(machine: host.Host, tree: pathlib.Path, sym: str) -> bool:
    """To Kconfig"""
    return machine.output("grep", "-rqE", "--include=Kconfig*",
                          f"^(menu)?config {sym.removeprefix('CONFIG_')}$", tree)[0] == 0


@dataclasses.dataclass(frozen=True)
class Request:
    arch: str
    extras: Extras

    @property
    def theirs(self) -> str:
        """What --config names"""
        return self.extras.config.read_text(errors="replace") if self.extras.config else ""

    @property
    def whole(self) -> bool:
        return bool(WHOLE.search(self.theirs))

    @property
    def target(self) -> str:
        """What make sets the options to that nobody speaks of"""
        return "alldefconfig" if self.whole else "allnoconfig"

    def needed(self) -> Options:
        return {**needed(self.arch), **of_files("test_hmm")}

    def ours(self) -> Options:
        return of_files("base", self.arch, "optional")

    def asked(self) -> Options:
        theirs, variant = options(self.theirs), of_files(self.extras.variant)
        if not self.whole:
            return {**self.ours(), **variant, **theirs, **self.needed()}
        # the guest loads no modules of this kernel
        builtin = {sym: line for sym, line in self.ours().items()
                   if theirs.get(sym) == f"{sym}=m"}
        instead = {sym: line for sym, line in of_files("whole").items() if sym in theirs}
        return {**theirs, **variant, **builtin, **instead, **self.needed()}

    def text(self) -> str:
        return "".join(f"{line}\n" for line in (f"# {self.target}", *self.asked().values()))

    def must(self) -> Options:
        """What may not be lost: of a fragment all, of somebody's .config what we add."""
        asked, theirs = self.asked(), options(self.theirs)
        if not theirs:
            return asked
        ours = {*self.needed(), *of_files(self.extras.variant)}
        return {sym: line for sym, line in asked.items()
                if sym in ours or (sym in theirs and not self.whole)}

    def lost(self, machine: host.Host, tree: pathlib.Path, config: str) -> list[str]:
        """One of optional.config may be missing where Kconfig does not know it."""
        must, got = self.must(), options(config)
        optional = of_files("optional")
        return [f"{must[sym]} (got: {got.get(sym, 'nothing')})"
                for sym in differing(must, config)
                if must[sym] != optional.get(sym) or is_known(machine, tree, sym)]

    def changed(self, config: str) -> list[str]:
        """What is not as --config says; and, of a fragment, what it takes from the tests"""
        got, theirs, asked = options(config), options(self.theirs), self.asked()
        # first what the tests are to blame for
        syms = sorted(differing(theirs, config), key=lambda sym: asked[sym] == theirs[sym])
        lines = [f"{theirs[sym]} became {got.get(sym, 'nothing: no such option here')}"
                 for sym in syms]
        if theirs and not self.whole:
            known = {sym: line for sym, line in self.ours().items()
                     if sym not in theirs and sym not in of_files("optional")}
            lines += [f"{known[sym]} is not possible with that; what needs it skips"
                      for sym in differing(known, config)]
        return lines
