#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Usage: start-sites.sh KERNEL_SOURCE
#
# Checks that every function of a kernel that starts an invalidation is in start_site.c,
# so that a new one is noticed which no test reaches. Leaves out drivers/ and virt/: they
# are notified, and don't change an mm.
set -eu

here=$(dirname "$0")
kernel=$1
[ -f "$kernel/mm/mmu_notifier.c" ] || {
	echo "start-sites.sh: $kernel is not the source of a kernel" >&2
	exit 2
}
calls=$(mktemp)
trap 'rm -f "$calls"' EXIT

# file:line:function, of the function that the line is in
callers() {
	find "$1" -name '*.c' ! -path "$1/drivers/*" ! -path "$1/virt/*" \
		! -path "$1/tools/*" ! -path "$1/samples/*" \
		-exec grep -l 'mmu_notifier_invalidate_range_start' {} + |
	sort | while read -r file; do
		awk -v file="${file#"$1"/}" '
		# the first line of a definition ends in none of these
		/^[a-zA-Z_].*[a-zA-Z0-9_]+\(/ && !/[;:]$/ {
			name = $0
			sub(/\(.*/, "", name)
			sub(/.*[^a-zA-Z0-9_]/, "", name)
		}
		/mmu_notifier_invalidate_range_start(_nonblock)?\(/ &&
		!/^[ \t]*\*/ && !/^[a-zA-Z_]/ {
			print file ":" FNR ":" name
		}' "$file"
	done
}

# SITE("file", "function", .was = { ... }: the names of one entry, older ones too
known() {
	awk '/SITE\("/ || /\.was = / {
		line = $0
		sub(/SITE\("[^"]*", /, "", line)
		sub(/\.inlined.*/, "", line)
		while (match(line, /"[a-zA-Z_0-9]+"/)) {
			print substr(line, RSTART + 1, RLENGTH - 2)
			line = substr(line, RSTART + RLENGTH)
		}
	}' "$here/start_site.c"
}

callers "$kernel" >"$calls"
[ -s "$calls" ] || {
	echo "start-sites.sh: found no call at all in $kernel" >&2
	exit 2
}
known | awk -F: '
	NR == FNR { known[$0] = 1; next }
	# the machinery itself, and its lockdep map
	$1 == "mm/mmu_notifier.c" { next }
	!($3 in known) {
		printf "%s:%s: %s() starts an invalidation, ", $1, $2, $3
		printf "and lib/change/start_site.c does not know it. Add:\n"
		printf "\tSITE(\"%s\", \"%s\"),\n", $1, $3
		bad = 1
	}
	$3 in known { nr++ }
	END {
		printf "%d calls known\n", nr
		exit bad
	}
' - "$calls"
