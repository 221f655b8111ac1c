#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# series.sh OUT [BASE...]: the whole series of each base as one would send it, into
# OUT/BASE: the patches of kernel-patches/, the tests as a patch that is generated
# here and nowhere kept, the cover letter, and a series file for quilt.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=../vm/common.sh
. "$here/../vm/common.sh"

TESTS=0020-selftests-mm-add-MMU-notifier-failure-tests.patch

message() {
	cat <<-'END'
	selftests/mm: add MMU notifier failure tests

	An MMU notifier may fail only when it was told not to block, and then only
	with -EAGAIN. mm/mmu_notifier.c WARNs about anything else and pairs starts
	with ends whatever the callbacks return, and no test enters that code: no
	notifier in the tree fails on purpose.

	Drive the fail points of test_hmm through each kind of notifier, context and
	return value, alone and in combinations, and compare the kernel's WARNs, its
	message, the calls of each notifier and the state of the mm afterwards with
	the rule, which stands in one table. A dying process that stands still under
	ptrace is reaped with process_mrelease(): that is non-blockable, and no race.

	By default only what leaves the log alone runs. run_vmtests.sh -d runs the
	tests that make the kernel WARN as well, each bracketed in the log by its
	name.
	END
}

tests_patch() { # BASE PRISTINE FILE
	local tmp git

	tmp=$(mktemp -d) || return 1
	"$here/generate.sh" "$2" "$tmp/new" || return 1
	mkdir "$tmp/git"
	git=(git -C "$tmp/git" -c core.fileMode=true -c gc.auto=0)
	"${git[@]}" init -q &&
	(cd "$tmp/new" && find . -type f) | while read -r f; do
		[ ! -f "$2/$f" ] || (cd "$2" && cp --parents -p "$f" "$tmp/git/")
	done &&
	"${git[@]}" add -Af && "${git[@]}" commit -q --no-verify -m base &&
	cp -r "$tmp/new/." "$tmp/git/" &&
	"${git[@]}" add -Af && message | "${git[@]}" commit -qs --no-verify -F - &&
	"${git[@]}" format-patch -1 -N --zero-commit --no-signature --stdout >"$3"
	local ret=$?
	rm -rf "$tmp"
	return $ret
}

make_series() { # BASE
	local from=$TOP/kernel-patches/$1 to=$out/$1 pristine p

	pristine=$("$TOP/vm/get-source.sh" "$1") || exit 2
	rm -rf "$to"
	mkdir -p "$to" || die "cannot write to $out"
	while read -r p; do
		cp "$from/$p" "$to/" || die "kernel-patches/$1/series: no $p"
	done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$from/series")
	cp "$TOP/kernel-patches/cover-letter" "$to/0000-cover-letter.txt" || exit 2
	tests_patch "$1" "$pristine" "$to/$TESTS" || die "cannot make the patch with the tests"
	(cd "$to" && printf '%s\n' 0*.patch >series)
	say "$to: $(wc -l <"$to/series") patches"
}

[ $# -ge 1 ] || die "usage: series.sh OUT [BASE...]"
mkdir -p "$1" && out=$(cd "$1" && pwd) || die "cannot write to $1"
shift
[ $# -gt 0 ] || set -- 6.1 6.12 7.2
for base; do
	make_series "$base"
done
