#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel in QEMU, runs the MMU-notifier failure tests on it, gives a verdict.

set -u
top=$(cd "$(dirname "$0")" && pwd) || exit 2
vm=$top/vm
# shellcheck source=vm/common.sh
. "$vm/common.sh"

usage() {
	cat <<-END
	usage: run_tests.sh [OPTION...]
	  --kernel SPEC    what to boot; debian:6.12 (default) or debian:6.1,
	                   source:BASE, source:newest, tree:DIR (built here; +fixes
	                   after it adds the fixes of mm/), image:BZIMAGE,MODULES
	                   (vm/kernel-source.sh --help says more)
	  --arch ARCH      amd64 or arm64; default is this machine's.  On amd64, arm64 is
	                   cross-built and emulated, with Debian's kernels only
	  --debug          build that kernel with the debugging options
	  --all            run all tests; without it, and without --test, those that
	                   take no more than seconds
	  --test GLOB      run what matches: program:fixture.variant.test, or a part of
	                   it; may be given several times
	  --list           print the names of the tests, boot nothing
	  --stress S       S seconds of random operations (default 10 if --test asks
	                   for them, 1 as part of --all)
	  --seed N         of the random operations of an earlier run
	  --accel ACCEL    auto (default), kvm or tcg
	  --timeout S      seconds that one test program may take (default 300)
	  --results DIR    where results go (default: results, here)
	  --bisect         exit as "git bisect run" wants it: 0 good, 1 bad, 125 when
	                   the kernel does not build or boot, or nothing was tested
	  --panic-on-warn  boot with it: once for all legal cases, which must survive,
	                   and once for each class of illegal ones, which must not
	  --strict         count known kernel bugs as failures
	  --keep           keep the guest's initramfs and modules with the results
	  --verbose        show all that the guest says
	  --no-install     don't install missing packages: print the command, exit 2
	  --help           this text
	exit: 0 all passed (known bugs aside), 1 a test failed, 2 usage or set-up
	      error, 4 nothing could be tested
	END
}

# git bisect takes 2 for a bad kernel, and ends at 255.
not_the_kernel() { [ -z "${bisect:-}" ] || exit 255; exit 2; }

bad_usage() { echo "run_tests.sh: $*" >&2; usage >&2; not_the_kernel; }

parse_options() {
	kernel_spec=debian:6.12 arch='' accel=auto timeout=300 results_root=$top/results
	stress='' seed='' all=''
	globs=() bisect='' debug='' list='' panic='' strict='' keep='' verbose='' no_install=''

	while [ $# -gt 0 ]; do
		case $1 in
		--*=*)	local arg=$1; shift; set -- "${arg%%=*}" "${arg#*=}" "$@";;
		esac
		case $1 in
		--kernel|--arch|--test|--accel|--timeout|--results|--stress|--seed)
			[ $# -ge 2 ] || bad_usage "$1 needs an argument";;
		esac
		case $1 in
		--kernel)	kernel_spec=$2; shift;;
		--arch)		arch=$2; shift;;
		--all)		all=1;;
		--test)		globs+=("$2"); shift;;
		--accel)	accel=$2; shift;;
		--timeout)	timeout=$2; shift;;
		--stress)	stress=$2; shift;;
		--seed)		seed=$2; shift;;
		--results)	results_root=$2; shift;;
		--bisect)	bisect=1;;
		--debug)	debug=--debug;;
		--list)		list=1;;
		--panic-on-warn) panic=1;;
		--strict)	strict=--strict;;
		--keep)		keep=1;;
		--verbose)	verbose=--verbose;;
		--no-install)	no_install=-n;;
		--help|-h)	usage; exit 0;;
		*)		bad_usage "unknown option: $1";;
		esac
		shift
	done
	case $accel in auto|kvm|tcg) ;; *) bad_usage "--accel: auto, kvm or tcg";; esac
	choose_arch
	[[ $timeout =~ ^[1-9][0-9]*$ ]] || bad_usage "--timeout: a number of seconds"
	[[ $stress =~ ^([1-9][0-9]*)?$ ]] || bad_usage "--stress: a number of seconds"
	[[ $seed =~ ^[0-9]*$ ]] || bad_usage "--seed: a number"
	choose_tests
	# As part of everything it is to be short; what failed has to be shrunk.
	[ -n "$stress" ] || stress=$((${#globs[@]} ? 10 : 1))
	timeout=$((timeout + 2 * stress))
}

# machine: what uname -m says where the tests run.  If that is not here, cross is what
# Debian calls it, and ARCH and CROSS_COMPILE are for the programs in vm/.
choose_arch() {
	machine=$(uname -m) cross=
	unset ARCH CROSS_COMPILE

	case $machine:$arch in
	*:|x86_64:amd64|aarch64:arm64) return;;
	*:amd64)	bad_usage "--arch amd64: this is $machine, and only arm64 is" \
				"built for elsewhere than on itself";;
	x86_64:arm64)	;;
	*)		bad_usage "--arch: amd64 or arm64";;
	esac
	[[ $kernel_spec = debian:* ]] || bad_usage "--arch $arch: Debian's kernels only"
	[ "$accel" != kvm ] || bad_usage "--accel kvm: not for --arch $arch"
	machine=aarch64 cross=$arch
	export ARCH=$arch CROSS_COMPILE=aarch64-linux-gnu-
}

