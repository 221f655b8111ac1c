# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the programs in vm/: messages, the cache, locks.

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
	local dir=${XDG_CACHE_HOME:-$HOME/.cache}/hmm-notifier-tests

	if [[ $dir =~ [[:space:]:] ]]; then
		dir=/var/tmp/hmm-notifier-tests-$(id -u)
	fi
	mkdir -p "$dir" 2>/dev/null && [ -O "$dir" ] && [ -w "$dir" ] ||
		die "cannot use the cache directory $dir"
	echo "$dir"
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
