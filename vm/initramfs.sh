#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# initramfs.sh KERNELDIR OUT: makes OUT/initramfs.cpio from what build.sh left in
# OUT: busybox, the modules, the tests, and the guest's own programs.

set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=deb.sh
. "$here/deb.sh"

[ $# = 2 ] || die "usage: initramfs.sh KERNELDIR OUT"
kernel=$(cd "$1" && pwd) || exit 2
out=$(cd "$2" && pwd -P) || exit 2
[ -f "$out/initramfs.cpio" ] && exit 0

# Taken from its package, not from the host: installing busybox-static there
# would throw out a busybox that somebody may want.
get_busybox() {
	local new

	[ -x "$busybox" ] && return 0
	deb_unpack busybox-static
	cp "$(find "$new" -name busybox -type f -perm -100 | head -n 1)" "$busybox.$$" &&
	mv "$busybox.$$" "$busybox" || die "cannot write to $cache"
	rm -rf "$new"
}

fill() {
	mkdir -p "$root"/{bin,tests,modules,proc,sys,dev,tmp,job,etc}
	cp "$busybox" "$root/bin/busybox"
	cp "$out"/bin/* "$root/bin/"
	cp "$out"/tests/* "$root/tests/"
	cp "$here/guest/init" "$here/guest/probe" "$root/"
	find "$kernel/modules" -name '*.ko' -exec cp {} "$root/modules/" \; 2>/dev/null
	cat "$kernel/modules/order" >"$root/modules/order" 2>/dev/null
	for ko in "$out"/modules/*.ko; do
		cp "$ko" "$root/modules/"
		basename "$ko" >>"$root/modules/order"
	done
	"${CROSS_COMPILE:-}strip" "$root"/tests/* 2>/dev/null # smaller, so it boots sooner
	chmod 755 "$root"/{init,probe,bin/*,tests/*}
}

cache=$(cache_dir) || exit 2
busybox=$cache/busybox-${ARCH:-$(dpkg --print-architecture)}
[ -x "$busybox" ] || with_lock busybox get_busybox || exit 2
root=$(mktemp -d) || die "no temporary directory"
trap 'rm -rf "$root" "$out/.cpio-$$"' EXIT
fill
(cd "$root" && find . | sort | cpio -o -H newc --quiet -R 0:0) >"$out/.cpio-$$" &&
mv "$out/.cpio-$$" "$out/initramfs.cpio" || die "cannot write to $out"
