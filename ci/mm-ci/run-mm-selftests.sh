# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # it stands inside of that script
# For check_kernel_log() of linux-mm/mm-ci, beside the exceptions that it has: the WARNs
# that the tests provoke.  ksft_hmm_notifier.sh alone provokes none, and needs nothing of
# this; it is for those who run run_vmtests.sh -d.
case "$test_script" in
ksft_hmm_notifier.sh)
	ok_re="$ok_re|WARNING: (\[.*\] )?(CPU: [0-9]+ PID: [0-9]+ at )?mm/mmu_notifier\.c:[0-9]+ (at )?(__mmu_notifier|mn_itree|mn_hlist)_(release|invalidate|invalidate_range_start)\+0x" ;;
esac
