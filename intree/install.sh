#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# install.sh [--without-fixes] KDIR: puts the series and the tests into a kernel
# tree, without committing anything.
# install.sh --uninstall KDIR: takes all of it out again.
#
# KDIR/.hmm-notifier-tests remembers what was there before, so that uninstall can
# restore it to the byte, and what was put there, so that nobody's work gets lost.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
. "$here/../vm/common.sh"
. "$here/../vm/series.sh"

usage() { die "usage: install.sh [--without-fixes|--uninstall] KDIR"; }

git_of_tree() { git -c "safe.directory=*" -C "$tree" "$@" 2>/dev/null; }

# Files that differ from the last commit and are not ours.
dirty() {
	[ "$(git_of_tree rev-parse --show-prefix || echo no)" = "" ] || return 0
	{ git_of_tree diff --name-only HEAD; git_of_tree ls-files -o --exclude-standard; } |
		sort -u | grep -v "^${state##*/}/" |
		if [ -f "$state/manifest" ]; then
			grep -vxFf <(cut -c67- "$state/manifest")
		else
			cat
		fi
}

# Ours, and no longer as we left them.
changed() {
	[ ! -f "$state/manifest" ] ||
		(cd "$tree" && sha256sum --quiet -c "$state/manifest" 2>/dev/null |
			sed 's/: FAILED.*//')
}

refuse_if_changed() {
	local files
	files=$(changed)
	[ -z "$files" ] || die "$1: changed since it was installed; nothing was done:" "$(echo "$files" | xargs)"
}

# The series that fits, with what it changes, in $new.
make_files() {
	local version base p patches

	version=$(awk '/^VERSION =/ { v = $3 } /^PATCHLEVEL =/ { print v "." $3; exit }' \
		"$tree/Makefile")
	[ -f "$KP/$version/series" ] || die "$tree is Linux $version; there are series for" \
		"$(cd "$KP" && printf '%s\n' */series | sed 's|/series||' | sort -V | xargs)"
	base=$version
	mapfile -t patches < <(series_of "$base" | while read -r p; do
		case $without_fixes:$(patch_files "$KP/$base/$p") in
		1:mm/*)	;;
		*)	echo "$KP/$base/$p";;
		esac
	done)
	patched_files "$pristine" "$new" "${patches[@]}" >"$tmp/log" ||
		{ cat "$tmp/log" >&2; die "the series of $base does not apply to $tree"; }
	"$here/generate.sh" "$pristine" "$new" || exit 2
}

# The tree as it was before: what is ours is taken from what we kept.
make_pristine() {
	local f

	pristine=$tmp/pristine
	mkdir -p "$pristine/tools/testing/selftests"
	{ echo Makefile
	  echo lib/Kconfig.debug
	  sed -n 's|^--- a/||p' "$KP"/[0-9]*/*.patch | sort -u; } |
	while read -r f; do
		[ ! -f "$tree/$f" ] || (cd "$tree" && cp -a --parents "$f" "$pristine/") || exit 2
	done || exit 2
	for f in mm vm; do
		[ ! -d "$tree/tools/testing/selftests/$f" ] ||
			cp -a "$tree/tools/testing/selftests/$f" "$pristine/tools/testing/selftests/"
	done
	[ -f "$state/manifest" ] || return 0
	cut -c67- "$state/manifest" | (cd "$pristine" && tr '\n' '\0' | xargs -0 rm -f)
	cp -a "$state/before/." "$pristine/"
}

# A file that is there as it should be keeps its time: nothing is built twice.
put_files() {
	local f

	mkdir -p "$state/before"
	# it must not make a tree dirty that was clean
	echo '*' >"$state/.gitignore"
	(cd "$new" && find . -type f -printf '%P\n') | sort >"$tmp/files"
	while read -r f; do
		if [ -f "$pristine/$f" ] && [ ! -f "$state/before/$f" ]; then
			mkdir -p "$state/before/$(dirname "$f")"
			cp -a "$tree/$f" "$state/before/$f" || die "cannot write to $tree"
		fi
	done <"$tmp/files"
	(cd "$new" && xargs -d '\n' sha256sum <"$tmp/files") >"$tmp/manifest"
	[ ! -f "$state/manifest" ] || remove_stale
	cp "$tmp/manifest" "$state/manifest" || die "cannot write to $tree"
	while read -r f; do
		cmp -s "$new/$f" "$tree/$f" && continue
		# not in place: the file may have other names
		mkdir -p "$tree/$(dirname "$f")" &&
		cp --preserve=mode "$new/$f" "$tree/$f.hmm-new" &&
		mv "$tree/$f.hmm-new" "$tree/$f" || die "cannot write to $tree"
	done <"$tmp/files"
}

# What an earlier version installed and this one does not.
remove_stale() {
	local f

	comm -23 <(cut -c67- "$state/manifest" | sort) "$tmp/files" |
	while read -r f; do
		restore "$f"
	done
}

restore() {
	if [ -f "$state/before/$1" ]; then
		cp -a "$state/before/$1" "$tree/$1.hmm-new" && mv "$tree/$1.hmm-new" "$tree/$1"
	else
		rm -f "$tree/$1"
	fi || die "cannot write to $tree"
}

uninstall() {
	local f

	[ -f "$state/manifest" ] || { say "$tree: nothing is installed there"; return; }
	refuse_if_changed "uninstall"
	while read -r f; do
		restore "$f"
	done < <(cut -c67- "$state/manifest")
	rm -rf "$state"
}

install() {
	local files

	files=$(dirty)
	[ -z "$files" ] || die "$tree has uncommitted changes; commit or stash them first:" \
		"$(echo "$files" | head -n 5 | xargs)"
	refuse_if_changed "install"
	tmp=$(mktemp -d) && new=$tmp/new && mkdir "$new" || die "no temporary directory"
	trap 'rm -rf "$tmp"' EXIT
	make_pristine
	make_files
	put_files
	say "$tree: $(wc -l <"$state/manifest") files; try make kselftest TARGETS=${selftests:-mm}"
}

what=install without_fixes=0
while [ $# -gt 1 ]; do
	case $1 in
	--uninstall)	what=uninstall;;
	--without-fixes) without_fixes=1;;
	*)		usage;;
	esac
	shift
done
[ -n "${1:-}" ] || usage
tree=$(cd "$1" 2>/dev/null && pwd -P) || die "$1: no such directory"
[ -f "$tree/mm/mmu_notifier.c" ] && [ -f "$tree/lib/test_hmm.c" ] ||
	die "$tree is not a kernel tree"
state=$tree/.hmm-notifier-tests
[ ! -d "$tree/tools/testing/selftests/vm" ] || [ -d "$tree/tools/testing/selftests/mm" ] ||
	selftests=vm
$what
