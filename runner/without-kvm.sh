#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# QEMU, for who says "-accel kvm -accel tcg" and has no option for anything else, as kunit.py.
# $QEMU is the real one.
for word; do
	shift
	[ "$word" = kvm ] && word=tcg
	set -- "$@" "$word"
done
exec "$QEMU" "$@"