# No glob is everything.
choose_tests() {
	[ -z "$all" ] || [ ${#globs[@]} = 0 ] || bad_usage "--all or --test, not both"
	if [ ${#globs[@]} = 0 ] && [ -z "$all$list$panic" ]; then
		globs=(contract device errno often)
		[ -z "$stress$seed" ] || globs=(stress)
	fi
}

# A directory of its own for each run, whoever else runs; latest is replaced, never
# absent.
make_results() {
	local stamp n=0

	stamp=$(date +%Y%m%d-%H%M%S)
	mkdir -p "$results_root" || die "cannot write to $results_root"
	results_root=$(cd "$results_root" && pwd)
	until mkdir "$results_root/$stamp-$n" 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 100 ] || die "cannot write to $results_root"
	done
	results=$results_root/$stamp-$n
	echo '{"verdict": "fail", "reason": "the run did not come to an end"}' \
		>"$results/summary.json" || die "cannot write to $results_root"
	ln -s "$(basename "$results")" "$results/.latest" &&
	mv -T "$results/.latest" "$results_root/latest" ||
		die "cannot write to $results_root"
}

# The job is what differs from run to run; it goes to the guest beside the initramfs.
make_job() {
	mkdir "$tmp/job"
	"$vm/tests.py" "$tmp/out/tests" job "${globs[@]}" >"$tmp/job/tests" &&
	"$vm/tests.py" "$tmp/out/tests" list "${globs[@]}" >"$tmp/job/expected" || {
		echo "run_tests.sh: no test matches ${globs[*]}" >&2
		exit 4
	}
	# The harness itself gives up a test after 30 s; longer silence is a hang.
	cat >"$tmp/job/env" <<-END
	TIMEOUT=$timeout
	SILENCE=$((timeout < 45 ? timeout : 45))
	export HMM_NOTIFIER_VM=1
	export HMM_NOTIFIER_STRESS_SECONDS=$stress HMM_NOTIFIER_SEED=$seed
	export HMM_NOTIFIER_STRESS_FORGETS=${HMM_NOTIFIER_STRESS_FORGETS:-}
	export HMM_NOTIFIER_STRESS_BUGS=${HMM_NOTIFIER_STRESS_BUGS:-}
	END
}

# All that the judge reads lies in the results, so a run can be judged anywhere.
describe_run() {
	local programs

	programs=$(wc -l <"$tmp/job/tests")
	total=$(((timeout + 10) * programs + 60))
	"$vm/describe.py" "$results" --kernel "$kernel" --out "$tmp/out" --job "$tmp/job" \
		spec="$kernel_spec" arch="$machine" accel="$accel" \
		suite="$(git -C "$top" describe --always --dirty 2>/dev/null)" \
		qemu="$("qemu-system-$machine" --version | sed -n 1p)" || exit 2
}

# A kernel on which no test began did not boot, whatever the reason.
bisect_status() { # EXIT-STATUS
	case $1 in
	0)	echo 0;;
	1)	grep -qs 'hmm_notifier: begin' "${results:-}/kmsg.log" && echo 1 || echo 125;;
	*)	[ "$1" -ge 128 ] && echo "$1" || echo 125;;
	esac
}

