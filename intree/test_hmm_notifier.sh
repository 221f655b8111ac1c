#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Usage: test_hmm_notifier.sh [splats]
#
# Runs the hmm_notifier tests. By default just those that leave the kernel's log
# alone: many CI systems take each WARNING there for a bug. With "splats" also
# those that make the kernel WARN on purpose; the log then has
# "hmm_notifier: begin TEST" and "hmm_notifier: end TEST" around each. Those skip
# with kernel.panic_on_warn, kernel.warn_limit or kernel.traceoff_on_warning set.
#
# What may leave a task in state D for ever, runs the whole machine out of memory, or
# changes its settings until the test ends, has to be asked for by name, see
# consent.c.

ksft_skip=4
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
node=/dev/hmm_dmirror_bare
loaded='' guard=''

skip() {
	echo "1..0 # SKIP $*"
	exit $ksft_skip
}

# What we load goes when we end, of whatever: file 9 of a session of its own is
# ours, and at its end there is nobody else who has it.
# shellcheck disable=SC2016 # that shell's own variables
unload_at_end() {
	exec 9> >(exec $(command -v setsid) bash -c '
		trap "" INT TERM HUP
		cat
		for _ in {1..100}; do
			[ -d /sys/module/test_hmm ] || exit
			rmmod test_hmm || sleep 0.1
		done' >/dev/null 2>&1)
	guard=$!
}

unload() {
	exec 9>&-
	[ -z "$guard" ] || wait "$guard"
}

# There already, built in, in the module tree, or beside this script.
load() {
	local how

	[ ! -e $node ] || return
	[ ! -d /sys/module/test_hmm ] || skip "this test_hmm has no fail points"
	trap unload EXIT
	unload_at_end
	for how in modprobe insmod; do
		case $how in
		modprobe)	modprobe test_hmm;;
		insmod)		insmod "$here/test_hmm.ko";;
		esac 2>/dev/null || continue
		loaded=1
		[ ! -e $node ] || return
		rmmod test_hmm
	done
	[ -z "$loaded" ] || skip "this test_hmm has no fail points"
	skip "no test_hmm (CONFIG_TEST_HMM)"
}

# The harness returns 0 as well when all of its tests were skipped.
run() {
	local line status ran=$ksft_skip

	"$1" 2>&1 9>&- | {
		while IFS= read -r line; do
			printf '# %s\n' "$line"
			case $line in
			"ok "*"# SKIP"*)	;;
			"ok "*)			ran=0;;
			esac
		done
		exit $ran
	} 9>&-
	status=("${PIPESTATUS[@]}")
	[ "${status[0]}" = 0 ] || return "${status[0]}"
	return "${status[1]}"
}

echo "TAP version 13"
[ "$(id -u)" = 0 ] || skip "must be run as root"
load
[ "$1" != splats ] || export HMM_NOTIFIER_SPLATS=1

programs=()
for program in "$here"/hmm_notifier_*; do
	case ${program##*/} in
	*.*)	;;
	*)	programs+=("$program");;
	esac
done
echo "1..${#programs[@]}"

passed=0 failed=0 skipped=0
for program in "${programs[@]}"; do
	name="$((passed + failed + skipped + 1)) ${program##*/}"
	run "$program"
	case $? in
	0)		passed=$((passed + 1))
			echo "ok $name";;
	"$ksft_skip")	skipped=$((skipped + 1))
			echo "ok $name # SKIP";;
	*)		failed=$((failed + 1))
			echo "not ok $name";;
	esac
done
echo "# Totals: pass:$passed fail:$failed xfail:0 xpass:0 skip:$skipped error:0"

[ $failed = 0 ] || exit 1
[ $passed != 0 ] || exit $ksft_skip
