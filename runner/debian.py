# SPDX-License-Identifier: GPL-2.0
"""debian:SERIES and debian:SERIES-FLAVOUR, Debian's stock kernels of that series in the
newest version that apt offers. The packages are unpacked into the cache and never
installed."""
from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import typing

from runner import apt, cache, distro, host, modules, source
from runner.errors import BadKernel, writing
from runner.linux import series as patches

LAYOUT = 6  # counts the changes of what a kernel directory holds
# Of the source: only what the build, the tests, the judge and the checks read
READ = """
    {root}/Makefile {root}/MAINTAINERS {root}/lib/Kconfig.debug {root}/lib/test_hmm*
    {root}/mm/* {root}/include/linux/mmu_notifier.h {root}/Documentation/mm/hmm.rst
    */.clang-format */scripts/checkpatch.pl */scripts/spelling.txt
    */scripts/const_structs.checkpatch */scripts/kernel-doc*
    */Documentation/dev-tools/checkpatch.rst
    */tools/testing/kunit/*.py */tools/testing/selftests/*.h
    */tools/testing/selftests/*.mk */tools/testing/selftests/Makefile
    */tools/testing/selftests/*.sh */tools/testing/selftests/kselftest/*
    */tools/testing/selftests/mm/* */tools/testing/selftests/vm/*
    */tools/include/*"""
NEEDED = ("Makefile", "lib/test_hmm.c", "mm/mmu_notifier.c",
          "tools/testing/selftests/kselftest_harness.h",
          "tools/testing/kunit/kunit_parser.py")


@dataclasses.dataclass(frozen=True)
class Packages:
    version: str
    image: str
    headers: str
    common: str
    kbuild: str
    source: str

    @property
    def release(self) -> str:
        return self.image.removeprefix("linux-image-")

    def all(self) -> tuple[str, ...]:
        return self.image, self.headers, self.common, self.kbuild, self.source


