#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel-debian.sh debian:SERIES: Debian's stock kernel of that series in the
# newest version that apt offers.  The packages are unpacked into the cache and
# never installed.  Prints the kernel directory.  ARCH is Debian's name of the
# architecture.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=deb.sh
. "$here/deb.sh"

LAYOUT=6 # counts the changes of what a kernel directory holds

series=${1#debian:}
host=$(host_arch) || exit 2
arch=${ARCH:-$host}
[[ $series =~ ^[0-9]+\.[0-9]+$ ]] || die "$1: expected debian:SERIES, as in debian:6.12"

# A series that is not the release's own has it in the meta package's name.
find_image() {
	local meta ver

	for meta in "linux-image-$series-$arch" "linux-image-$arch"; do
		ver=$(deb_field "$meta" Version)
		[[ $ver == "$series".* ]] || continue
		image=$(deb_depends "$meta" "^linux-image-$series")
		[ -n "$image" ] && return 0
	done
	return 1
}

find_packages() {
	find_image || return 1
	version=$(deb_field "$image" Version)
	headers=linux-headers-${image#linux-image-}
	common=$(deb_depends "$headers" '^linux-headers-.*-common$')
	kbuild=$(deb_depends "$headers" '^linux-kbuild-')
	# its programs run here
	[ -z "$kbuild" ] || [ "$arch" = "$host" ] || kbuild=$kbuild:$host
	source=linux-source-$series
	[ -n "$version" ] && [ -n "$common" ] && [ -n "$kbuild" ] &&
		[ -n "$(deb_field "$source" Version)" ]
}

unpack() { # PACKAGE [TAR ARGUMENT...]
	local deb=$debs/$1.deb
	shift
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --no-same-owner "$@" ||
		die "could not unpack $deb"
}

# Only what the build, the tests, the judge and the checks read.
unpack_source() {
	local root=linux-source-$series
	local tar=./usr/src/$root.tar.xz

	mkdir "$new/src"
	dpkg-deb --fsys-tarfile "$debs/$source.deb" | tar -xO "$tar" | xz -d -T0 |
		tar -x -C "$new/src" --strip-components=1 --no-same-owner --wildcards \
		"$root/Makefile" "$root/MAINTAINERS" "$root/lib/Kconfig.debug" \
		"$root/lib/test_hmm*" "$root/mm/*" \
		"$root/include/linux/mmu_notifier.h" "$root/Documentation/mm/hmm.rst" \
		'*/.clang-format' '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' '*/scripts/kernel-doc*' \
		'*/Documentation/dev-tools/checkpatch.rst' \
		'*/tools/testing/kunit/*.py' '*/tools/testing/selftests/*.h' \
		'*/tools/testing/selftests/*.mk' '*/tools/testing/selftests/Makefile' \
		'*/tools/testing/selftests/*.sh' '*/tools/testing/selftests/kselftest/*' \
		'*/tools/testing/selftests/mm/*' '*/tools/testing/selftests/vm/*' \
		'*/tools/include/*' 2>"$new/tar.log"
	# tar complains of patterns that this series has no file for
	[ -f "$new/src/Makefile" ] && [ -f "$new/src/lib/test_hmm.c" ] &&
	[ -f "$new/src/mm/mmu_notifier.c" ] &&
	[ -f "$new/src/tools/testing/selftests/kselftest_harness.h" ] &&
	[ -f "$new/src/tools/testing/kunit/kunit_parser.py" ] || {
		tail -n 5 "$new/tar.log" >&2
		die "$source does not hold what it should"
	}
	rm -f "$new/tar.log"
}

# The headers expect to lie in /usr/src.
relocate_headers() {
	local file

	for file in "$new/usr/src/$headers/Makefile" "$new/usr/src/$headers/.kernelvariables"; do
		[ -f "$file" ] && sed -i "s|/usr/src/|$final/usr/src/|g; s|/usr/lib/|$final/usr/lib/|g" "$file"
	done
}

fill() {
	local release=${image#linux-image-} pkg

	unpack "$image" ./boot ./lib/modules
	for pkg in "$headers" "$common" "$kbuild"; do
		unpack "$pkg" ./usr
	done
	unpack_source
	relocate_headers
	ln -s "boot/vmlinuz-$release" "$new/vmlinuz"
	ln -s "boot/config-$release" "$new/config"
	ln -s "usr/src/$headers" "$new/build"
	echo "$release" >"$new/release"
	echo "$series" >"$new/base"
	echo "Debian $image $version" >"$new/origin"
	depmod -b "$new" "$release" || die "depmod failed"
	"$here/modules.sh" "$new" || die "could not collect the modules"
	write_manifest "$new" || die "cannot write to $cache"
}

get() {
	local pkg

	is_whole "$final" && return 0 # another run was faster
	debs=$cache/debs/$arch-$version
	mkdir -p "$debs" || die "cannot write to $cache"
	for pkg in "$image" "$headers" "$common" "$kbuild" "$source"; do
		deb_fetch "$debs" "$pkg"
	done
	say "unpacking $image $version"
	rm -rf "$cache"/kernels/.new-*
	new=$(mktemp -d "$cache/kernels/.new-XXXXXX") || die "cannot write to $cache"
	trap 'rm -rf "$new"' EXIT
	(fill) || exit 2
	chmod 755 "$new"
	rm -rf "$final"
	mv -T "$new" "$final" || die "cannot write to $cache"
	rm -rf "$debs"
}

# apt takes seconds to answer all this; its answer holds until its lists or its
# configuration change.
apt_state() {
	local lists=${own:-/var/lib/apt}/lists

	stat -c '%n %Y' "$lists" "$lists"/*_Packages* \
		/etc/apt/sources.list* /etc/apt/preferences* \
		/etc/apt/*.d/* 2>/dev/null | cksum
}

cache=$(cache_dir) || exit 2
mkdir -p "$cache/kernels" || die "cannot write to $cache"
use_arch
memo=$cache/apt-answer-$series-$arch-$LAYOUT
if [ -f "$memo" ] && { read -r state && read -r final; } <"$memo" &&
   [ "$state" = "$(apt_state)" ] &&
   is_whole "$final" 2>/dev/null; then
	echo "$final"
	exit 0
fi

if ! find_packages; then
	deb_update
	find_packages || die "apt knows no complete $series kernel for $arch" \
		"(looked for linux-image-$series-$arch and linux-image-$arch)"
fi
final=$cache/kernels/debian-$version-$arch-$LAYOUT
is_whole "$final" 2>/dev/null || with_lock kernels get || exit 2
printf '%s\n' "$(apt_state)" "$final" >"$memo.$$" && mv "$memo.$$" "$memo"
echo "$final"
