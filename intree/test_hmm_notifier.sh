#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Usage: test_hmm_notifier.sh [splats]
#
# Runs the hmm_notifier tests. By default just those that leave the kernel's log
# alone: many CI systems take each WARNING there for a bug. With "splats" also
# those that make the kernel WARN on purpose; the log then has
# "hmm_notifier: begin TEST" and "hmm_notifier: end TEST" around each. Those skip
# with kernel.panic_on_warn or kernel.warn_limit set.

ksft_skip=4
here=$(cd "$(dirname "$0")" && pwd)
loaded=

if [ "$(id -u)" != 0 ]; then
	echo "SKIP must be run as root"
	exit $ksft_skip
fi

# There already, built in, in the module tree, or beside this script.
if [ ! -e /dev/hmm_dmirror_bare ]; then
	if modprobe test_hmm 2>/dev/null || insmod "$here/test_hmm.ko" 2>/dev/null; then
		loaded=1
	fi
fi
if [ ! -e /dev/hmm_dmirror_bare ]; then
	[ -z "$loaded" ] || rmmod test_hmm
	echo "SKIP no test_hmm with fail points (CONFIG_TEST_HMM)"
	exit $ksft_skip
fi

if [ "$1" = splats ]; then
	export HMM_NOTIFIER_SPLATS=1 HMM_NOTIFIER_HANGS=1
fi

passed=0
failed=0
for program in "$here"/hmm_notifier_*; do
	case $program in
	*.c|*.h|*.o|*.sh) continue;;
	esac
	[ -x "$program" ] || continue
	echo "# ${program##*/}"
	"$program"
	case $? in
	0) passed=$((passed + 1));;
	"$ksft_skip") ;;
	*) failed=$((failed + 1));;
	esac
done

[ -z "$loaded" ] || rmmod test_hmm
[ $failed = 0 ] || exit 1
[ $passed != 0 ] || exit $ksft_skip
exit 0
