# SPDX-License-Identifier: GPL-2.0
"""Debian's linux-source packages, unpacked into the cache."""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import typing

from runner import apt, cache, distro, host
from runner.errors import BadHost, BadKernel, writing
from runner.linux import series as patches

ETC = pathlib.Path("/etc/apt")


def texts(pattern: str) -> list[str]:
    return [f.read_text(errors="surrogateescape") for f in sorted(ETC.glob(pattern))]


def sid_stanza(suite: str) -> typing.Optional[str]:
    """The first stanza (deb822) or line (the old format) for this release, with the
    suite replaced"""
    word = re.compile(rf"^Suites:.*[ \t]{re.escape(suite)}([ \t]|$)", re.M)
    for text in texts("sources.list.d/*.sources"):
        for stanza in re.split(r"\n\n+", text):
            if word.search(stanza) and re.search("^Types:.*deb", stanza, re.M):
                stanza = re.sub("^#.*\n", "", stanza, flags=re.M)
                for field, value in (("Suites", "sid"), ("Types", "deb"),
                                     ("Components", "main")):
                    stanza = re.sub(f"^{field}:.*", f"{field}: {value}", stanza, flags=re.M)
                return stanza.strip("\n") + "\n"
    line = re.compile(rf"^deb +(?:\[([^]]*)\] +)?([^ ]+) +{re.escape(suite)} +.*", re.M)
    for text in texts("sources.list") + texts("sources.list.d/*.list"):
        if found := line.search(text):
            return from_one_line(found[1] or "", found[2])
    return None


def from_one_line(options: str, uri: str) -> str:
    """The options of the old format are fields of the new one."""
    said = dict(option.split("=", 1) for option in options.split() if "=" in option)
    return f"Types: deb\nURIs: {uri}\nSuites: sid\nComponents: main\n" + "".join(
        f"{field}: {said[name]}\n" for name, field in (("signed-by", "Signed-By"),
                                                       ("trusted", "Trusted"))
        if name in said)


def unstable(machine: host.Host) -> typing.Optional[apt.OwnApt]:
    """A series that this release does not have comes from Debian's unstable, which is
    where the machine's own sources say that this release is. None without its lists."""
    if distro.is_ubuntu():
        raise BadHost("that would be in Debian's unstable, and Ubuntu's archive has no such "
                      f"suite; {apt.OTHER_WAYS}")
    suite = "".join(distro.says("VERSION_CODENAME"))
    stanza = sid_stanza(suite) if suite else None
    if not stanza:
        raise BadHost(f"no apt source of this machine has the suite {suite}, so where to "
                      f"get newer kernels from is unknown; {apt.OTHER_WAYS}")
    sources = machine.cache() / "sid.sources"
    with writing(sources):
        new = sources.with_name(f"sid.sources.{os.getpid()}")
        new.write_text(stanza, errors="surrogateescape")
        new.replace(sources)
    sid = apt.OwnApt(machine, "sid", "Debian unstable", f"""\
Dir::Etc::sourcelist "{sources}";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architectures {{ "{apt.host_arch(machine)}"; }};""")
    return sid if sid.refresh() else None


def newest(machine: host.Host) -> str:
    """The series that unstable's linux-source depends on"""
    sid = unstable(machine)
    package = sid.depends("linux-source", r"^linux-source-[0-9.]+$") if sid else ""
    if not package:
        raise BadKernel("source:newest: what unstable's newest series is, is unknown")
    return package.removeprefix("linux-source-")


def find(machine: host.Host, series: str) -> typing.Optional[tuple[apt.Apt, str]]:
    """(whose package it is, its version); asks this release first."""
    package = f"linux-source-{series}"
    ours = apt.Apt(machine)
    if version := ours.field(package, "Version"):
        return ours, version
    sid = unstable(machine)
    version = sid.field(package, "Version") if sid else ""
    return (sid, version) if sid and version else None


def unpack(machine: host.Host, where: apt.Apt, series: str, tree: pathlib.Path) -> None:
    package, debs = f"linux-source-{series}", machine.cache() / f"debs/source-{series}"
    with writing(debs):
        debs.mkdir(parents=True, exist_ok=True)
    deb = where.fetch(debs, package)
    host.say(f"unpacking Linux {tree.name}")
    for left in tree.parent.glob(".new-*"):  # by a killed run
        shutil.rmtree(left)
    with writing(tree), cache.new_directory(tree) as new:
        if not unpack_tar(machine, deb, series, new) or \
                not (new / "mm/mmu_notifier.c").is_file():
            raise BadHost(f"could not unpack {package}")
        cache.protect(machine, new)
    shutil.rmtree(debs)


def unpack_tar(machine: host.Host, deb: pathlib.Path, series: str, to: pathlib.Path,
               *members: str, log: typing.Optional[typing.BinaryIO] = None) -> bool:
    """Of the tarball that is all of a linux-source package"""
    return machine.pipe(
        ("dpkg-deb", "--fsys-tarfile", deb),
        ("tar", "-xO", f"./usr/src/linux-source-{series}.tar.xz"), ("xz", "-d", "-T0"),
        ("tar", "-x", "-C", to, "--strip-components=1", "--no-same-owner", *members),
        stderr=log)


def version_key(tree: pathlib.Path) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", tree.name)]


def pristine(machine: host.Host, series: str) -> tuple[pathlib.Path, str]:
    """(the tree, its version). It is shared by hard links: never write to it. With no
    network and no package lists an older download still does."""
    trees = machine.cache() / "src"
    found = find(machine, series)
    if found:
        where, version = found
        tree = trees / version
        if not tree.is_dir():
            with cache.locked(machine, "source"):
                if not tree.is_dir():  # no other run was faster
                    unpack(machine, where, series, tree)
        return tree, version
    old = sorted(trees.glob(f"{series}.*"), key=version_key)
    if not old:
        raise BadKernel(f"apt has no linux-source-{series}, neither in this release nor in "
                        "unstable, and there is none in the cache; kernel-patches/ has "
                        f"series for {', '.join(patches.bases())}, and there is source:newest")
    host.say(f"apt has no linux-source-{series} any more; using {old[-1].name} from the cache")
    return old[-1], old[-1].name
