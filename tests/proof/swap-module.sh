#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# In the guest: swap-module.sh KO, the one test_hmm that is loaded is now that one
rmmod test_hmm && insmod "/job/$1" || exit 1
# 6.1 leaves the nodes to test_hmm.sh, which makes them so
major=$(awk '$2 == "HMM_DMIRROR" { print $1 }' /proc/devices)
for n in 0 1 2 3; do
	[ -c /dev/hmm_dmirror$n ] || mknod /dev/hmm_dmirror$n c "$major" $n
done
