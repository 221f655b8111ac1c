# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs. The kernel unpacks cpio archives one after the other, so the
job of a run goes behind what is the same for all."""
import os
import pathlib
import shutil
import subprocess
import typing

from runner.errors import OurFault, writing

Path = typing.Union[str, "os.PathLike[str]"]


def pack(names: typing.Iterable[str], directory: Path, out: Path) -> None:
    """A cpio archive of these files in it, all of them root's."""
    with open(out, "wb") as f:
        done = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], stdout=f,
                              input="\n".join(names).encode(), cwd=directory, check=False,
                              stderr=subprocess.PIPE)
    if done.returncode:
        raise OurFault(f"cannot write {out}: "
                       f"{done.stderr.decode(errors='replace').strip()}")


def make(base: Path, job: pathlib.Path, job_cpio: Path, out: pathlib.Path) -> None:
    names = ["job", *(f"job/{p.name}" for p in sorted(job.iterdir()))]
    pack(names, job.parent, job_cpio)
    with writing(out), open(out, "wb") as to:
        for part in (base, job_cpio):
            with open(part, "rb") as f:
                shutil.copyfileobj(f, to, 1 << 20)
