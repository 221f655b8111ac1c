#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bisect.sh [BASE]: git bisect run ./run_tests.sh --kernel tree:. --bisect finds the
# commit that breaks the rule, in a history of 16 in which one does not build and
# one does not boot, both on the way to it.

set -u
top=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
base=${1:-6.12}
kernel=$("$top/run_tests.sh" get-kernel "source:$base") || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
tree=$dir/linux
mkdir "$tree"
git() { command git -C "$tree" -c user.name=tester -c user.email=tester@example.org "$@"; }

# change N: what commit N does to the tree
change() {
	echo "/* $1 */" >>"$tree/mm/oom_kill.c"
	case $1 in
	8)	echo '#error does not build' >>"$tree/mm/oom_kill.c";;
	9)	sed -i '/^#error/d' "$tree/mm/oom_kill.c";;
	# an illegal errno is as good as -EAGAIN
	10)	sed -i 's/_ret != -EAGAIN/false/' "$tree/mm/mmu_notifier.c";;
	11)	sed -i '/^static int __init oom_init/{n;s/{/{ panic("no boot");/}' \
			"$tree/mm/oom_kill.c";;
	12)	sed -i 's/ panic("no boot");//' "$tree/mm/oom_kill.c";;
	esac
}

say() { echo "bisect.sh: $*"; }

say "making a history of 16 commits"
cp -r --no-preserve=mode,ownership "$kernel/pristine/." "$tree/" &&
chmod -R u+x "$tree/scripts" "$tree/tools" || exit 2
# only to apply cleanly: modes that were lost matter to nobody here
git init -q && git config core.fileMode false && git config gc.auto 0 || exit 2
# -f: Debian's .gitignore ignores all that is not Debian's
git add -Af && git commit -qm 'commit 1' || exit 2
for n in $(seq 2 16); do
	change "$n"
	git commit -qam "commit $n" || exit 2
done
[ "$(git log --oneline -S'panic("no boot")' -- mm/oom_kill.c | wc -l)" = 2 ] &&
[ "$(git log --oneline -S'_ret != -EAGAIN' -- mm/mmu_notifier.c | wc -l)" = 2 ] ||
	{ say "this history is not what it should be"; exit 2; }

git bisect start HEAD "$(git rev-list --max-parents=0 HEAD)" >/dev/null || exit 2
cd "$tree" || exit 2
git bisect run "$top/run_tests.sh" --kernel tree:. --bisect --results "$dir/results" \
	--test 'hmm_notifier_contract:*nonblock*' >"$dir/log" 2>&1
found=$(git log -1 --format=%s refs/bisect/bad)
skipped=$(git for-each-ref --format='%(subject)' 'refs/bisect/skip-*' | sort -V | xargs)
say "skipped: ${skipped:-none}; first bad: $found"
grep -q 'is the first bad commit' "$dir/log" && [ "$found" = 'commit 10' ] &&
	[ "$skipped" = 'commit 8 commit 11' ] && exit 0
tail -n 40 "$dir/log"
exit 1