cleanup() {
	local ret=$?

	[ -n "${tmp:-}" ] && rm -rf "$tmp"
	[ -z "$bisect" ] || exit "$(bisect_status $ret)"
}

interrupted() {
	trap '' INT TERM HUP
	# boot.py takes QEMU with it
	[ -n "${child:-}" ] && { kill "$child"; wait "$child"; } 2>/dev/null
	echo "run_tests.sh: interrupted" >&2
	exit 130
}

# In the background, so that a signal to this shell is served at once.
run_child() {
	"$@" &
	child=$!
	wait $child
	local ret=$?
	child=''
	return $ret
}

# BOOT_OPTIONS: for tests/, which want other bounds or kernel parameters.
boot() {
	# shellcheck disable=SC2086 # BOOT_OPTIONS are several words
	run_child "$vm/boot.py" --kernel "$kernel/vmlinuz" --initramfs "$tmp/out/initramfs.cpio" \
		--job "$tmp/job" --results "$results" --accel "$accel" \
		--arch "$machine" --started "$started" --timeout "$total" \
		--silence $((timeout < 45 ? timeout + 45 : 90)) --log-limit $((64 + stress / 2)) \
		$verbose ${BOOT_OPTIONS:-}
	local ret=$?
	[ $ret -lt 2 ] || exit $ret
}

# KVM that passed its trial may still fail: then it is of no use, and forgotten.
run_guest() {
	boot
	if [ "$accel" = kvm ] && [ -n "$auto" ] &&
	   grep -qE '"ended": "(no-boot|qemu-error)"' "$results/boot.json"; then
		say "no boot with KVM: trying once more with TCG"
		rm -f "$(cache_dir)"/accel-*
		accel=tcg
		describe_run
		boot
	fi
}

judge() {
	"$vm/judge.py" $strict $verbose "$results"
	local ret=$?
	[ $ret != 70 ] || not_the_kernel # there is no verdict
	return $ret
}

started=$(date +%s.%N)
parse_options "$@"
[ -n "${HOME:-}${XDG_CACHE_HOME:-}" ] || export HOME=/root
case $kernel_spec in
source:*|tree:*) "$vm/packages.sh" $no_install run source || not_the_kernel;;
*)	[ -z "$debug" ] || bad_usage "--debug needs a kernel that is built here"
	"$vm/packages.sh" $no_install run ${cross:+"$cross"} || not_the_kernel;;
esac

tmp=$(mktemp -d) || exit 2
trap cleanup EXIT
trap interrupted INT TERM HUP

kernel=$("$vm/kernel.sh" "$kernel_spec" $debug) || exit $?
"$vm/build.sh" "$kernel" "$tmp/out" && "$vm/initramfs.sh" "$kernel" "$tmp/out" || exit 2
if [ -n "$list" ]; then
	"$vm/tests.py" "$tmp/out/tests" list "${globs[@]}"
	exit
fi
make_job
auto=
if [ -n "$cross" ] && [ "$accel" = auto ]; then
	say "$cross is emulated: using TCG"
	accel=tcg
elif [ "$accel" = auto ]; then
	auto=1
	accel=$("$vm/accel.py" "$kernel/vmlinuz" "$tmp/out/initramfs.cpio" "$(cache_dir)") ||
		exit 2
fi
make_results
describe_run
say "running $(wc -l <"$tmp/job/expected") tests on $(cat "$kernel/release") ($accel)"
if [ -n "$panic" ]; then
	run_child "$vm/panic.py" --out "$tmp/out" --job "$tmp/job" --results "$results" \
		--kernel "$kernel/vmlinuz" --accel "$accel" --arch "$machine" --timeout "$total" \
		--started "$started" $strict
	exit
fi
run_guest
[ -n "$keep" ] && cp -rL "$tmp/out/initramfs.cpio" "$tmp/out/modules" "$results/"
judge
