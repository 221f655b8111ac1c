#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Usage: new-test.sh AREA
#
# Makes selftests/hmm_notifier_AREA.c from template.c, and gives it a patch of its own
# in intree/tests-series.
set -eu

die() { echo "new-test: $*" >&2; exit 2; }

area=$1
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
new=$here/hmm_notifier_$area.c
series=$here/../intree/tests-series
expr "$area" : '[a-z][a-z0-9_]*$' >/dev/null ||
	die "NAME= is a word of small letters, as in NAME=munmap"
[ ! -e "$new" ] || die "$new is there already"
sed "s/template/$area/" "$here/template.c" >"$new"
printf 'test %s\t\thmm_notifier_%s\n' "$area" "$area" >>"$series"
echo "selftests/hmm_notifier_$area.c; try ./run_tests.sh --test hmm_notifier_$area:*"
