#!/bin/sh
# Says which Debian packages are missing for a group and installs them.
#
#   test/deps.sh build|release|test|e2e
#
# A package counts as there when what is needed of it is there: a command, a
# pkg-config module or a file. Nothing is done, and nothing asked, when all is.
set -eu

group=${1:-}
missing=
want() { # want PACKAGE cmd|pc|file WHAT
	case $2 in
	cmd) command -v "$3" >/dev/null 2>&1 || [ -x "/usr/sbin/$3" ] && return 0 ;;
	pc) pkg-config --exists "$3" 2>/dev/null && return 0 ;;
	file) for f in $3; do [ -e "$f" ] && return 0; done ;;
	esac
	case " $missing " in *" $1 "*) ;; *) missing="$missing $1" ;; esac
}

case $group in
build)
	want gcc cmd gcc
	want xz-utils cmd xz
	want libc6-dev file /usr/include/stdio.h
	want pkg-config cmd pkg-config
	want libgl1-mesa-dev pc gl
	want libx11-dev pc x11
	want libxcursor-dev pc xcursor
	want libxrandr-dev pc xrandr
	want libxinerama-dev pc xinerama
	want libxi-dev pc xi
	want libxxf86vm-dev pc xxf86vm
	want ca-certificates file /etc/ssl/certs/ca-certificates.crt
	;;
release)
	want gcc-mingw-w64-x86-64 cmd x86_64-w64-mingw32-gcc
	want wixl cmd wixl
	want msitools cmd msibuild
	want osslsigncode cmd osslsigncode
	;;
test)
	want systemd file /lib/systemd/systemd-journald
	want gnupg cmd gpg
	want rpm cmd rpm
	want postgresql file '/usr/lib/postgresql/*/bin/initdb'
	want haproxy cmd haproxy
	want xvfb cmd Xvfb
	want xserver-xephyr cmd Xephyr
	want openbox cmd openbox
	want x11vnc cmd x11vnc
	want tigervnc-viewer cmd xtigervncviewer
	want tigervnc-scraping-server cmd X0tigervnc
	want xterm cmd xterm
	want x11-apps cmd xclock
	want x11-utils cmd xmessage
	want xdotool cmd xdotool
	want wmctrl cmd wmctrl
	want zenity cmd zenity
	want libgl1-mesa-dri file '/usr/lib/*/dri/swrast_dri.so /usr/lib/*/libgallium*.so'
	want libglx-mesa0 file '/usr/lib/*/libGLX_mesa.so.0'
	want libgl1 file '/usr/lib/*/libGL.so.1'
	want procps cmd ps
	want dbus-daemon cmd dbus-daemon
	want picom cmd picom
	want fontconfig cmd fc-match
	want poppler-utils cmd pdftotext
	want fonts-vlgothic file /usr/share/fonts/truetype/vlgothic/VL-PGothic-Regular.ttf
	want fonts-wqy-microhei file /usr/share/fonts/truetype/wqy/wqy-microhei.ttc
	;;
e2e)
	want util-linux cmd unshare
	want openssh-client cmd ssh
	want openssh-server cmd sshd
	want libpam-modules file '/usr/lib/*/security/pam_exec.so'
	want tigervnc-standalone-server cmd Xtigervnc
	want tigervnc-scraping-server cmd X0tigervnc
	want xrdp cmd xrdp
	want xorgxrdp file '/usr/lib/xorg/modules/libxorgxrdp.so'
	want freerdp2-x11 cmd xfreerdp
	want netcat-openbsd file '/bin/nc.openbsd /usr/bin/nc.openbsd'
	want python3-minimal cmd python3
	want lintian cmd lintian
	want rpm2cpio cmd rpm2cpio
	want rpmlint cmd rpmlint
	want cpio cmd cpio
	want libarchive-tools cmd bsdtar
	want 7zip cmd 7zz
	want file cmd file
	want libplist-utils cmd plistutil
	want shellcheck cmd shellcheck
	want desktop-file-utils cmd desktop-file-validate
	want appstream cmd appstreamcli
	want mandoc cmd mandoc
	want picom cmd picom
	want nodejs cmd node
	want npm cmd npm
	want wine cmd wine
	want wine64 file /usr/lib/wine/wine64
	want openssl cmd openssl
	want libxtst6 file '/usr/lib/*/libXtst.so.6'
	want chromium cmd chromium
	want fonts-dejavu-core file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
	[ "$(id -u)" != 0 ] || {
		want debootstrap cmd debootstrap
		want systemd-container cmd systemd-nspawn
	}
	;;
