#!/bin/sh
# On a Mac that may be changed: installs a package, looks at what came of it, and
# removes it. What cannot be shown on another system is shown here.
#
#   sudo installer/macos/check.sh aval-VERSION.pkg
set -eu
if [ $# != 1 ] || [ "$(uname)" != Darwin ] || [ "$(id -u)" != 0 ]; then
	echo "usage, on a Mac: sudo installer/macos/check.sh aval-VERSION.pkg" >&2
	exit 2
fi
pkg=$1
failed=0
say() { # say WHAT COMMAND...: runs it and says whether it went well
	what=$1
	shift
	if "$@" >/tmp/aval-check.$$ 2>&1; then
		echo "ok      $what"
	else
		echo "FAILED  $what"
		sed 's/^/        /' /tmp/aval-check.$$
		failed=1
	fi
	rm -f /tmp/aval-check.$$
}
# Both are named to say.
# shellcheck disable=SC2317
within() { # within SECONDS COMMAND...: until it goes well
	left=$1
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 1
	done
}
# shellcheck disable=SC2317
says() { # says TEXT COMMAND...
	text=$1
	shift
	"$@" | grep -q "$text"
}

bill=$(mktemp)
pkgutil --bom "$pkg" | while read -r b; do cp "$b" "$bill"; done
say "its bill of materials is one" says "./opt/aval/bin/aval" lsbom -s "$bill"
rm -f "$bill"
say "the installer takes it" installer -pkg "$pkg" -target /
say "the receipt is there" pkgutil --pkg-info aval.Aval
say "nothing differs from the receipt but the group of aval-desktop" pkgutil --verify aval.Aval
say "both processors" lipo /opt/aval/bin/aval -verify_arch x86_64 arm64
say "launchd has read the service" plutil -lint /Library/LaunchDaemons/aval.plist
say "the service runs" within 30 launchctl print system/aval
say "it answers" within 30 /opt/aval/bin/aval status
say "a user reaches it" within 30 sudo -u "$(stat -f %Su /dev/console)" /opt/aval/bin/aval status
say "aval-desktop runs with its group" within 30 says _aval ps -axo group=,comm=
say "doctor finds its files as they were packed" says "as they were packed" /opt/aval/bin/aval doctor
say "the same package again" installer -pkg "$pkg" -target /
say "it answers again" within 30 /opt/aval/bin/aval status
say "removal" /opt/aval/uninstall --data
for left in /opt/aval /Library/LaunchDaemons/aval.plist /Library/LaunchAgents/aval-desktop.plist /private/var/db/aval; do
	say "$left is gone" test ! -e "$left"
done
exit $failed
