#!/bin/bash
# Runs a command in a throw-away Debian with a real systemd, logind and
# journald, in a container. Needs root; needs no systemd on the host.
#
#   nspawn-debian.sh [-c SRC:DST]... [-i FILE]... [-p 'PKG...'] [--] COMMAND [ARG...]
#     -c SRC:DST   copy a file or folder in before the boot (repeatable)
#     -i FILE      install this .deb before the boot, as into an image (repeatable)
#     -p 'PKG...'  Debian packages to have in it, beside the base
#
# The container has a network of its own with nothing but a loopback, so what
# is needed from outside belongs in -p. Exit status: the command's; 124 when
# LIMIT ran out; 99 when the container could not be made or did not boot.
#
# Settings:
#   CACHE=DIR       keep the installed system there, one tarball for each set of
#                   packages (about 300 MB to 1 GB), and use it next time
#   LIMIT=120       seconds for the command     BOOT_LIMIT=60 for the boot
#   SUITE=bookworm  MIRROR= (debootstrap's own)
#   LOG=FILE        where the console of the boot goes
#
# Debian packages: debootstrap systemd-container util-linux procps
set -euo pipefail

BASE='systemd,systemd-sysv,dbus,libpam-systemd,udev,kmod,iproute2,procps'
SUITE=${SUITE:-bookworm} MIRROR=${MIRROR:-} CACHE=${CACHE:-}
LIMIT=${LIMIT:-120} BOOT_LIMIT=${BOOT_LIMIT:-60}

copies=() installs=() packages=
while getopts 'c:i:p:h' o; do
	case $o in
	c) copies+=("$OPTARG") ;;
	i) installs+=("$OPTARG") ;;
	p) packages=$OPTARG ;;
	*) sed -n '2,/^set -e/{/^#/s/^# \?//p}' "$0"; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

work= guest_init= command=
fail() { echo "nspawn-debian: $*" >&2; exit 99; }
[ $# -gt 0 ] || { echo "nspawn-debian: no command given (-h for help)" >&2; exit 2; }
[ "$(id -u)" = 0 ] || fail "must run as root"
work=$(mktemp -d)
tree=$work/tree
LOG=${LOG:-$work/console.log}

# A first SIGTERM asks the guest to halt, a second ends it at once: nothing in
# it is kept, so it gets 3 s.
stop_guest() {
	[ -n "$guest_init" ] || return 0
	local sig
	for sig in TERM TERM KILL; do
		kill -s $sig "$guest_init" 2>/dev/null || break
		for _ in $(seq 30); do kill -0 "$guest_init" 2>/dev/null || break; sleep 0.1; done
	done
	wait "$guest_init" 2>/dev/null || true
	guest_init=
}
cleanup() {
	[ -z "$command" ] || kill "$command" 2>/dev/null || true
	stop_guest
	umount "$tree/proc" 2>/dev/null || true
	# One file system only: never delete through a mount that was left over.
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The system: out of the cache, or made.
make_system() {
	timeout 900 debootstrap --variant=minbase --include="$BASE" "$SUITE" "$tree" ${MIRROR:+"$MIRROR"} \
		>"$work/debootstrap.log" 2>&1 || { tail -5 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
	[ -n "$packages" ] || return 0
	cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
	# Maintainer scripts must not start services of the host.
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	mount -t proc proc "$tree/proc"
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive timeout 900 chroot "$tree" sh -ec '
		apt-get -q update
		apt-get -qy install --no-install-recommends "$@"
		apt-get clean' sh $packages >"$work/apt.log" 2>&1 ||
		{ tail -5 "$work/apt.log" >&2; fail "installing $packages failed"; }
	umount "$tree/proc"
	rm -f "$tree/usr/sbin/policy-rc.d"
}
mkdir -p "$tree"
key=$(printf '%s\n' "$SUITE" "$BASE" "$packages" | sha256sum | cut -c1-12)
tarball=${CACHE:+$CACHE/debian-$SUITE-$key.tar}
if [ -n "$tarball" ] && [ -s "$tarball" ]; then
	tar -xpf "$tarball" --numeric-owner --xattrs -C "$tree"
else
	make_system
	if [ -n "$tarball" ]; then
		mkdir -p "$CACHE"
		tar -cpf "$tarball.$$" --numeric-owner --xattrs -C "$tree" .
		mv "$tarball.$$" "$tarball"
	fi
fi
for c in ${copies[@]+"${copies[@]}"}; do
	mkdir -p "$tree/$(dirname "${c#*:}")"
	cp -a "${c%%:*}" "$tree/${c#*:}" || fail "copying ${c%%:*} failed"
	chown -R root:root "$tree/${c#*:}"
done

for i in ${installs[@]+"${installs[@]}"}; do
	cp "$i" "$tree/installed.deb"
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	DEBIAN_FRONTEND=noninteractive timeout 300 chroot "$tree" dpkg -i /installed.deb >"$work/dpkg.log" 2>&1 ||
		{ tail -5 "$work/dpkg.log" >&2; fail "installing $i failed"; }
	rm -f "$tree/installed.deb" "$tree/usr/sbin/policy-rc.d"
done

# Without systemd on the host nobody can register the machine or give it a
# unit: --keep-unit runs it in the caller's control group.
keep=
[ -d /run/systemd/system ] || keep=--keep-unit
systemd-nspawn -D "$tree" -b --private-network --register=no $keep --console=pipe </dev/null >"$LOG" 2>&1 &
guest_init=$!

guest=
end=$((SECONDS + BOOT_LIMIT))
until [ -n "$guest" ] && nsenter -t "$guest" -a test -S /run/systemd/private 2>/dev/null; do
	kill -0 "$guest_init" 2>/dev/null || { tail -5 "$LOG" >&2; fail "the container ended"; }
	[ $SECONDS -lt $end ] || { tail -5 "$LOG" >&2; fail "no boot in $BOOT_LIMIT s"; }
	sleep 0.1
	guest=$(pgrep -P "$guest_init" | head -n 1) || guest=
done
# "degraded" is normal: some units have nothing to do in a container.
state=$(timeout "$BOOT_LIMIT" nsenter -t "$guest" -a systemctl is-system-running --wait 2>/dev/null) || true
case $state in
running | degraded) ;;
*) tail -5 "$LOG" >&2; fail "systemd is '$state'" ;;
esac

rc=0
timeout --kill-after=5 "$LIMIT" nsenter -t "$guest" -a -- \
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@" <&0 &
command=$! # in the background, so that a signal to this script acts at once
wait "$command" || rc=$?
command=
exit "$rc"
