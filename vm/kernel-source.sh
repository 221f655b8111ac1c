#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-source.sh: builds a kernel and prints the path of its kernel directory.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/deb.sh"
. "$here/source.sh"
. "$here/series.sh"
. "$here/tree.sh"
. "$here/config.sh"

usage() {
	cat <<-'EOF'
	usage: kernel-source.sh [--debug|--gcov] [--patch FILE]... [--config FILE]
	                        [--as NAME] SPEC

	SPEC is one of
	  source:6.1, source:6.12, source:7.2
	        Debian's source package of that series, in the newest version that
	        apt offers (this release's, else unstable's)
	  source:newest
	        the newest series that unstable has; without a series of patches of
	        its own, the newest one in kernel-patches/ is tried
	  tree:DIR
	        a developer's tree as it lies there, git or not, uncommitted changes
	        included. It is copied and never touched. Patches that it has already
	        are left alone.
	  image:BZIMAGE,MODULES
	        something built; MODULES is its build directory, or the
	        /lib/modules/RELEASE of it with a `build` link that works

	source: and tree: get the patches of test_hmm, and not the fixes of mm/, so that
	what the kernel gets wrong is seen. Append +fixes for a kernel with the fixes, as
	in source:6.12+fixes.

	  --debug       add DEBUG_ATOMIC_SLEEP, PROVE_LOCKING, KASAN, DETECT_HUNG_TASK,
	                KMEMLEAK, and GCOV for mm/mmu_notifier.o
	  --gcov        add GCOV for mm/mmu_notifier.o and nothing else
	  --patch FILE  apply this one as well (again and again for several)
	  --config FILE ask for these options as well
	  --as NAME     build it beside the kernel that has no such extras, not over it

	Exit status: 0 and the directory on stdout; 2 it can't be got or set up; 3 it does
	not build. The build directory and ccache (when installed) stay in the cache, so
	that a second build compiles what changed.
	EOF
}

# What is wrong with the kernel, and not with how it was asked for.
broken() { echo "${0##*/}: $*" >&2; exit 3; }

# Building beside the tree under names that are the same for all kernels lets
# ccache find a file that was compiled for another one.
kmake() { # BUILD ARGUMENT...
	local build=$1 cc=${CROSS_COMPILE:-}gcc
	shift

	command -v ccache >/dev/null && cc="ccache $cc"
	env CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1 \
		CCACHE_DIR="${CCACHE_DIR:-$cache/ccache}" LOCALVERSION= \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' \
		KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host \
		nice make -s -j"$(nproc)" -C "$work/tree" O="$build" ARCH="$karch" CC="$cc" \
		KCFLAGS=-fmacro-prefix-map=../tree/= "$@" </dev/null
}