*)
	echo "usage: test/deps.sh build|release|test|e2e" >&2
	exit 2
	;;
esac

# MeshCentral, server and agent, into the user's cache and without running any of
# its scripts. Where it cannot be fetched its tests say so and are skipped.
mesh() {
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/aval-test/meshcentral-1.1.55
	[ -e "$dir/node_modules/meshcentral/meshcentral.js" ] && return 0
	echo "Fetching MeshCentral into $dir …" >&2
	rm -rf "$dir" "$dir.unreachable"
	mkdir -p "$dir.new"
	if npm install --prefix "$dir.new" --ignore-scripts --no-audit --no-fund --no-save meshcentral@1.1.55 >"$dir.log" 2>&1; then
		mv "$dir.new" "$dir"
	else
		tail -n 3 "$dir.log" | tee "$dir.unreachable" >&2
		rm -rf "$dir.new"
	fi
	rm -f "$dir.log"
}
# axe-core (MPL-2.0), which judges the console's pages in a browser: one file of
# the package, into the user's cache.
axe() {
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/aval-test/axe-core-4.14.1
	[ -e "$dir/axe.min.js" ] && return 0
	echo "Fetching axe-core into $dir …" >&2
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	npm install --prefix "$dir.new" --ignore-scripts --no-audit --no-fund --no-save axe-core@4.14.1 >"$dir.log" 2>&1 || {
		tail -n 3 "$dir.log" >&2
		exit 1
	}
	rm -rf "$dir" "$dir.log"
	mv "$dir.new/node_modules/axe-core" "$dir"
	rm -rf "$dir.new"
}
# Judges from npm, into the user's cache: the library of Standard Webhooks for
# JavaScript (MIT), which verifies what a webhook is sent, and jsforce (MIT), a
# client of Salesforce's; lsbom (ISC), which reads the bills of materials of macOS;
# Prism (Apache-2.0), which holds requests and answers against an OpenAPI document.
judge() { # judge PACKAGE VERSION
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/aval-test/$1-$2
	[ -e "$dir/node_modules/$1/package.json" ] && return 0
	echo "Fetching $1 into $dir …" >&2
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	npm install --prefix "$dir.new" --ignore-scripts --no-audit --no-fund --no-save "$1@$2" >"$dir.log" 2>&1 || {
		tail -n 3 "$dir.log" >&2
		exit 1
	}
	rm -rf "$dir" "$dir.log"
	mv "$dir.new" "$dir"
}
# An OpenID Connect issuer for tests (MIT), by which somebody signs in to the console.
issuer() {
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/aval-test/oauth2-mock-server-9.3.0
	[ -e "$dir/node_modules/oauth2-mock-server/package.json" ] && return 0
	echo "Fetching oauth2-mock-server into $dir …" >&2
	rm -rf "$dir.new"
	mkdir -p "$dir.new"
	npm install --prefix "$dir.new" --ignore-scripts --no-audit --no-fund --no-save oauth2-mock-server@9.3.0 >"$dir.log" 2>&1 || {
		tail -n 3 "$dir.log" >&2
		exit 1
	}
	rm -rf "$dir" "$dir.log"
	mv "$dir.new" "$dir"
}
judges() {
	mesh
	axe
	judge standardwebhooks 1.1.1
	judge jsforce 3.10.26
	judge lsbom 1.0.1
	judge @stoplight/prism-cli 5.16.0
	issuer
}
after=:
[ "$group" != e2e ] || after=judges

[ -n "$missing" ] || {
	$after
	exit 0
}
echo "Missing Debian packages:$missing" >&2
if ! command -v apt-get >/dev/null 2>&1; then
	echo "There is no apt-get here: install what these packages hold with your system's own tool, then run make again." >&2
	exit 1
fi
root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "Install them as root:  apt-get install$missing" >&2
		exit 1
	fi
	root=sudo
fi
# The package lists are fetched once, only if a package is not found without.
apt() { $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 -qq "$@" >&2; }
echo "Installing them${root:+ with sudo} …" >&2
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing >/dev/null 2>&1 || {
	apt update
	apt install -y --no-install-recommends $missing
}
$after
