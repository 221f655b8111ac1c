# SPDX-License-Identifier: GPL-2.0
"""Where the cache is."""
from __future__ import annotations

import os
import pathlib
import pwd
import re
import stat
from collections.abc import Mapping

from runner.errors import BadHost

NAME = "hmm-notifier-tests"


def cache(env: Mapping[str, str]) -> pathlib.Path:
    """kbuild can't work in a path with blanks, so a cache that would have them goes to
    /var/tmp instead."""
    home = env.get("XDG_CACHE_HOME", "")
    # the specification of XDG wants a relative one ignored
    if not home.startswith("/"):
        home = (env.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir) + "/.cache"
    path = pathlib.Path(home, NAME)
    if re.search(r"[\s:]", str(path)):
        path = pathlib.Path(f"/var/tmp/{NAME}-{os.geteuid()}")
        own(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        usable = path.stat().st_uid == os.geteuid() and os.access(path, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        raise BadHost(f"cannot use the cache directory {path}")
    return path


def own(path: pathlib.Path) -> None:
    """A directory that only we can write to, where anybody can make one"""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        is_now = path.lstat()
    except OSError:
        is_now = None
    if not is_now or not stat.S_ISDIR(is_now.st_mode) or is_now.st_mode & 0o022 or \
            is_now.st_uid != os.geteuid():
        raise BadHost(f"{path} is not a directory of ours that others cannot write to; "
                      "remove it")
    path.chmod(0o700)
