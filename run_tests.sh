#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Finds Python, and starts runner/, which boots a kernel in QEMU, runs the MMU-notifier
# failure tests on it and gives a verdict.

top=$(dirname -- "$(readlink -f -- "$0")")

find_python() {
	for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
		"$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
			2>/dev/null && return
	done
	return 1
}

# Python is one of the packages that are installed when they are missing
get_python() {
	case " $* " in
	*" --no-install "*) "$top/vm/packages.sh" -n run ;;
	*) "$top/vm/packages.sh" run ;;
	esac && find_python
}

find_python || get_python "$@" || {
	echo "run_tests.sh: Python 3.9 or newer is needed to run the tests" >&2
	# git bisect ends at 255; this says nothing about a commit
	case " $* " in *" --bisect "*) exit 255 ;; esac
	exit 2
}
# Isolated: neither PYTHON* variables nor the current directory choose our modules
exec "$python" -I -B "$top/runner" "$@"
