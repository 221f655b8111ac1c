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

# Python is the first that may be missing; for the rest see runner/packages.py.
get_python() {
	install='' by=apt-get sudo=''
	[ "$(id -u)" = 0 ] || sudo=sudo
	for manager in zypper pacman dnf apt-get; do
		command -v $manager >/dev/null && install=$manager
	done
	case " $* " in
	*" --no-install "* | " packages -n "*) by='' ;;
	*" --install "*) by=$install ;;
	esac
	if [ -z "$install" ] || [ "$install" != "$by" ]; then
		cat >&2 <<-EOF
		missing packages; install them with the one of these that is yours:
		    $sudo apt-get install -y --no-install-recommends python3
		    $sudo dnf install -y python3
		    $sudo pacman -S --needed --noconfirm python
		    $sudo zypper --non-interactive install python3
		EOF
		return 1
	fi
	echo "installing what is missing: python" >&2
	case $install in
	apt-get) add_python apt-get install -y --no-install-recommends python3 ||
		{ add_python apt-get update && add_python apt-get install -y \
			--no-install-recommends python3; } ;;
	dnf) add_python dnf install -y python3 ;;
	pacman) add_python pacman -S --needed --noconfirm python ;;
	zypper) add_python zypper --non-interactive install python3 ;;
	esac
	find_python
}

add_python() { $sudo env DEBIAN_FRONTEND=noninteractive "$@" >/dev/null </dev/null; }

find_python || get_python "$@" || {
	echo "run_tests.sh: Python 3.9 or newer is needed to run the tests" >&2
	# git bisect ends at 255; this says nothing about a commit
	case " $* " in *" --bisect "*) exit 255 ;; esac
	exit 2
}
# Isolated: neither PYTHON* variables nor the current directory choose our modules
exec "$python" -I -B "$top/runner" "$@"
