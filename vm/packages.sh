#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# packages.sh [-n] [GROUP...]: the Debian packages that the host needs.
# Installs what is missing; with -n prints the command and exits 2.
# Groups: run (the default), source (to build a kernel), arm64 (to build for it and
# emulate it), static (what `make static` needs), check (what `make check` needs
# beyond that).

set -u
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# libelf and libssl: Debian's objtool and modpost are linked with them.
RUN="gcc libc6-dev make binutils patch cpio xz-utils bzip2 kmod git
     ca-certificates python3 qemu-system-x86 ipxe-qemu libnuma-dev libelf-dev
     libssl-dev zlib1g-dev pahole"
SOURCE="bc bison flex rsync lz4 ccache"
ARM64="qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
STATIC="gcc make clang coccinelle"
CHECK="python3-pytest python3-pytest-xdist rsync shellcheck mypy flake8 clang clang-19
       sparse perl quilt python3-ply python3-git libcap-dev"

no_install=
[ "${1:-}" = -n ] && { no_install=1; shift; }

wanted() {
	local group
	for group in "${@:-run}"; do
		case $group in
		run)	echo "$RUN";;
		source)	echo "$SOURCE";;
		arm64)	echo "$ARM64";;
		static)	echo "$STATIC";;
		check)	echo "$CHECK";;
		*)	echo "$group";;
		esac
	done
}

installed() {
	dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed'
}

command -v apt-get >/dev/null ||
	die "no apt-get here: this needs Debian 12 or a relative"

missing=()
for p in $(wanted "$@"); do
	installed "$p" || missing+=("$p")
done
[ ${#missing[@]} = 0 ] && exit 0

# --no-install-recommends: qemu recommends a whole desktop.
install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ -n "$no_install" ]; then
	echo "missing packages; install them with:" >&2
	echo "    $([ "$(id -u)" = 0 ] || echo sudo )" "${install[@]}" >&2
	exit 2
fi

echo "installing what is missing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp) || die "no temporary file"
trap 'rm -f "$log"' EXIT
run() { as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; }

# Stale indexes name files that are gone from the archive: update, then once more.
run "${install[@]}" && exit 0
run apt-get update || { cat "$log" >&2; die "apt-get update failed"; }
run "${install[@]}" && exit 0
cat "$log" >&2
die "could not install: ${missing[*]}"
