#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of test_tarball.py's guest, a Debian that knows nothing of these tests:
# unpacks upstream's kselftest tarball into /opt, as a lab does, and runs what is ours of it.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
ln -s /proc/self/fd /dev/fd
ln -s fd/1 /dev/stdout
exec </dev/null >/dev/ttyS0 2>&1

step() { # NAME COMMAND...: its output goes through a pipe, as run_kselftest.sh wants it
	echo "step $1"
	"${@:2}" 2>&1 | cat
	echo "exit $1 ${PIPESTATUS[0]}"
}

depmod
mkdir /opt/kselftests
tar -C /opt/kselftests -xf /opt/kselftest.tar.xz
cd /opt/kselftests || exit
# shellcheck disable=SC2013 # a word a line
for program in $(cat /opt/leave-out); do rm "mm/$program"; done
# The bound of 300 s is for a CI's machine, not for an emulated one that others load
step silent ./run_kselftest.sh -o 3600 -t mm:ksft_hmm_notifier.sh
cd mm || exit
# All that run_tests.sh's guests consent to
export HMM_NOTIFIER_VM=1
step splats ./run_vmtests.sh -d -t hmm_notifier
echo "step end"
echo o >/proc/sysrq-trigger
sleep 60
