#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# upstream.sh KERNELDIR OUT: builds upstream's own tests of the same code, hmm-tests
# and mrelease_test, as they are in the source of that kernel, into OUT.

set -u
build=$(cd "$1/build" && pwd -P) && mkdir -p "$2" || exit 2
src=$1/pristine
[ -d "$src" ] || src=$1/src
src=$(cd "$src" && pwd -P) || exit 2
mm=$src/tools/testing/selftests/mm
[ -d "$mm" ] || mm=$src/tools/testing/selftests/vm # 6.1

# The headers of the host may be older than what the tests use.
[ -d "$build/usr/include/linux" ] ||
	make -s -C "$build" headers >"$2/log" 2>&1 </dev/null || { cat "$2/log" >&2; exit 2; }
for prog in hmm-tests mrelease_test; do
	objects=("$mm/$prog.c")
	# what their Makefile links them with, as far as that base has it
	for helper in vm_util hugepage_settings; do
		[ ! -f "$mm/$helper.c" ] || objects+=("$mm/$helper.c")
	done
	gcc -O2 -w -static -pthread -D_GNU_SOURCE -I"$src" -I"$src/tools/testing/selftests" \
		-isystem "$build/usr/include" -o "$2/$prog" "${objects[@]}" || exit 2
done
