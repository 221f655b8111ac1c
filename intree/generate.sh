#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# generate.sh TREE OUT: the tests as files of tools/testing/selftests/mm (vm in 6.1),
# as that tree wants them, into OUT.  A tree has one flat directory, and
# MAINTAINERS goes by *hmm* in the name: lib/X.c becomes hmm_lib_X.c.  Files that are
# there already are copied from TREE and changed; nothing is written to TREE.

set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
. "$here/../vm/common.sh"

[ $# = 2 ] || die "usage: generate.sh TREE OUT"
tree=$(cd "$1" && pwd) && mkdir -p "$2" || die "no such directory"
out=$(cd "$2" && pwd)
dir=tools/testing/selftests/mm
[ -f "$tree/$dir/run_vmtests.sh" ] || dir=tools/testing/selftests/vm
[ -f "$tree/$dir/run_vmtests.sh" ] || die "$1: no tools/testing/selftests/mm/run_vmtests.sh"
mkdir -p "$out/$dir"

# Includes by the names that the files have there.
rename_includes() {
	local f sed=()

	for f in "$TOP"/lib/*.h; do
		f=${f##*/}
		sed+=(-e "s|^#include \"\(\.\./lib/\)\?${f//./\\.}\"|#include \"hmm_lib_$f\"|")
	done
	sed "${sed[@]}" -e 's|^#include "warn_sites\.h"|#include "hmm_warn_sites.h"|'
}

copy_sources() {
	local f

	for f in "$TOP"/lib/*.[ch]; do
		rename_includes <"$f" >"$out/$dir/hmm_lib_${f##*/}" || return 1
	done
	for f in "$TOP"/selftests/hmm_notifier*.[ch]; do
		rename_includes <"$f" >"$out/$dir/${f##*/}" || return 1
	done
	cp "$TOP/lib/warn-sites.sh" "$out/$dir/hmm_warn_sites.sh" &&
	cp "$here/test_hmm_notifier.sh" "$out/$dir/" &&
	chmod 755 "$out/$dir/hmm_warn_sites.sh" "$out/$dir/test_hmm_notifier.sh" &&
	chmod 644 "$out/$dir"/*.[ch]
}

programs() { (cd "$TOP/selftests" && printf '%s\n' hmm_notifier_*.c | sed 's/\.c$//'); }

# edit FILE AWK-PROGRAM [AWK-VARIABLE...]: fails if the anchors are not there.
edit() {
	local file=$1 program=$2
	shift 2

	cp -p "$tree/$dir/$file" "$out/$dir/$file.orig" &&
	awk "$@" "$program END { exit !done }" "$out/$dir/$file.orig" >"$out/$dir/$file.new" ||
		die "$dir/$file looks like none that this knows"
	cp "$out/$dir/$file.new" "$out/$dir/$file" &&
	chmod --reference="$tree/$dir/$file" "$out/$dir/$file" &&
	rm "$out/$dir/$file.new" "$out/$dir/$file.orig"
}

# 6.1 knows no categories, and no destructive tests: there the script is a program of
# its own as well, or nothing but run_vmtests.sh as a whole would get to it.
has_categories() { grep -q '^CATEGORY=' "$tree/$dir/run_vmtests.sh"; }

edit_makefile() {
	local ksft='' list='TEST_FILES += test_hmm.sh'

	! grep -q ksft_hmm.sh "$tree/$dir/Makefile" || ksft=1
	has_categories || list='TEST_PROGS := run_vmtests.sh'
	# shellcheck disable=SC2016 # awk's and make's dollars
	edit Makefile '
		{ print }
		/^TEST_GEN_FILES \+= hmm-tests$/ {
			n = split(programs, p)
			for (i = 1; i <= n; i++)
				print "TEST_GEN_FILES += " p[i]
			gen = 1
		}
		ksft && /^TEST_PROGS \+= ksft_hmm\.sh$/ {
			print "TEST_PROGS += ksft_hmm_notifier.sh"
		}
		$0 == list {
			print $1 " += test_hmm_notifier.sh"
			files = 1
		}
		/^include \.\.\/lib\.mk$/ {
			while ((getline line < rules) > 0)
				print line
			done = gen && files
		}' -v "programs=$(programs | tr '\n' ' ')" -v "ksft=$ksft" \
		-v "list=$list" -v "rules=$here/rules.mk"
	[ -z "$ksft" ] || {
		sed 's/-t hmm$/-t hmm_notifier/' "$tree/$dir/ksft_hmm.sh" \
			>"$out/$dir/ksft_hmm_notifier.sh" &&
		chmod 755 "$out/$dir/ksft_hmm_notifier.sh"
	}
}

edit_run_vmtests() {
	# shellcheck disable=SC2016
	edit run_vmtests.sh '
		{ print }
		/^\thmm smoke tests$/ {
			print "- hmm_notifier"
			print "\ttests of failing MMU notifiers (with -d also those that WARN)"
		}
		/^CATEGORY="hmm" run_test / {
			c = "CATEGORY=\"hmm_notifier\" run_test "
			print "if $RUN_DESTRUCTIVE; then"
			print c "bash ./test_hmm_notifier.sh splats"
			print "else"
			print c "bash ./test_hmm_notifier.sh"
			print "fi"
			done = 1
		}
		/^run_test \.\/test_hmm\.sh smoke$/ {
			print "run_test ./test_hmm_notifier.sh"
			done = 1
		}'
}

edit_rest() {
	edit .gitignore '
		{ print }
		/^hmm-tests$/ {
			n = split(programs " hmm_warn_sites.h", p)
			for (i = 1; i <= n; i++)
				print p[i]
			done = 1
		}' -v "programs=$(programs | tr '\n' ' ')"
	# shellcheck disable=SC2016
	edit config '
		{ print; have[$0] = 1; done = 1 }
		END {
			while ((getline line < wanted) > 0)
				if (!(line in have))
					print line
		}' -v "wanted=$here/config"
}

# In a guest without KVM both halves take more than a minute.
edit_settings() {
	local seconds

	seconds=$(sed -n 's/^timeout=//p' "$tree/$dir/settings")
	[ "${seconds:-0}" -ge 300 ] || edit settings '
		/^timeout=/ { print "timeout=300"; done = 1; next }
		{ print }'
}

copy_sources && edit_makefile && edit_run_vmtests && edit_rest && edit_settings ||
	die "cannot write to $out"
