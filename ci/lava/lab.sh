#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# lab.sh PACKAGES WORKERS LOGS COMMAND...: runs COMMAND beside a LAVA server that has so many
# workers, each with a device, and ends with it.
#
# PACKAGES is a directory in which they are unpacked.  Everything is in namespaces of our
# own: what is written under /etc and /var is in memory, the ports are those of another
# localhost, and whoever ends the first process of it ends all of it.
set -e

if [ "${LAB-}" != inside ]; then
	LAB=inside exec unshare --mount --pid --net --fork --kill-child --mount-proc "$0" "$@"
fi
packages=$1 workers=$2 logs=$3
shift 3

overlay() { # DIRECTORY: with the packages' files over the machine's
	local state=/run/lab$1

	mkdir -p "$state/upper" "$state/work"
	mount -t overlay -o "lowerdir=$packages$1:$1,upperdir=$state/upper,workdir=$state/work" \
		lab "$1"
}

mounts() {
	mount -t tmpfs -o mode=755 lab /run
	for directory in /usr /etc /var/lib /var/log; do overlay $directory; done
	ip link set lo up
}

# What the packages' own scripts would do, and services of the machine
users() {
	for user in postgres lavaserver; do
		id -u $user >/dev/null 2>&1 || useradd --system --user-group $user
	done
}

database() {
	local pg

	pg=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	install -d -o postgres /run/postgresql
	setpriv --reuid postgres --regid postgres --clear-groups "$pg/initdb" -A trust -N \
		-D /run/postgresql/data
	setpriv --reuid postgres --regid postgres --clear-groups "$pg/pg_ctl" -w start \
		-D /run/postgresql/data -o '-c fsync=off'
	python3 /usr/share/lava-server/postinst.py
}

lab() { lavacli --uri "http://admin:$TOKEN@127.0.0.1:8000/RPC2" "$@"; }

retry() { # COMMAND...: until it succeeds, but not for ever
	local i

	for ((i = 0; i < 120; i++)); do
		! "$@" || return 0
		sleep 1
	done
	return 1
}

# Workers register themselves, as they are on the server's own machine.
devices() {
	local i

	retry lab device-types add qemu
	for ((i = 1; i <= workers; i++)); do
		cp "${0%/*}/lab-device.yaml.j2" \
			/etc/lava-server/dispatcher-config/devices/qemu-$i.jinja2
		retry lab devices add --type qemu --worker worker-$i --health GOOD qemu-$i
	done
}

service() { # NAME COMMAND...
	"${@:2}" >"$logs/$1.log" 2>&1 &
}

services() {
	local i

	service publisher lava-server manage lava-publisher --log-file -
	service scheduler lava-server manage lava-scheduler --log-file -
	service gunicorn gunicorn3 lava_server.wsgi -u lavaserver -g lavaserver \
		--worker-class eventlet --workers 2 --bind 127.0.0.1:8000
	for ((i = 1; i <= workers; i++)); do
		mkdir /etc/lava-server/dispatcher.d/worker-$i
		echo 'dispatcher_ip: 127.0.0.1' \
			>/etc/lava-server/dispatcher.d/worker-$i/dispatcher.yaml
		# It sees the end of a job when it asks for the next one only.
		service worker-$i lava-worker --name worker-$i --log-file - --ping-interval 1 \
			--worker-dir /var/lib/lava/dispatcher/worker-$i \
			--url http://127.0.0.1:8000 --ws-url http://127.0.0.1:8001/ws/
	done
}

setup() {
	users
	database
	lava-server manage users add --superuser --passwd "$TOKEN" admin
	lava-server manage tokens add --user admin --secret "$TOKEN"
	services
	devices
}

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TOKEN=lab
# Without events each job would wait for the next poll, of the scheduler and of a worker.
export LAVA_YAML_SETTINGS_EVENT_NOTIFICATION=true
export LAVA_SETTINGS_INTERNAL_EVENT_SOCKET=ipc:///run/lab/events
mounts
install -d -m 777 /run/lab
setup >"$logs/setup.log" 2>&1
"$@"
