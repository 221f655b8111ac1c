#!/bin/busybox sh
# shellcheck shell=dash
# shellcheck disable=SC1091,SC2013,SC2154
# SPDX-License-Identifier: GPL-2.0
# What the guest of test_kselftest.py runs, a machine as small as a CI's, with
# upstream's kselftest directory in /kselftest.  /job/ways has
# DIR      the directory in /kselftest that the tests are in
# SILENT   how upstream runs the silent half, and
# SPLATS   how it runs both halves

. /job/ways
modules=/lib/modules/$(uname -r)
export PATH=/sbin:/usr/bin:/bin
# our own runner's init has been here
unset HMM_NOTIFIER_VM
rmmod test_hmm
echo ratelimit >/proc/sys/kernel/printk_devkmsg
for c in $(cat /sys/fs/cgroup/cgroup.subtree_control); do
	echo "-$c" >/sys/fs/cgroup/cgroup.subtree_control
done
umount /sys/fs/cgroup /sys/kernel/debug /sys/kernel/tracing
chmod 755 /
# upstream's runner opens /dev/stdout, which udev would have made
ln -s /proc/self/fd /dev/fd
ln -s fd/1 /dev/stdout
tar -x -C / -f /job/root.tar
ln -s /usr/bin/bash /bin/bash
echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd

# Users have one that comes when it likes: nothing of a test may be its to change
cd /sys/kernel/mm/transparent_hugepage || exit
echo always >enabled
echo 1 >khugepaged/scan_sleep_millisecs
echo 65536 >khugepaged/pages_to_scan
cd /

# step NAME COMMAND...: for the host to tell what belongs to it, in both logs
step() {
	name=$1
	shift
	echo "hmm_notifier: step $name" >/dev/kmsg
	echo "# hmm_notifier: program $name"
	"$@"
	echo "# hmm_notifier: exit $name $?"
}

silent() { (cd /kselftest && eval "$SILENT"); }
splats() { (cd /kselftest && eval "$SPLATS"); }
is_loaded() { lsmod | grep -q '^test_hmm '; }
is_gone() { ! is_loaded; }
# Whoever ends the script with its group, so that it can't clean up
killed() {
	setsid /few/test_hmm_notifier.sh >/dev/null &
	until is_loaded; do usleep 10000; done
	sleep 1
	kill -KILL -$! $!
}
gone_soon() {
	i=0
	until is_gone || [ $i = 300 ]; do i=$((i + 1)); usleep 100000; done
	is_gone
}
# What outlives its test holds a pipe that somebody reads to its end
nothing_left() { sleep 1; ps >/tmp/ps && ! grep '/hmm_notifier_' /tmp/ps; }

to_modprobe() { # FILE
	mkdir -p "$modules"
	cp "$1" "$modules/test_hmm.ko"
	depmod
}

# Nothing to load, nobody to do it, and one that is not ours
step nothing silent
step nobody su -s /bin/sh nobody -c "/kselftest/$DIR/test_hmm_notifier.sh"
to_modprobe /job/pristine.ko
step pristine silent
step pristine-left is_gone
insmod /job/pristine.ko
step pristine-there silent
step pristine-kept is_loaded
rmmod test_hmm

# The script takes the programs that are beside it; a few are enough to see how it
# goes with the module beside it as well, and with as little mounted as there may be.
# What modprobe finds is not the one.
mkdir /few
for f in test_hmm_notifier.sh hmm_notifier_contract hmm_notifier_device hmm_notifier_errno; do
	cp "/kselftest/$DIR/$f" /few
done
cp /job/test_hmm.ko /few
step insmod /few/test_hmm_notifier.sh
step insmod-left is_gone
step killed killed
step killed-left gone_soon
rm -r "$modules"

# Each WARN would be the end of it.
sysctl -w kernel.panic_on_warn=1 >/dev/null
step panic_on_warn /few/test_hmm_notifier.sh splats
step panic_on_warn-kept [ "$(sysctl -n kernel.panic_on_warn)" = 1 ]
sysctl -w kernel.panic_on_warn=0 >/dev/null
if sysctl -w kernel.warn_limit=1 >/dev/null 2>&1; then
	step warn_limit /few/test_hmm_notifier.sh splats
	step warn_limit-kept [ "$(sysctl -n kernel.warn_limit)" = 1 ]
	sysctl -w kernel.warn_limit=0 >/dev/null
fi
# It would end the tracing of who has set that.
sysctl -w kernel.traceoff_on_warning=1 >/dev/null
step traceoff /few/test_hmm_notifier.sh splats
step traceoff-kept [ "$(sysctl -n kernel.traceoff_on_warning)" = 1 ]
sysctl -w kernel.traceoff_on_warning=0 >/dev/null

# All of them
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t cgroup2 cgroup2 /sys/fs/cgroup
to_modprobe /job/test_hmm.ko
step modprobe silent
step modprobe-left is_gone
step processes-left nothing_left

# There already, as one that is built in
rm -r "$modules"
insmod /job/test_hmm.ko
# The controllers of cgroups are off
export HMM_NOTIFIER_MACHINE=1
step splats splats
step there-kept is_loaded
step splats-left nothing_left
