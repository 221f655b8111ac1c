#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh SPEC: gets a kernel and prints the path of its kernel directory:
#   vmlinuz  release  base  config  build/  src/  modules/
# SPEC is debian:SERIES (Debian's own kernel), or source:, tree:, image:.

set -u
here=$(dirname "$0")

case ${1:-} in
debian:*)
	exec "$here/kernel-debian.sh" "$@";;
source:*|tree:*|image:*)
	[ -x "$here/kernel-source.sh" ] && exec "$here/kernel-source.sh" "$@";;
esac
echo "kernel.sh: '${1:-}': not a kernel; try debian:6.12 or debian:6.1" >&2
exit 2
