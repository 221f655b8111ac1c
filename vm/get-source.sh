#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# get-source.sh SERIES: gets Debian's linux-source of that series and prints the path
# of the pristine tree.  It is shared by hard links: never write to it.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=deb.sh
. "$here/deb.sh"
# shellcheck source=source.sh
. "$here/source.sh"

[[ ${1:-} =~ ^[0-9]+\.[0-9]+$ ]] || die "usage: get-source.sh SERIES, as in 6.12"
cache=$(cache_dir) || exit 2
get_source "$1"
# shellcheck disable=SC2154 # get_source sets it
echo "$source"
