#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# modules.sh KERNELDIR: puts the modules that runner/guest/modules names, with what
# they depend on, into KERNELDIR/modules; the load order into modules/order.
# A module that is built in, or that this kernel does not have, is left out.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"

dir=$1
release=$(cat "$dir/release") || exit 2
mkdir -p "$dir/modules" || exit 2
: >"$dir/modules/order"

grep -v '^#' "$TOP/runner/guest/modules" | while read -r name; do
	[ -n "$name" ] || continue
	modprobe -d "$dir" -S "$release" --show-depends "$name" 2>/dev/null |
	awk '$1 == "insmod" { print $2 }' | while read -r file; do
		ko=$(basename "$file"); ko=${ko%.xz}; ko=${ko%.zst}
		[ -f "$dir/modules/$ko" ] && continue
		case $file in
		*.xz)	xz -dc "$file";;
		*.zst)	zstd -dqc "$file";;
		*)	cat "$file";;
		esac >"$dir/modules/$ko" || exit 2
		echo "$ko" >>"$dir/modules/order"
	done || exit 2
done
