#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the hmm_notifier tests on this machine; usage() says how.

usage() {
	cat <<EOF
Usage: ${0##*/} [splats]

Runs the hmm_notifier tests, the programs beside this script, by default just those
that leave the kernel's log alone: many CI systems take each WARNING there for a bug.
With "splats" also those that make the kernel WARN on purpose; the log then has
"hmm_notifier: begin TEST" and "hmm_notifier: end TEST" around each. Those skip with
kernel.panic_on_warn, kernel.warn_limit or kernel.traceoff_on_warning set. A program
lists its tests with -l and runs one of them with -t TEST.

What else may harm the machine has to be asked for, in the environment:
  HMM_NOTIFIER_SPLATS=1         what "splats" does
  HMM_NOTIFIER_MACHINE=1        to change settings of the machine until the program
                                ends: sysctls, /sys, swap, cgroup controllers
  HMM_NOTIFIER_HANGS=1          to leave tasks in state D until the next boot, on a
                                kernel with known bugs
  HMM_NOTIFIER_GLOBAL_OOM=1     to run the whole machine out of memory
  HMM_NOTIFIER_MAY_PANIC=1      to make it WARN even where that panics, or stops tracing
  HMM_NOTIFIER_VM=1             all but the last one: the machine is a VM of the tests
Not a consent, but a value:
  HMM_NOTIFIER_SUBJECT=         a command whose memory another driver mirrors, for
                                hmm_notifier_subject; without, that program skips
  HMM_NOTIFIER_STRESS_SECONDS=  how long hmm_notifier_stress takes, 10 without
  HMM_NOTIFIER_SEED=            the seed of its random steps, to repeat them

Exit status: 0 passed, 1 a test failed, 2 usage, 4 all of them were skipped
EOF
}

ksft_skip=4
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
node=/dev/hmm_dmirror_bare
loaded='' guard=''

wrong() {
	echo "${0##*/}: $*; --help says what there is" >&2
	exit 2
}

# What is spelt wrong would ask for nothing, without a word.
check_usage() {
	local name

	case $#:$* in
	0:)			;;
	1:splats)		export HMM_NOTIFIER_SPLATS=1;;
	1:-h | 1:--help)	usage; exit;;
	*)			wrong "unknown: $*";;
	esac
	for name in "${!HMM_NOTIFIER_@}"; do
		usage | grep -q "^  $name=" || wrong "unknown in the environment: $name"
	done
}

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

# When all of its tests were skipped, the harness returns 0 as well, and says PASSED.
run() {
	local line status ran=$ksft_skip

	"$1" 2>&1 9>&- | {
		while IFS= read -r line; do
			case $line in
			"ok "*"# SKIP"*)	;;
			"ok "*)			ran=0;;
			"# PASSED: "*)		[ $ran = 0 ] || line="# SKIPPED: all tests";;
			esac
			printf '# %s\n' "$line"
		done
		exit $ran
	} 9>&-
	status=("${PIPESTATUS[@]}")
	[ "${status[0]}" = 0 ] || return "${status[0]}"
	return "${status[1]}"
}

check_usage "$@"

programs=()
for program in "$here"/hmm_notifier_*; do
	case ${program##*/} in
	*.*|'hmm_notifier_*')	;;
	*)	programs+=("$program");;
	esac
done

echo "TAP version 13"
[ ${#programs[@]} != 0 ] || { echo "not ok 1 there are no programs in $here"; exit 1; }
[ "$(id -u)" = 0 ] || skip "must be run as root"
load
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
