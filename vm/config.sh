# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # what kernel-source.sh sets
# Sourced: the smallest config that runs everything, and nothing lost of it.

# The requested options, in the order in which later ones win.
config_request() {
	cat "$TOP/runner/config/base.config" "$TOP/runner/config/$karch.config" \
		"$TOP/runner/config/optional.config"
	[ -z "$variant" ] || cat "$TOP/runner/config/$variant.config"
	cat "$fragment"
}

requested() { grep -E '^(CONFIG_[A-Z0-9_a-z]+=|# CONFIG_.* is not set)' "$1"; }

# Options that were asked for and are not so in the .config, whatever for.
config_differs() { # BUILD
	requested "$1/requested.config" | awk '
		{ sym = $1 == "#" ? $2 : $1; sub(/=.*/, "", sym) }
		FILENAME == "-" { wanted[sym] = $0; next }
		/^CONFIG_/ { got[sym] = $0 }
		END { for (sym in wanted)
			if (wanted[sym] ~ /^#/ ? sym in got : got[sym] != wanted[sym])
				print wanted[sym]
		}' - "$1/.config" | sort
}

# One of optional.config may be missing where Kconfig does not know it.
config_lost() { # BUILD
	local line sym

	config_differs "$1" | while read -r line; do
		sym=$(expr "$line" : '#* *\(CONFIG_[A-Za-z0-9_]*\)')
		grep -Fxq "$line" "$TOP/runner/config/optional.config" &&
			! grep -rqE "^(menu)?config ${sym#CONFIG_}\$" --include='Kconfig*' \
				"$work/tree" && continue
		echo "$line (got: $(grep -E "^(# )?${sym}[= ]" "$1/.config" || echo nothing))"
	done
}

# All that a .config is made from: the request, the compiler, and Kconfig.
config_made_from() { # BUILD
	cat "$1/requested.new"
	"${CROSS_COMPILE:-}gcc" --version
	grep -E ' (.*/)?Kconfig| scripts/' "$work/stats"
	grep -E '(^|/)Kconfig|^scripts/' "$work/list.patched" |
		(cd "$work/tree" && xargs -rd '\n' cat)
}

make_config() { # BUILD
	local lost sum

	config_request >"$1/requested.new"
	sum=$(config_made_from "$1" | sha256sum)
	[ ! -f "$1/.config" ] || [ "$sum" != "$(cat "$1/config.sum" 2>/dev/null)" ] || return 0
	rm -f "$1/config.sum"
	# make goes on from the .config that is there, and asks for what is new
	if [ -f "$1/.config" ] && cmp -s "$1/requested.new" "$1/requested.config"; then
		kmake "$1" olddefconfig >"$1/config.log" 2>&1
	else
		mv "$1/requested.new" "$1/requested.config"
		kmake "$1" KCONFIG_ALLCONFIG="$1/requested.config" allnoconfig \
			>"$1/config.log" 2>&1
	fi || { tail -n 15 "$1/config.log" >&2; broken "the kernel can't be configured"; }
	lost=$(config_lost "$1")
	[ -n "$lost" ] || { echo "$sum" >"$1/config.sum"; return 0; }
	rm -f "$1/requested.config" # look again the next time
	printf '%s\n' "these options were asked for and did not survive olddefconfig:" \
		"$lost" >&2
	exit 2
}
