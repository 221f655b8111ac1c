# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # what kernel-source.sh sets
# Sourced: which patches of which series, and applying them without fuzz.

KP=$TOP/kernel-patches

patch_files() { sed -n 's|^+++ [ab]/\([^[:space:]]*\).*|\1|p' "$@" | sort -u; }

series_of() { sed 's/#.*//; /^[[:space:]]*$/d' "$KP/$1/series" | awk '{ print $1 }'; }

# series_patches BASE KIND: KIND module is all that is neither in mm/ nor a
# selftest; KIND fixes is what changes mm/.
series_patches() {
	local p

	for p in $(series_of "$1"); do
		case $2:$(patch_files "$KP/$1/$p") in
		fixes:mm/*)	echo "$KP/$1/$p";;
		*:mm/*|*:tools/*) ;;
		module:*)	echo "$KP/$1/$p";;
		esac
	done
}

# base_candidates VERSION: the series to try, best first: its own, then the
# newest of the older ones and so on, then the newer ones.
base_candidates() {
	local all
	all=$(cd "$KP" && printf '%s\n' */series | sed 's|/series||' | sort -V)

	printf '%s\n' "$all" | grep -Fx "$1"
	printf '%s\n' "$all" "$1" | sort -Vu | sed "/^${1//./\\.}\$/,\$d" | tac
	printf '%s\n' "$all" "$1" | sort -Vu | sed "1,/^${1//./\\.}\$/d"
}

# apply_one DIR PATCH: applied, or there already.  Prints what did not fit.
apply_one() {
	local out

	out=$(patch -d "$1" -p1 -F0 -f --dry-run <"$2" 2>&1) && {
		patch -d "$1" -p1 -F0 -s -f --no-backup-if-mismatch <"$2" >/dev/null
		return
	}
	patch -d "$1" -p1 -F0 -s -f -R --dry-run <"$2" >/dev/null 2>&1 && return 0
	printf '%s does not apply:\n' "${2#"$KP"/}"
	grep -E '^checking file|FAILED|^can.t find' <<<"$out"
	return 1
}

# has_fail_points DIR: is the module's part of the series there already?
has_fail_points() { grep -qs HMM_DMIRROR_FAIL_POINT "$1/lib/test_hmm_uapi.h"; }

# patched_files FROM TO PATCH...: puts what the patches touch into TO, patched.
patched_files() {
	local from=$1 to=$2 f p
	shift 2

	[ $# -gt 0 ] || return 0
	for f in $(patch_files "$@"); do
		[ -f "$from/$f" ] || continue
		mkdir -p "$to/${f%/*}" && cp -p "$from/$f" "$to/$f" && chmod u+w "$to/$f" ||
			die "cannot write to the cache"
	done
	for p in "$@"; do
		apply_one "$to" "$p" || return 1
	done
}