class Debian:
    def __init__(self, machine: host.Host, series: str, flavour: str = ""):
        self.machine, self.series, self.cache = machine, series, machine.cache()
        self.host = apt.host_arch(machine)
        self.arch = machine.arch or self.host
        # as in linux-image-6.12-rt-amd64, but linux-image-6.12-arm64-16k
        self.name = (f"{self.arch}-{flavour}" if flavour.endswith("k") else
                     "-".join(filter(None, (flavour, self.arch))))
        self.apt = apt.of(machine)
        self.memo = self.cache / f"apt-answer-{series}-{self.name}-{LAYOUT}"

    def find_image(self) -> str:
        """A series that is not the release's own has it in the meta package's name."""
        for meta in (f"linux-image-{self.series}-{self.name}", f"linux-image-{self.name}"):
            if self.apt.field(meta, "Version").startswith(f"{self.series}."):
                image = self.apt.depends(meta, f"^linux-image-{self.series}")
                if image:
                    return image
        return ""

    def find_packages(self) -> typing.Optional[Packages]:
        image = self.find_image()
        if not image:
            return None
        headers = "linux-headers-" + image.removeprefix("linux-image-")
        kbuild = self.apt.depends(headers, "^linux-kbuild-")
        if kbuild and self.arch != self.host:  # its programs run here
            kbuild += f":{self.host}"
        found = Packages(self.apt.field(image, "Version"), image, headers,
                         self.apt.depends(headers, "^linux-headers-.*-common(-rt)?$"), kbuild,
                         f"linux-source-{self.series}")
        if not all((found.version, found.common, found.kbuild,
                    self.apt.field(found.source, "Version"))):
            return None
        return found

    def packages(self) -> Packages:
        found = self.find_packages()
        if not found:
            self.apt.update()
            found = self.find_packages()
        if not found:
            raise BadKernel(f"apt knows no complete {self.series} kernel for {self.arch} "
                            f"(looked for linux-image-{self.series}-{self.name} and "
                            f"linux-image-{self.name}){there_is(self.machine)}")
        return found

    def unpack_source(self, deb: pathlib.Path, new: pathlib.Path) -> None:
        patterns = READ.format(root=f"linux-source-{self.series}").split()
        log = new / "tar.log"
        (new / "src").mkdir()
        with open(log, "wb") as f:
            # tar complains of patterns that this series has no file for
            source.unpack_tar(self.machine, deb, self.series, new / "src", "--wildcards",
                              *patterns, log=f)
        if not all((new / "src" / name).is_file() for name in NEEDED):
            apt.tail(log)
            raise BadKernel(f"linux-source-{self.series} does not hold what it should")
        log.unlink()

    def fill(self, new: pathlib.Path, final: pathlib.Path, debs: pathlib.Path,
             p: Packages) -> None:
        machine = self.machine
        apt.extract(machine, debs / f"{p.image}.deb", new, "./boot", "./lib/modules")
        for package in (p.headers, p.common, p.kbuild):
            apt.extract(machine, debs / f"{package}.deb", new, "./usr")
        self.unpack_source(debs / f"{p.source}.deb", new)
        relocate(new / "usr/src" / p.headers, final)
        for name, target in (("vmlinuz", f"boot/vmlinuz-{p.release}"),
                             ("config", f"boot/config-{p.release}"),
                             ("build", f"usr/src/{p.headers}")):
            (new / name).symlink_to(target)
        for name, text in (("release", p.release), ("base", self.series),
                           ("origin", f"Debian {p.image} {p.version}")):
            (new / name).write_text(f"{text}\n")
        if machine.run("depmod", "-b", new, p.release):
            raise BadKernel("depmod failed")
        modules.collect(machine, new)
        cache.write_manifest(new)

    def make(self, final: pathlib.Path, p: Packages) -> None:
        debs = self.cache / "debs" / f"{self.name}-{p.version}"
        with writing(self.cache):
            debs.mkdir(parents=True, exist_ok=True)
        for package in p.all():
            self.apt.fetch(debs, package)
        host.say(f"unpacking {p.image} {p.version}")
        for left in final.parent.glob(".new-*"):  # by a killed run
            shutil.rmtree(left)
        with writing(final), cache.new_directory(final) as new:
            self.fill(new, final, debs, p)
        shutil.rmtree(debs)

    def apt_state(self) -> str:
        """apt takes seconds to answer; its answer holds until its lists or its
        configuration change."""
        return self.machine.output(
            "sh", "-c", 'stat -c "%n %Y" "$1" "$1"/*_Packages* /etc/apt/sources.list* '
            "/etc/apt/preferences* /etc/apt/*.d/* 2>/dev/null | cksum", "sh",
            self.apt.lists)[1].strip()

    def remembered(self) -> typing.Optional[pathlib.Path]:
        try:
            state, directory = self.memo.read_text().splitlines()
        except (OSError, ValueError):
            return None
        found = pathlib.Path(directory)
        return found if state == self.apt_state() and not cache.lost(found) else None

    def get(self) -> pathlib.Path:
        if found := self.remembered():
            return found
        p = self.packages()
        final = self.cache / "kernels" / f"debian-{p.version}-{self.name}-{LAYOUT}"
        if cache.lost(final):
            with cache.locked(self.machine, "kernels"):
                if not cache.is_whole(final):  # no other run was faster
                    self.make(final, p)
        new = self.memo.with_name(f"{self.memo.name}.{os.getpid()}")
        with writing(self.memo):
            new.write_text(f"{self.apt_state()}\n{final}\n")
            new.replace(self.memo)
        return final


def relocate(headers: pathlib.Path, final: pathlib.Path) -> None:
    """They expect to lie in /usr/src."""
    for file in (headers / "Makefile", headers / ".kernelvariables"):
        if file.is_file():
            text = file.read_text()
            for where in ("/usr/src/", "/usr/lib/"):
                text = text.replace(where, f"{final}{where}")
            file.write_text(text)


def there_is(machine: host.Host) -> str:
    """What apt has of what there are tests for"""
    found = [base for base in patches.bases() if Debian(machine, base).find_packages()]
    return f"; there is debian:{', debian:'.join(found)}" if found else ""


def get(machine: host.Host, spec: str) -> pathlib.Path:
    """The kernel directory"""
    asked = re.fullmatch(r"debian:([0-9]+\.[0-9]+)(?:-([a-z0-9]+))?", spec)
    if not asked:
        raise BadKernel(f"{spec}: expected debian:SERIES, as in debian:6.12")
    series, flavour = asked[1], asked[2] or ""
    if distro.is_ubuntu():
        raise BadKernel(f"{spec}: Ubuntu's archive has no kernel of Debian; {apt.OTHER_WAYS}")
    if series not in patches.bases():
        raise BadKernel(f"{spec}: no series of kernel-patches/ is for it{there_is(machine)}")
    return Debian(machine, series, flavour).get()
