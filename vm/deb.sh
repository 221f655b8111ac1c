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

# own_apt NAME WHAT CONFIGURATION: from here on apt-cache and apt-get mean WHAT,
# which they read with a state of its own.  So nothing of the host's apt changes and
# nobody has to be root.
own_apt() {
	own=$(cache_dir) || exit 2
	own+=/apt-$1 own_what=$2
	mkdir -p "$own"/{lists,archives}/partial || die "cannot write to $own"
	cat >"$own/apt.conf.$$" <<-EOF
		Dir::State "$own";
		Dir::State::status "/dev/null";
		Dir::State::lists "$own/lists";
		Dir::Cache "$own";
		Dir::Cache::archives "$own/archives";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		$3
	EOF
	mv "$own/apt.conf.$$" "$own/apt.conf" || die "cannot write to $own"
	export APT_CONFIG=$own/apt.conf
	own_apt_update
}

# The lists are good for a day; older ones are used when no newer can be had.
own_apt_update() { own_apt_is_new || with_lock "${own##*/}" own_apt_fetch; }

own_apt_is_new() { [ -n "$(find "$own/updated" -mmin -1440 2>/dev/null)" ]; }

own_apt_fetch() {
	local stamp=$own/updated

	own_apt_is_new && return 0 # another run was faster
	say "reading the package lists of $own_what"
	if apt-get update -q >"$own/log" 2>&1 </dev/null &&
	   ! grep -q '^[WE]: Failed' "$own/log"; then
		touch "$stamp"
	elif [ -f "$stamp" ]; then
		say "that failed; using those of $(date -r "$stamp" +%F)"
	else
		tail -n 5 "$own/log" >&2
		return 1
	fi
}

# use_arch: from here on packages are those of $ARCH.  The host's packages are there,
# too, as NAME:amd64.  Without new lists it is seen later what is missing.
use_arch() {
	local host

	[ -n "${ARCH:-}" ] && host=$(host_arch) && [ "$ARCH" != "$host" ] ||
		return 0
	own_apt "$ARCH" "Debian for $ARCH" "
		APT::Architecture \"$ARCH\";
		APT::Architectures { \"$ARCH\"; \"$host\"; };" || :
}

# The lists are older than the archive.
deb_update() {
	if [ -n "${own:-}" ]; then
		rm -f "$own/updated"
		own_apt_update || die "apt-get update failed for $own_what"
		return
	fi
	say "reading Debian's package lists (apt-get update)"
	# no password can be asked for here; who called us may have a terminal
	if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		say "they are too old, and to renew them takes root: sudo apt-get update"
		exit 6
	fi
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
		deb_update
	done
	deb_is_whole "$file" "$pkg" || die "could not download $pkg"
}

# deb_unpack PACKAGE: gets it from $ARCH, unpacked into $new, a new directory in $cache.
# shellcheck disable=SC2154 # cache is the caller's
deb_unpack() {
	local debs=$cache/debs/$1${ARCH:+-$ARCH}

	use_arch
	rm -rf "$cache/.$1"-* # what a killed run left
	mkdir -p "$debs" || die "cannot write to $cache"
	deb_fetch "$debs" "$1"
	new=$(mktemp -d "$cache/.$1-XXXXXX") && dpkg-deb -x "$debs/$1.deb" "$new" ||
		die "could not unpack $1"
	rm -rf "$debs"
}
