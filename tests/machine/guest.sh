#!/bin/busybox sh
# shellcheck shell=dash disable=SC2013
# SPDX-License-Identifier: GPL-2.0
# What the guest of test_machine.py runs: a machine that is somebody's, with disks,
# swap, tracing and settings in use, and each program on it in each way.  /job/plan
# has a line for each:
#   NAME SECONDS WHO PROGRAM [ARG...]
# runs it, with the variables of /job/NAME.env if there are; SIGKILL is for WHO
# after so long, the program, its test, or "-" for nobody.  A line "look NAME" has
# the state compared with what it was at first.

export PATH=/bin
# our own runner's init has been here
unset HMM_NOTIFIER_VM
mkdir /looks
mount -t tmpfs looks /looks

set_to() { [ ! -e "$2" ] || echo "$1" >"$2"; }

disk() { # SIZE: adds one, and tells its number
	n=$(cat /sys/class/zram-control/hot_add)
	echo "$1" >"/sys/block/zram$n/disksize"
	echo "$n"
}

use_disks() {
	# the first is there when the module is loaded
	echo 8M >/sys/block/zram0/disksize
	dd if=/dev/urandom of=/dev/zram0 bs=1M count=3
	swap=$(disk 16M)
	mkswap "/dev/zram$swap"
	swapon "/dev/zram$swap"
	fs=$(disk 16M)
	mke2fs -F -b 4096 "/dev/zram$fs"
	mkdir /theirs
	# ext4lazyinit would end when it likes, up to EXT4_DEF_LI_MAX_START_DELAY s later.
	mount -o noinit_itable,no_prefetch_block_bitmaps "/dev/zram$fs" /theirs
	echo theirs >/theirs/file
	echo theirs >/tmp/file
}

use_settings() {
	mm=/sys/kernel/mm
	set_to 7 /proc/sys/vm/nr_hugepages
	set_to always $mm/transparent_hugepage/enabled
	set_to within_size $mm/transparent_hugepage/shmem_enabled
	set_to 12345 $mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
	set_to 77 $mm/transparent_hugepage/khugepaged/pages_to_scan
	set_to 1 $mm/ksm/run
	set_to 55 $mm/ksm/sleep_millisecs
	set_to 33 $mm/ksm/pages_to_scan
	set_to 66 /proc/sys/kernel/hung_task_timeout_secs
	set_to 176 /proc/sys/kernel/sysrq
	set_to 1 /proc/sys/kernel/numa_balancing
	set_to 900 /sys/kernel/debug/sched/numa_balancing/scan_delay_ms
	set_to Y /sys/kernel/debug/failslab/ignore-gfp-wait
	set_to 1 /sys/kernel/debug/failslab/verbose
}

use_tracing() {
	t=/sys/kernel/tracing
	mkdir $t/instances/theirs
	echo global >$t/instances/theirs/trace_clock
	echo 1 >$t/instances/theirs/events/error_report/enable
	echo 'p:theirs do_exit' >$t/kprobe_events
	echo 1 >$t/events/kprobes/enable
	echo vfs_fsync >$t/set_ftrace_filter
	echo function >$t/current_tracer
}

use_cgroups() {
	mkdir /sys/fs/cgroup/theirs
	for c in $(cat /sys/fs/cgroup/cgroup.subtree_control); do
		echo "-$c" >/sys/fs/cgroup/cgroup.subtree_control
	done
	echo +pids >/sys/fs/cgroup/cgroup.subtree_control
	echo 99 >/sys/fs/cgroup/theirs/pids.max
}

# Of ours: the parent's number, its own, and its session's
processes() {
	sed -n 's/^\([0-9]*\) (hmm_notifier_[a-z]*) . \([0-9]*\) [0-9]* \([0-9]*\) .*/\2 \1 \3/p' \
		/proc/[0-9]*/stat 2>/dev/null
}

# What ends in the background has ended
settle() {
	i=0
	while [ -n "$(processes)" ] && [ $i -lt 600 ]; do
		i=$((i + 1)); usleep 50000
	done
}

snapshot() { # TO [-a]
	sync
	# shellcheck disable=SC2086
	/job/snapshot ${2:-} /theirs /tmp /dev/zram0 >"/looks/$1"
}

# Of children, "its test" is the one that the harness runs. Another is the guardian, who
# has a session of its own: when it is killed itself, nobody puts anything back.
kill_after() { # SECONDS WHO PID
	sleep "$1"
	case $2 in
	program) kill -KILL "$3";;
	test)	test=''
		until [ -n "$test" ] || [ ! -d "/proc/$3" ]; do
			test=$(processes | sed -n "/ \([0-9]*\) \1\$/d; s/^$3 \([0-9]*\) .*/\1/p" |
				head -n 1)
		done
		kill -KILL "$test";;
	esac
}

run() { # NAME SECONDS WHO PROGRAM [ARG...]
	name=$1 seconds=$2 who=$3 program=$4
	shift 4
	echo "# step $name"
	(
		# shellcheck disable=SC1090
		[ ! -e "/job/$name.env" ] || . "/job/$name.env"
		exec "/tests/$program" "$@"
	) >/looks/said 2>&1 </dev/null &
	pid=$!
	[ "$who" = - ] || kill_after "$seconds" "$who" "$pid" 2>/dev/null
	wait "$pid"
	echo "# exit $name $?"
	sed -n "s/^# Totals/# totals $name/p" /looks/said
	grep '^not ok' /looks/said
}

look() { # NAME [-a]
	settle
	# shellcheck disable=SC2086
	snapshot now ${2:-}
	echo "# look $1"
	diff -U 0 "/looks/first${2:-}" /looks/now | sed -n 's/^[-+][^-+]/# differs &/p'
	echo "# looked $1"
}

(
	set -e
	use_disks
	use_settings
	use_tracing
	use_cgroups
) >/looks/use 2>&1
echo "# in use $?"
# What the first look itself brings about, is there
snapshot first
snapshot first-a -a
snapshot first
look nothing
while read -r what; do
	# shellcheck disable=SC2086 # words
	case $what in
	look\ *)	$what;;
	*)		run $what;;
	esac
done </job/plan
look all -a
echo "# plan done"
