#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build.sh KERNELDIR OUT [SELFTESTS]: what goes into the guest: OUT/modules/test_hmm.ko (patched
# with the series of this base) and the static test programs in OUT/tests.  OUT becomes
# a link to a directory in the cache that is keyed by all that it is made from, so
# that a warm run builds nothing.  For another machine, ARCH is Debian's name of it and
# CROSS_COMPILE what the names of its compiler begin with.

set -u
shopt -s nullglob
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=deb.sh
. "$here/deb.sh"

[ $# -ge 2 ] || die "usage: build.sh KERNELDIR OUT [SELFTESTS]"
kernel=$(cd "$1" && pwd) || exit 2
out=$2
base=$(cat "$kernel/base")
series=$TOP/kernel-patches/$base
selftests=$(cd "${3:-$TOP/selftests}" && pwd) || exit 2 # tests/ has stand-ins
[ -f "$series/series" ] || die "there is no series for $base kernels in kernel-patches/"

# The test programs are compiled by the compiler that compiles the module.
cc_of_kernel() {
	local text
	text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' "$kernel/config")
	# some say gcc-12, some x86_64-linux-gnu-gcc-12
	text=$cross${text#"$cross"}
	if command -v "$text" >/dev/null; then
		echo "$text"
	else
		say "the kernel's compiler, $text, is not here; using ${cross}gcc"
		echo "${cross}gcc"
	fi
}

# The host has libnuma-dev installed; for another architecture it is unpacked.
get_numa() {
	local new

	[ -d "$numa" ] && return 0 # another run was faster
	deb_unpack libnuma-dev
	mv -T "$new" "$numa" || die "cannot write to $cache"
}

key() {
	{
		echo "$kernel" "$CC"
		"$CC" --version
		stat -Lc '%s %Y' "$kernel/config" "$kernel/build/Module.symvers" \
			"$kernel/src/lib/test_hmm.c"
		cat "$kernel"/src/lib/test_hmm*.[ch] "$kernel/src/mm/mmu_notifier.c" 2>/dev/null
		cd "$TOP" && find "$series" lib "$selftests" runner/guest \
			vm/build.sh vm/initramfs.sh -type f ! -name '*.o' -print0 |
			sort -z | xargs -0 sha256sum
	} | sha256sum | cut -c1-16
}

# quilt's series file; git apply takes no fuzz, and the parts of a patch that lie
# outside lib/ are not this build's business.
patch_module() {
	local patch strip

	mkdir -p "$new/module/lib" || die "cannot write to the cache"
	cp "$kernel"/src/lib/test_hmm*.[ch] "$new/module/lib/" || exit 2
	chmod -R u+w "$new/module"
	[ ! -e "$kernel/patched" ] || return 0 # the kernel was built with the series
	sed 's/#.*//' "$series/series" | while read -r patch strip; do
		[ -n "$patch" ] || continue
		(cd "$new/module" && GIT_CEILING_DIRECTORIES=$new \
			git apply "${strip:--p1}" --whitespace=nowarn \
			--include='lib/test_hmm*' "$series/$patch") ||
			die "$base/$patch does not apply to this kernel"
	done || exit 2
}

# No BTF: nothing reads it, and it would want pahole.
kbuild() { # DIRECTORY: its modules go to $new/modules
	make -C "$kernel/build" M="$1" CONFIG_DEBUG_INFO_BTF_MODULES= \
		modules >"$1/log" 2>&1 </dev/null ||
		{ cat "$1/log" >&2; die "the module does not build"; }
	cp "$1"/*.ko "$new/modules/" && "${cross}strip" --strip-debug "$new"/modules/*.ko
}

build_modules() {
	mkdir "$new/modules"
	patch_module
	echo 'obj-m := test_hmm.o' >"$new/module/lib/Kbuild"
	kbuild "$new/module/lib"
	if [ -f "$selftests/Kbuild" ]; then
		cp -r "$selftests" "$new/extra"
		kbuild "$new/extra"
	fi
}

# The Makefile in selftests/ is the one place that says how a test is built.  The
# stand-ins have no Makefile: they need the harness only.
build_tests() {
	local src name cc=$CC

	mkdir "$new/tests" "$new/obj"
	[ -z "$numa" ] || cc+=" -isystem $numa/usr/include -L$numa/usr/lib/${cross%-}"
	if [ -f "$selftests/Makefile" ]; then
		make -s -C "$selftests" -j2 CC="$cc" KERNEL_SRC="$kernel/src" \
			TEST_HMM="$new/module/lib" OUTPUT="$new/obj" \
			>"$new/tests.log" 2>&1 </dev/null ||
			{ cat "$new/tests.log" >&2; die "the tests do not build"; }
	fi
	for src in "$selftests"/hmm_notifier_*.c; do
		name=$(basename "$src" .c)
		if [ -f "$new/obj/$name" ]; then
			mv "$new/obj/$name" "$new/tests/"
		else
			"$CC" -O2 -static -D_GNU_SOURCE -fno-builtin-snprintf -o "$new/tests/$name" \
				-fmacro-prefix-map="$selftests/=" -I"$kernel/src/tools/testing/selftests" "$src" ||
				die "$name does not build"
		fi
	done
}

build_guest() {
	local prog

	mkdir "$new/bin"
	for prog in bounded kmsg; do
		"$CC" -O2 -Wall -Wextra -static -o "$new/bin/$prog" \
			"$TOP/runner/guest/$prog.c" || die "guest/$prog.c does not build"
	done
}

# The files themselves are checked: a program that is cut short is not one with fewer
# tests.
is_intact() {
	local lost

	[ -d "$final" ] || return 1
	lost=$(cd "$final" && sha256sum --quiet --strict -c sums 2>&1 | head -n 1)
	[ -n "$lost" ] || return 0
	say "$final is damaged ($lost): building it again"
	return 1
}

build() {
	is_intact && return 0
	say "building test_hmm.ko and the tests for $(cat "$kernel/release")"
	mkdir -p "$cache/builds" || die "cannot write to $cache"
	new=$cache/builds/.new-${final##*/}
	rm -rf "$new"
	mkdir "$new" || die "cannot write to $cache"
	trap 'rm -rf "$new"' EXIT
	build_modules
	build_tests
	build_guest
	chmod 755 "$new"
	(cd "$new" && sha256sum bin/* modules/* tests/* >sums) || die "cannot write to $cache"
	rm -rf "$final"
	mv -T "$new" "$final" || die "cannot write to $cache"
	trap - EXIT
	# old builds are small, but they would pile up for ever
	find "$cache/builds" -mindepth 1 -maxdepth 1 -atime +30 -mtime +30 \
		-exec rm -rf {} +
	find "$cache" -maxdepth 1 -name '.lock-build-*' -mtime +30 -delete
}

cache=$(cache_dir) || exit 2
cross=${CROSS_COMPILE:-}
CC=$(cc_of_kernel)
numa=${cross:+$cache/numa-$ARCH}
final=$cache/builds/$(cat "$kernel/release")-$(key)
[ -z "$numa" ] || is_intact 2>/dev/null || with_lock numa get_numa || exit 2
is_intact 2>/dev/null || with_lock "build-${final##*/}" build || exit 2
touch -c "$final"
ln -sfn "$final" "$out"
