# SPDX-License-Identifier: GPL-2.0
"""The runner: gets a kernel, boots it in QEMU, runs the tests, gives a verdict.

main -> run, which is the whole of a run, top to bottom; what it does it with:
options, host (programs that are run, the guard), workdir, kernel, linux, built, job, results,
accel, qemu, boot, and verdict, which hands the judge all that it reads.
"""
import pathlib

TOP = pathlib.Path(__file__).resolve().parent.parent
