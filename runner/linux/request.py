# SPDX-License-Identifier: GPL-2.0
"""What a kernel is asked to be beyond what its spec says."""
from __future__ import annotations

import dataclasses
import pathlib
import typing

# The exit code when the kernel does not build; a wrong request has another one.
BROKEN = 3


@dataclasses.dataclass(frozen=True)
class Extras:
    """variant is debug or gcov; patches come after the series, the options of config
    after all others. With a name it is kept beside the kernel that has no such extras,
    not in its place."""
    variant: str = ""
    patches: tuple[pathlib.Path, ...] = ()
    config: typing.Optional[pathlib.Path] = None
    name: str = ""
