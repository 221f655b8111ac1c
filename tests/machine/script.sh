#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# script.sh SCRIPT: test_hmm_notifier.sh with a module and programs that only play, in
# mounts of its own: says how it ends, and when the module comes and goes.

set -u
top=$(mktemp -d) && cd "$top" || exit 2
trap 'rm -rf "$top"' EXIT
mkdir bin few && : >log
cp "$1" few/test.sh

program() { # FILE LINE...
	local file=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$file"
	chmod 755 "$file"
}

program bin/modprobe "echo loaded >>$top/log" "mkdir /sys/module/test_hmm" \
	": >/dev/hmm_dmirror_bare"
program bin/rmmod "echo unloaded >>$top/log" "rm /dev/hmm_dmirror_bare" \
	"rmdir /sys/module/test_hmm"
program few/hmm_notifier_plays "echo 'ok 1 plays'" "[ ! -e $top/slow ] || sleep 3"
PATH=$top/bin:$PATH

mount -t tmpfs modules /sys/module && mount -t tmpfs nodes /dev &&
mknod -m 666 /dev/null c 1 3 && ln -s /proc/self/fd /dev/fd || exit 2

# What it is told wrong it refuses before it does anything
for wrong in nonsense "splats splats" --splats; do
	# shellcheck disable=SC2086 # words
	bash few/test.sh $wrong
	echo "$wrong: exit $?"
done
HMM_NOTIFIER_SPLAT=1 bash few/test.sh
echo "misspelt: exit $?"
HMM_NOTIFIER_SPLATS=1 HMM_NOTIFIER_SEED=7 bash few/test.sh splats >/dev/null
echo "known: exit $?"
mv few/hmm_notifier_plays .
bash few/test.sh
echo "none: exit $?"
program few/hmm_notifier_skips "echo 'ok 1 skips # SKIP why not'" \
	"echo '# PASSED: 1 / 1 tests passed.'"
bash few/test.sh
echo "skipped: exit $?"
program few/hmm_notifier_skips "echo 'ok 1 runs'" "echo 'ok 2 skips # SKIP why not'" \
	"echo '# PASSED: 2 / 2 tests passed.'"
bash few/test.sh
echo "half: exit $?"
rm few/hmm_notifier_skips
mv hmm_notifier_plays few
: >log

said() { echo "$1: $(tr "\n" " " <"$top/log")"; : >"$top/log"; }

bash few/test.sh >/dev/null
said ends

touch slow
setsid bash few/test.sh >/dev/null &
until [ -s log ]; do sleep 0.05; done
sleep 0.5
kill -KILL -- "-$!"
for _ in {1..200}; do
	[ -d /sys/module/test_hmm ] || break
	sleep 0.1
done
said killed
rm slow

mkdir /sys/module/test_hmm
bash few/test.sh >/dev/null
said another
: >/dev/hmm_dmirror_bare
bash few/test.sh >/dev/null
said theirs
[ -d /sys/module/test_hmm ] && echo "theirs: stays"
