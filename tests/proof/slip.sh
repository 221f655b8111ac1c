#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# slip.sh NUMBER PROGRAM [ARG...] - runs a test on the mutant of that number
switch=/sys/module/kernel/parameters/mm_mutant
echo "$1" >$switch
program=$2
shift 2
"/tests/$program" "$@"
ret=$?
echo 0 >$switch
exit $ret
