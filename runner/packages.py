# SPDX-License-Identifier: GPL-2.0
"""./run_tests.sh packages [--install | -n] GROUP...: does this machine have what these
groups of runner/needs name?

What is missing is installed, by apt as it is, by another package manager with --install
only. Otherwise, and with -n, the command is printed, and the exit code is 2.
"""
from __future__ import annotations

import argparse
import dataclasses
import glob
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import typing
from collections.abc import Iterable, Mapping, Sequence

from runner import distro, ending, host
from runner.errors import BadHost, BadUsage

Env = Mapping[str, str]
# Who may install what is missing
NEVER, BY_APT, ALWAYS = "never", "by apt", "always"


@dataclasses.dataclass(frozen=True)
class Need:
    group: str
    what: str
    packages: Mapping[str, str]     # by package manager


def table() -> list[Need]:
    lines = pathlib.Path(__file__).with_name("needs").read_text().splitlines()
    rows = [line.split() for line in lines if line and line[0] != "#"]
    return [Need(group, what, dict(zip(distro.MANAGERS, names)))
            for group, what, *names in rows]


def needed(groups: Iterable[str]) -> list[Need]:
    """Each once"""
    needs: dict[str, Need] = {}
    for group in groups:
        names = (group, f"{group}-{os.uname().machine}")
        found = {need.what: need for need in table() if need.group in names}
        if not found:
            raise BadUsage(f"packages: there is no group {group}")
        needs.update({**found, **needs})
    return list(needs.values())


def headers_missing(headers: Sequence[str], env: Env) -> set[str]:
    """The compiler knows where it looks for them."""
    text = "".join(f"#if !__has_include({h})\nlacks {h}\n#endif\n" for h in headers)
    try:
        done = subprocess.run(["gcc", "-E", "-P", "-x", "c", "-"], input=text, env=env,
                              capture_output=True, text=True, check=False)
    except OSError:
        return set(headers)
    return {line[6:] for line in done.stdout.splitlines() if line.startswith("lacks ")} \
        if done.returncode == 0 else set(headers)


def is_here(what: str, env: Env) -> bool:
    if what.startswith("/"):
        return bool(glob.glob(what))
    if what.endswith(".py"):
        # pytest and mypy are the distribution's, whatever python3 is in the PATH
        return bool(glob.glob(f"/usr/lib*/python3*/*-packages/{what[:-3]}"))
    return shutil.which(what, path=env["PATH"]) is not None


def missing(needs: Iterable[Need], manager: str, env: Env) -> list[Need]:
    """A manager that nobody knows: all that any machine needs"""
    needs = [need for need in needs if need.packages.get(manager) != "-"]
    headers = [need.what for need in needs if need.what.startswith("<")]
    lack = headers_missing(headers, env)
    return [need for need in needs
            if (need.what in lack if need.what in headers else not is_here(need.what, env))]


def command(manager: str, needs: Iterable[Need]) -> list[str]:
    """What installs them"""
    names = dict.fromkeys(need.packages[manager] for need in needs)
    return [*distro.MANAGERS[manager], *(n for n in names if n not in ("-", "?"))]


def advice(needs: Sequence[Need], manager: str) -> str:
    sudo = "" if os.getuid() == 0 else "sudo "
    lines = [f"missing: {', '.join(need.what for need in needs)}"]
    managers = [manager] if manager else list(distro.MANAGERS)
    lines.append("missing packages; install them with"
                 f"{':' if manager else ' the one of these that is yours:'}")
    for name in managers:
        lines.append(f"    {sudo}{shlex.join(command(name, needs))}")
        unknown = [need.what for need in needs if need.packages[name] == "?"]
        if unknown:
            lines.append(f"    and, by hand: {' '.join(unknown)}")
    return "\n".join(lines)


def as_root(cmd: Sequence[str], env: Env) -> list[str]:
    if os.getuid() == 0:
        return list(cmd)
    if shutil.which("sudo", path=env["PATH"]):
        return ["sudo", *cmd]
    raise BadHost(f"not root, and there is no sudo to run: {shlex.join(cmd)}")


def succeeds(cmd: Sequence[str], env: Env, log: typing.IO[bytes]) -> bool:
    log.seek(0)
    log.truncate()
    return host.on_terminal(as_root(("env", "DEBIAN_FRONTEND=noninteractive", *cmd), env),
                            env, stdin=subprocess.DEVNULL, stdout=log,
                            stderr=subprocess.STDOUT) == 0


def run(cmd: Sequence[str], env: Env) -> None:
    """Stale lists name files that are gone from the archive: update, then once more. The
    other managers renew theirs by themselves."""
    update = ("apt-get", "update")
    with tempfile.TemporaryFile() as log:
        if succeeds(cmd, env, log):
            return
        why = f"could not install: {' '.join(w for w in cmd[2:] if w[0] != '-')}"
        if cmd[0] == "apt-get":
            if not succeeds(update, env, log):
                why = "apt-get update failed"
            elif succeeds(cmd, env, log):
                return
        log.seek(0)
        host.say(log.read().decode(errors="replace").rstrip())
        raise BadHost(why)


def install(groups: Iterable[str], who: str) -> None:
    env = host.environment()
    system = distro.find(env["PATH"])
    needs = needed(groups)
    lack = missing(needs, system.manager, env)
    if not lack:
        return
    if not system.is_here or who == NEVER or (who == BY_APT and system.manager != "apt"):
        host.say(advice(lack, system.manager))
        if system.is_here and who != NEVER:
            host.say("or let --install do it")
        raise BadHost
    cmd = command(system.manager, lack)
    names = cmd[len(distro.MANAGERS[system.manager]):]
    host.say(f"installing what is missing: {' '.join(names)}")
    if names:
        run(cmd, env)
    lack = missing(needs, system.manager, env)
    if lack:
        host.complain(f"still not found: {' '.join(need.what for need in lack)}")


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(prog="run_tests.sh packages", description=__doc__)
    p.add_argument("--install", dest="who", action="store_const", const=ALWAYS)
    p.add_argument("-n", "--no-install", dest="who", action="store_const", const=NEVER)
    p.add_argument("groups", metavar="GROUP", nargs="*", default=["run"])
    got = p.parse_args(argv)
    return ending.exit_code(lambda: install(got.groups, got.who or BY_APT))
