# SPDX-License-Identifier: GPL-2.0
"""A job of LAVA: what run_tests.sh would boot, in the words of job.yaml.j2."""
from __future__ import annotations

import pathlib
import shlex

import jinja2

from runner import initrd, job, qemu, testbed

HERE = pathlib.Path(__file__).resolve().parent
# LAVA waits for the end of what the kernel says; all of its log goes to the judge anyway.
APPEND = "hmm_notifier=lava panic=0 panic_print=0"
BOOT = 120  # seconds until the guest has to say its first word


def render(template: str, to: pathlib.Path, **values: object) -> pathlib.Path:
    text = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        (HERE / f"{template}.j2").read_text()).render(values)
    (to / template).write_text(text + "\n")
    return to / template


def write(bed: testbed.Testbed, its: job.Job, to: pathlib.Path, tmp: pathlib.Path,
          append: str = "", name: str = "", boot: int = BOOT) -> tuple[str, list[str]]:
    """job.yaml, into to; (the QEMU, its options) that a device needs for it"""
    initramfs = tmp / "initramfs.cpio"
    initrd.pack_job(its.directory, to / "job.cpio")
    initrd.join([bed.built.initramfs, to / "job.cpio"], initramfs)
    cmd = qemu.command(bed.arch, bed.accel, bed.kernel.image, initramfs, to / "console",
                       [(n, to / f"{n}.log") for n in ("ktap", "kmsg")], f"{append} {APPEND}")
    *options, _, _, _, _, _, arguments = cmd[1:]
    console = next(i for i, w in enumerate(options) if w.startswith("file,id=console,"))
    options[console] = "stdio,id=console,signal=off"
    options = [shlex.quote(word) for word in options]
    render("job.yaml", to, name=(name or f"hmm-notifier {bed.kernel.release}")[:200],
           arch=bed.arch, options=options, timeout=its.total + boot, boot=boot,
           kernel=f"file://{bed.kernel.image.resolve()}", initrd=f"file://{initramfs}",
           kernel_arg=f"-kernel {{kernel}} -append {shlex.quote(arguments)}")
    return cmd[0], options
