# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the programs in vm/: messages, the cache, locks.

# an exported one makes cd print where it went
unset CDPATH
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export TOP

# An ordinary user's PATH on Debian lacks these, and tools live there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Whatever is read from a tool's output must not be translated.
export LC_ALL=C

say() { [ -n "${QUIET:-}" ] || echo "$*" >&2; }
die() { echo "${0##*/}: $*" >&2; exit 2; }

# Prints the cache directory.  kbuild can't work in a path with blanks, so a
# cache that would have them goes to /var/tmp instead.
cache_dir() {
	local dir=${XDG_CACHE_HOME:-}

	# the specification of XDG wants a relative one ignored
	[[ $dir = /* ]] || dir=${HOME:-/root}/.cache
	dir=$dir/hmm-notifier-tests
	if [[ $dir =~ [[:space:]:] ]]; then
		dir=/var/tmp/hmm-notifier-tests-$(id -u)
		own_dir "$dir"
	fi
	mkdir -p "$dir" 2>/dev/null && [ -O "$dir" ] && [ -w "$dir" ] ||
		die "cannot use the cache directory $dir"
	echo "$dir"
}

# own_dir DIR: a directory that only we can write to, where anybody can make one.
own_dir() {
	mkdir -m 700 "$1" 2>/dev/null
	[ ! -L "$1" ] && [ -d "$1" ] && [ -O "$1" ] &&
		[ $((0$(stat -c %a "$1") & 022)) = 0 ] && chmod 700 "$1" ||
		die "$1 is not a directory of ours that others cannot write to; remove it"
}

# Debian's name of this machine's architecture.
host_arch() {
	local arch

	arch=$(dpkg --print-architecture 2>/dev/null)
	case ${arch:-$(uname -m)} in
	x86_64)		echo amd64;;
	aarch64)	echo arm64;;
	?*)		echo "${arch:-$(uname -m)}";;
	*)		die "neither dpkg nor uname says what machine this is";;
	esac
}

# What is in the cache may have been damaged since, by a full disk or by hand.  So a
# directory there has a list of its files with their sizes.
file_sizes() { (cd "$1" && find . -type f ! -path ./manifest -printf '%s %P\n' | sort); }

write_manifest() { # DIR
	file_sizes "$1" >"$1/manifest.new" && sed -i '/ manifest.new$/d' "$1/manifest.new" &&
		mv "$1/manifest.new" "$1/manifest"
}

# is_whole DIR: it is there with all its files; says it if they are not whole.
is_whole() {
	local lost

	[ -d "$1" ] || return 1
	lost=$(file_sizes "$1" | comm -13 - "$1/manifest" 2>&1 | head -n 1)
	[ -n "$lost" ] || return 0
	say "$1 is damaged (${lost#* }): making it again"
	return 1
}

# with_lock NAME COMMAND...: one run at a time prepares the same thing.
with_lock() {
	local name=$1 fd
	shift

	exec {fd}>"$(cache_dir)/.lock-$name" || die "cannot write to the cache"
	flock -n "$fd" || { say "waiting for another run ($name)"; flock "$fd"; }
	"$@" {fd}>&-
	local ret=$?
	exec {fd}>&-
	return $ret
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root, and there is no sudo to run: $*"
	fi
}
