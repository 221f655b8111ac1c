# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced: gets Debian packages as files, without installing them.

deb_field() { # PACKAGE FIELD: of the version that apt would install
	apt-cache show --no-all-versions "$1" 2>/dev/null |
		awk -v f="$2:" '$1 == f { print $2; exit }'
}

# Prints the first real package that a meta package depends on and that
# matches the pattern.
deb_depends() { # PACKAGE PATTERN
	apt-cache depends --no-recommends --no-suggests "$1" 2>/dev/null |
		awk -v p="$2" '/Depends:/ && $2 ~ p { print $2; exit }'
}

deb_update() {
	say "reading Debian's package lists (apt-get update)"
	as_root apt-get update >/dev/null 2>&1 </dev/null ||
		die "apt-get update failed; run it by hand to see why"
}

deb_is_whole() { # FILE PACKAGE: size first, it is cheap
	[ -f "$1" ] &&
	[ "$(stat -c %s "$1")" = "$(deb_field "$2" Size)" ] &&
	[ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$(deb_field "$2" SHA256)" ]
}

# deb_fetch DIR PACKAGE: the package lies in DIR/PACKAGE.deb, whole.  What an
# interrupted run left there is checked and fetched again when it's broken.
deb_fetch() {
	local dir=$1 pkg=$2 file=$1/$2.deb try

	for try in 1 2; do
		deb_is_whole "$file" "$pkg" && return 0
		[ -f "$file" ] && say "$pkg: what is in the cache is broken; fetching it again"
		rm -f "$file"
		rm -rf "$dir/get-$pkg"
		mkdir -p "$dir/get-$pkg" || die "cannot write to $dir"
		say "downloading $pkg"
		if (cd "$dir/get-$pkg" && apt-get download -q -o APT::Sandbox::User=root \
			"$pkg" >log 2>&1 </dev/null) &&
		   mv "$dir/get-$pkg"/*.deb "$file" 2>/dev/null; then
			rm -rf "$dir/get-$pkg"
			continue
		fi
		[ $try = 1 ] || { tail -n 5 "$dir/get-$pkg/log" >&2; break; }
		# the lists may be older than the archive
		deb_update
	done
	deb_is_whole "$file" "$pkg" || die "could not download $pkg"
}
