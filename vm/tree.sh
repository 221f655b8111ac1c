# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # what kernel-source.sh sets
# Sourced: a copy of a kernel tree that make can build incrementally.

# The files of a tree that are its source: what git tracks and what it does not
# ignore, as they lie there, uncommitted changes included.  Without git, all but
# what a build leaves.
tree_list() { # DIR
	local git=(git -c "safe.directory=*" -C "$1")

	if [ "$("${git[@]}" rev-parse --show-prefix 2>/dev/null || echo no)" = "" ]; then
		"${git[@]}" ls-files -z -c -o --exclude-standard | tr '\0' '\n'
	else
		(cd "$1" && find . -name .git -prune -o \
			\( -type f -o -type l \) ! -name '*.o' ! -name '*.a' ! -name '*.ko' \
			! -name '*.mod' ! -name '*.mod.c' ! -name '.*.cmd' ! -name '.*.d' \
			! -name vmlinux ! -name 'vmlinux.bin*' ! -name '.tmp_*' \
			! -name modules.order ! -name '*.orig' ! -name '*.rej' \
			-printf '%P\n')
	fi | sort -u
}

# Leftovers of a build inside a tree without git that tree_list can't know by
# name; kbuild refuses to build from such a tree elsewhere.
mrproper_copy() { # TREE ARCH
	[ -e "$1/.config" ] || [ -d "$1/include/config" ] ||
		[ -d "$1/arch/$2/include/generated" ] || return 0
	say "removing what a build left in the copy of the tree"
	make -s -C "$1" ARCH="$2" mrproper >/dev/null 2>&1 </dev/null
}

# sync_tree FROM WORK [PATCH...]: WORK/tree becomes FROM with the patches.  A
# file that did not change keeps its time, a patched one too, so that make
# compiles what changed and no more.  A pristine source of the cache never
# changes: its files are linked.
sync_tree() {
	local from=$1 work=$2 tree=$2/tree scratch=$2/patched link=
	shift 2

	rm -rf "$scratch"
	mkdir -p "$tree" "$scratch" || die "cannot write to the cache"
	patched_files "$from" "$scratch" "$@" >"$work/patch.log" || return 1
	# tracked but not there: no line
	tree_list "$from" | tr '\n' '\0' |
		(cd "$from" && xargs -0r stat -c '%.9Y %a %s %n' 2>/dev/null) |
		sort >"$work/stats.new"
	[ -s "$work/stats.new" ] || die "$from: cannot list its files"
	cut -d' ' -f4- "$work/stats.new" | sort >"$work/list.new"
	# All, or what changed since the last time and what was patched then; rsync needs
	# as long to find nothing as make to build
	touch "$work/stats" "$work/list.patched"
	{ comm -13 "$work/stats" "$work/stats.new" | cut -d' ' -f4-
	  comm -12 "$work/list.patched" "$work/list.new"; } | sort -u >"$work/list.copy"
	rm "$work/stats"
	(cd "$scratch" && find . -type f -printf '%P\n') | sort >"$work/list.patched"
	[ -f "$work/list" ] && comm -23 "$work/list" "$work/list.new" |
		(cd "$tree" && tr '\n' '\0' | xargs -0r rm -f)
	[[ $from = "$cache"/src/* ]] && link=--link-dest=$from
	comm -23 "$work/list.copy" "$work/list.patched" |
		rsync -lpt ${link:+"$link"} --files-from=- "$from/" "$tree/" \
			2>"$work/rsync.log" ||
		{ tail -n 3 "$work/rsync.log" >&2; die "cannot copy $from"; }
	# no -t: make goes by the time of the copy, and -c copies what differs
	[ ! -s "$work/list.patched" ] || rsync -rc "$scratch/" "$tree/" ||
		die "cannot write to the cache"
	sort -u "$work/list.new" "$work/list.patched" >"$work/list"
	mv "$work/stats.new" "$work/stats"
	rm -rf "$scratch" "$work"/list.{new,copy}
}
