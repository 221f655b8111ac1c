# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs. The kernel unpacks cpio archives one after the other, so the
job of a run goes behind what is the same for all."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import typing

from runner import cache, host
from runner.errors import OurFault, writing

Path = typing.Union[str, "os.PathLike[str]"]
SCRIPTS = ("init", "probe", "cases")  # in its root directory


def pack(names: typing.Iterable[str], directory: Path, out: Path) -> None:
    """A cpio archive of these files in it, all of them root's."""
    with open(out, "wb") as f:
        done = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], stdout=f,
                              input="\n".join(names).encode(), cwd=directory, check=False,
                              stderr=subprocess.PIPE)
    if done.returncode:
        raise OurFault(f"cannot write {out}: "
                       f"{done.stderr.decode(errors='replace').strip()}")


def base(machine: host.Host, out: pathlib.Path, kernel_modules: pathlib.Path,
         busybox: pathlib.Path, guest: pathlib.Path) -> None:
    """out/initramfs.cpio of what was built into out: busybox, the modules, the tests, and
    the guest's own programs; its sum beside it."""
    cpio = out / "initramfs.cpio"
    with writing(out), tempfile.TemporaryDirectory(prefix=".root-", dir=out) as tmp:
        root, new = pathlib.Path(tmp, "root"), pathlib.Path(tmp, cpio.name)
        fill(root, out, kernel_modules, busybox, guest)
        # smaller, so it boots sooner
        if machine.run(f"{machine.cross}strip", *(root / "tests").iterdir()):
            raise OurFault("strip failed")
        add_libraries(machine, root)
        names = sorted(str(p.relative_to(root)) for p in root.rglob("*"))
        pack([".", *(f"./{name}" for name in names)], root, new)
        (out / "initramfs.sum").unlink(missing_ok=True)
        new.replace(cpio)
        cache.write_sums(out / "initramfs.sum", [cpio])


def fill(root: pathlib.Path, out: pathlib.Path, kernel_modules: pathlib.Path,
         busybox: pathlib.Path, guest: pathlib.Path) -> None:
    for name in ("bin", "tests", "modules", "proc", "sys", "dev", "tmp", "job", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for where, files in (("bin", out.glob("bin/*")), ("tests", out.glob("tests/*")),
                         ("modules", kernel_modules.glob("*.ko")), ("modules", own(out)),
                         ("", [guest / name for name in SCRIPTS])):
        for f in files:
            shutil.copy(f, root / where)
    order = (kernel_modules / "order").read_text()
    (root / "modules/order").write_text(order + "".join(f"{ko.name}\n" for ko in own(out)))
    for f in (*(root / name for name in SCRIPTS), *root.glob("bin/*"), *root.glob("tests/*")):
        f.chmod(0o755)


def libraries(machine: host.Host, *programs: pathlib.Path) -> typing.Set[pathlib.Path]:
    """What they are linked with, by where their loader will look for it. Of a static one,
    as those for another architecture are, ldd says on stderr that it is none of its own."""
    with machine.started(["ldd", *programs], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL) as child:
        said = os.fsdecode(child.communicate()[0])
    return {pathlib.Path(name) for name in re.findall(r"(/\S+) \(0x[0-9a-f]+\)$", said, re.M)}


def add_libraries(machine: host.Host, root: pathlib.Path) -> None:
    for library in libraries(machine, *root.glob("bin/*"), *root.glob("tests/*")):
        to = root / library.relative_to("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, to)


def own(out: pathlib.Path) -> typing.List[pathlib.Path]:
    return sorted(out.glob("modules/*.ko"))


def pack_job(job: pathlib.Path, out: pathlib.Path) -> None:
    """With what a guest needs that goes on from a snapshot, see guest/wake.c"""
    with writing(job):
        (job / "now").write_text(f"{time.time():.0f}\n")
        (job / "seed").write_bytes(os.urandom(256))
    pack(["job", *(f"job/{p.name}" for p in sorted(job.iterdir()))], job.parent, out)


def join(parts: typing.Iterable[Path], out: pathlib.Path) -> None:
    with writing(out), open(out, "wb") as to:
        for part in parts:
            with open(part, "rb") as f:
                shutil.copyfileobj(f, to, 1 << 20)