# Sets base to the series whose patches apply, having made the tree.
make_tree() {
	local version fits='' patches p

	version=$(awk '/^VERSION =/ { v = $3 } /^PATCHLEVEL =/ { print v "." $3; exit }' \
		"$source/Makefile")
	[ -n "$version" ] || die "$source is not a kernel tree"
	: >"$work/tried.log"
	for base in $(base_candidates "$version"); do
		patches=()
		has_fail_points "$source" ||
			mapfile -t patches < <(series_patches "$base" module)
		[ -z "$fixes" ] || mapfile -t -O ${#patches[@]} patches \
			< <(series_patches "$base" fixes)
		patches+=("${extra[@]}")
		sync_tree "$source" "$work" "${patches[@]}" && { fits=1; break; }
		cat "$work/patch.log" >>"$work/tried.log"
	done
	[ -n "$fits" ] || {
		cat "$work/tried.log" >&2
		die "no series of kernel-patches/ fits Linux $version ($spec)"
	}
	mrproper_copy "$work/tree" "$karch"
	[ "$base" = "$version" ] || say "Linux $version: using the series of $base"
}

image_target() { if [ "$karch" = arm64 ]; then echo Image; else echo bzImage; fi; }

compile() { # BUILD
	local gcov=() log=$1/make.log

	[ -z "$variant" ] || gcov=(GCOV_PROFILE_mmu_notifier.o=y)
	say "building Linux $(kmake "$1" kernelrelease 2>/dev/null)"
	kmake "$1" "${gcov[@]}" "$(image_target)" modules >"$log" 2>&1 && return
	grep -aE -A3 'error:|Error [0-9]|undefined reference' "$log" | head -n 20 >&2
	broken "$spec does not build; see $log"
}

# The kernel directory, whose parts are replaced whole.
publish() { # BUILD KERNELDIR
	local new=$2.new

	rm -rf "$new"
	mkdir -p "$new/modules" || die "cannot write to $cache"
	cp "$1/arch/$karch_dir/boot/$(image_target)" "$new/vmlinuz" &&
	cp "$1/.config" "$new/config" &&
	cp "$1/include/config/kernel.release" "$new/release" || die "cannot write to $cache"
	echo "$base" >"$new/base"
	echo "$spec${variant:+ --$variant}" >"$new/origin"
	: >"$new/modules/order"
	ln -s "$1" "$new/build"
	# what was built; runner/build.py has nothing to patch there
	ln -s "$work/tree" "$new/src"
	ln -s "$source" "$new/pristine"
	touch "$new/patched"
	write_manifest "$new" || die "cannot write to $cache"
	rm -rf "$2" && mv -T "$new" "$2" || die "cannot write to $cache"
}

# All that a kernel is made from, when its source is one that never changes.
made_from() {
	echo "$source"
	"${CROSS_COMPILE:-}gcc" --version
	cat "$KP"/[0-9]*/* "$TOP"/runner/config/* "$fragment" "${extra[@]}" \
		"$here"/{kernel-source,series,tree,config}.sh
}

build_kernel() {
	local build=$work/build${variant:+-$variant} sum=

	[[ $source != "$cache"/src/* ]] || sum=$(made_from | sha256sum)
	[ -z "$sum" ] || [ "$sum" != "$(cat "$kernel/made-from" 2>/dev/null)" ] ||
		! is_whole "$kernel" || return 0
	mkdir -p "$build" || die "cannot write to $cache"
	make_tree
	make_config "$build"
	compile "$build"
	publish "$build" "$kernel"
	echo "$sum" >"$kernel/made-from"
}

from_image() { # BZIMAGE,MODULES
	local image=${1%%,*} modules=${1#*,} build dir

	[[ $1 = *,* ]] && [ -f "$image" ] || die "image:$1: expected image:BZIMAGE,MODULES"
	build=$modules
	[ -f "$build/Module.symvers" ] || build=$modules/build
	[ -f "$build/Module.symvers" ] && [ -f "$build/.config" ] ||
		die "$modules: neither a build directory nor one of /lib/modules with a" \
		    "build link that works; test_hmm is built against it"
	build=$(cd "$build" && pwd -P)
	source=$(cd "$build/source" 2>/dev/null && pwd -P || echo "$build")
	base=$(cut -d. -f1,2 "$build/include/config/kernel.release")
	base=$(base_candidates "$base" | head -n 1)
	[ -f "$source/lib/test_hmm.c" ] && [ -n "$base" ] || die "$source has no lib/test_hmm.c"
	# named by all that is in it, so it never changes under a run that uses it
	dir=$cache/kernels/image-$({ echo "$1 $(realpath "$image") $build $source $base"
		cat "$build/include/config/kernel.release"
		has_fail_points "$source" && echo patched; } | sha256sum | cut -c1-16)
	with_lock kernels publish_image "$1" || exit 2
	echo "$dir"
}

publish_image() { # BZIMAGE,MODULES
	local new=$dir.new

	is_whole "$dir" && return
	rm -rf "$new" "$dir"
	mkdir -p "$new/modules" &&
	ln -s "$(realpath "$image")" "$new/vmlinuz" &&
	ln -s "$build/.config" "$new/config" &&
	ln -s "$build" "$new/build" &&
	ln -s "$source" "$new/src" &&
	cp "$build/include/config/kernel.release" "$new/release" &&
	echo "$base" >"$new/base" &&
	echo "image:$1" >"$new/origin" &&
	: >"$new/modules/order" || die "cannot write to $cache"
	! has_fail_points "$source" || touch "$new/patched"
	write_manifest "$new" && mv -T "$new" "$dir" || die "cannot write to $cache"
}

variant='' fixes='' spec='' extra=() fragment=/dev/null name=''
while [ $# -gt 0 ]; do
	case $1 in
	--debug|--gcov)	variant=${1#--};;
	--patch)	[ -f "${2:-}" ] || die "--patch: no file ${2:-}"
			extra+=("$(realpath "$2")"); shift;;
	--config)	[ -f "${2:-}" ] || die "--config: no file ${2:-}"
			fragment=$(realpath "$2"); shift;;
	--as)		[[ ${2:-} =~ ^[a-z0-9]+$ ]] || die "--as: a name of a-z and 0-9"
			name=-$2; shift;;
	--help|-h)	usage; exit 0;;
	source:*|tree:*|image:*) spec=$1;;
	*)		usage >&2; exit 2;;
	esac
	shift
done
[ -n "$spec" ] || { usage >&2; exit 2; }

case ${ARCH:-$(host_arch)} in
amd64|x86_64)	karch=x86_64 karch_dir=x86;;
arm64|aarch64)	karch=arm64 karch_dir=arm64;;
*)		die "cannot build for ${ARCH:-this machine}";;
esac

cache=$(cache_dir) || exit 2
what=${spec%+fixes}
[ "$what" = "$spec" ] || fixes=+fixes
case $what in
image:*)
	from_image "${what#image:}"
	exit;;
source:*)
	series=${what#source:}
	[ "$series" != newest ] || series=$(newest_series)
	[[ $series =~ ^[0-9]+\.[0-9]+$ ]] ||
		die "$spec: expected source:SERIES, as in source:6.12, or source:newest"
	get_source "$series"
	key=source-$series$fixes;;
tree:*)
	source=$(cd "${what#tree:}" 2>/dev/null && pwd -P) || die "$spec: no such directory"
	[ -f "$source/mm/mmu_notifier.c" ] || die "$source is not a kernel tree"
	key=tree-$(echo "$source" | cksum | cut -d' ' -f1)$fixes;;
esac
[ "$karch" = x86_64 ] || key=$key-$karch
key=$key$name
work=$cache/linux/$key
kernel=$work/kernel${variant:+-$variant}
mkdir -p "$work" || die "cannot write to $cache"
with_lock "linux-$key" build_kernel || exit
echo "$kernel"
