#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What a guest of virtme-ng runs, see vng.py.  Directories of the host, in which it can't
# write, are /run/built and /run/results; nothing here is on the host's disks.

# udev would open the disks that tests make.
for comm in /proc/[0-9]*/comm; do
	pid=${comm%/comm}
	read -r name <"$comm"
	case $name in *udevd) kill "${pid#/proc/}";; esac
done
# Tests cut their mounts off from "/", which has to be one.
mkdir /run/root && mount -t tmpfs root /run/root && cd /run/root || exit
# cpio would ask the host for each 512 bytes.
for archive in built/initramfs results/job; do
	cat /run/$archive.cpio | cpio -id --quiet || exit
done
exec chroot . /init
