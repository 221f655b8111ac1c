#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# initramfs.sh KERNELDIR OUT: makes OUT/initramfs.cpio from what build.sh left in
# OUT: busybox, the modules, the tests, and the guest's own programs.  Its sum is kept
# beside it, and what is damaged is made again.

set -euo pipefail
shopt -s nullglob
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=deb.sh
. "$here/deb.sh"

[ $# = 2 ] || die "usage: initramfs.sh KERNELDIR OUT"
kernel=$(cd "$1" && pwd)
out=$(cd "$2" && pwd -P)
cpio=$out/initramfs.cpio
if [ -f "$cpio" ]; then
	(cd "$out" && sha256sum --status -c initramfs.sum 2>/dev/null) && exit 0
	say "$cpio is damaged: making it again"
fi

# Taken from its package, not from the host: installing busybox-static there
# would throw out a busybox that somebody may want.
get_busybox() {
	local new

	[ ! -x "$busybox" ] || return 0
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
	cp "$TOP"/runner/guest/{init,probe} "$root/"
	find "$kernel/modules" -name '*.ko' -exec cp {} "$root/modules/" \;
	cat "$kernel/modules/order" >"$root/modules/order"
	for ko in "$out"/modules/*.ko; do
		cp "$ko" "$root/modules/"
		basename "$ko" >>"$root/modules/order"
	done
	# smaller, so it boots sooner
	"${CROSS_COMPILE:-}strip" "$root"/tests/*
	chmod 755 "$root"/{init,probe,bin/*,tests/*}
}

cache=$(cache_dir)
busybox=$cache/busybox-${ARCH:-$(host_arch)}
[ -x "$busybox" ] || with_lock busybox get_busybox
root=$(mktemp -d "$out/.root-XXXXXX")
end() {
	local ret=$?

	rm -rf "$root" "$out"/.{cpio,sum}-$$
	[ $ret = 0 ] || die "cannot make $cpio"
}
trap end EXIT
fill
(cd "$root" && find . | sort | cpio -o -H newc --quiet -R 0:0) >"$out/.cpio-$$"
(cd "$out" && sha256sum <".cpio-$$" | sed 's/-$/initramfs.cpio/') >"$out/.sum-$$"
mv "$out/.sum-$$" "$out/initramfs.sum"
mv "$out/.cpio-$$" "$cpio"
