# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # what get-source.sh sets
# Sourced: Debian's linux-source packages, unpacked into the cache.

release_name() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

# The first stanza (deb822) or line (the old format) for this release, with the
# suite replaced.
sid_sources() {
	local suite
	suite=$(release_name)

	cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
	awk -v RS= -v suite="$suite" '
		$0 ~ "(^|\n)Suites:[^\n]*[ \t]" suite "([ \t\n]|$)" && /(^|\n)Types:[^\n]*deb/ {
			gsub(/(^|\n)#[^\n]*/, "")
			sub(/^\n/, "")
			sub(/Suites:[^\n]*/, "Suites: sid")
			sub(/Types:[^\n]*/, "Types: deb")
			sub(/Components:[^\n]*/, "Components: main")
			print; exit
		}' | grep . && return
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
	sed -nE "s/^deb +(\[([^]]*)\] +)?([^ ]+) +$suite +.*/\2|\3/p" | head -n 1 |
	while IFS='|' read -r opts uri; do
		printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\n' "$uri"
		# the options of the old format are fields of the new one
		for opt in $opts; do
			case $opt in
			signed-by=*)	echo "Signed-By: ${opt#*=}";;
			trusted=*)	echo "Trusted: ${opt#*=}";;
			esac
		done
	done
}

# A series that this release does not have comes from Debian's unstable, which is
# where the machine's own sources say that this release is.
use_sid() {
	local sources=$cache/sid.sources arch

	arch=$(host_arch) || exit 2

	sid_sources >"$sources.$$" && [ -s "$sources.$$" ] ||
		die "no apt source of this machine has the suite $(release_name), so where" \
		    "to get newer kernels from is unknown"
	mv "$sources.$$" "$sources" || die "cannot write to $cache"
	own_apt sid "Debian unstable" "
		Dir::Etc::sourcelist \"$sources\";
		Dir::Etc::sourceparts \"/dev/null\";
		Dir::Etc::preferences \"/dev/null\";
		Dir::Etc::preferencesparts \"/dev/null\";
		APT::Architectures { \"$arch\"; };"
}

# The series that unstable's linux-source depends on.
newest_series() {
	use_sid || return 1
	deb_depends linux-source '^linux-source-[0-9.]*$' | sed 's/^linux-source-//'
}

# find_source SERIES: sets version.  Asks this release first.
find_source() {
	version=$(deb_field "linux-source-$1" Version)
	[ -n "$version" ] && return 0
	use_sid && version=$(deb_field "linux-source-$1" Version) && [ -n "$version" ]
}

unpack_source() { # SERIES
	local tar=./usr/src/linux-source-$1.tar.xz debs=$cache/debs/source-$1

	[ -d "$source" ] && return 0 # another run was faster
	mkdir -p "$debs" || die "cannot write to $cache"
	deb_fetch "$debs" "linux-source-$1"
	say "unpacking Linux $version"
	rm -rf "$cache"/src/.new-*
	new=$(mktemp -d "$cache/src/.new-XXXXXX") || die "cannot write to $cache"
	trap 'rm -rf "$new"' EXIT
	dpkg-deb --fsys-tarfile "$debs/linux-source-$1.deb" | tar -xO "$tar" |
		xz -d -T0 | tar -x -C "$new" --strip-components=1 --no-same-owner &&
		[ -f "$new/mm/mmu_notifier.c" ] || die "could not unpack linux-source-$1"
	# the copies that are built share these files by hard links
	find "$new" -type f -exec chmod a-w {} + && chmod 755 "$new"
	mv -T "$new" "$source" || die "cannot write to $cache"
	trap - EXIT
	rm -rf "$debs"
}

# get_source SERIES: sets source, the path of the pristine tree, and version.
# With no network and no package lists an older download still does.
get_source() {
	mkdir -p "$cache/src" || die "cannot write to $cache"
	if find_source "$1"; then
		source=$cache/src/$version
		[ -d "$source" ] || with_lock source unpack_source "$1" || exit 2
		return
	fi
	source=$(find "$cache/src" -mindepth 1 -maxdepth 1 -name "$1.*" 2>/dev/null |
		sort -V | tail -n 1)
	[ -n "$source" ] || die "apt has no linux-source-$1, neither in this" \
		"release nor in unstable, and there is none in the cache"
	version=${source##*/}
	say "apt has no linux-source-$1 any more; using $version from the cache"
}
