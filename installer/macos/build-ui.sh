#!/bin/sh
# On a Mac: builds aval-ui for both kinds of processor, into DIR/aval-ui.
#
#   installer/macos/build-ui.sh DIR VERSION
#
# It needs Go and Xcode's command line tools (xcode-select --install): the windows are
# drawn by Apple's libraries, which no other system has.
set -eu
if [ $# != 2 ] || [ "$(uname)" != Darwin ]; then
	echo "usage, on a Mac: installer/macos/build-ui.sh DIR VERSION" >&2
	exit 2
fi
dir=$1 version=$2
export CGO_ENABLED=1 GOOS=darwin MACOSX_DEPLOYMENT_TARGET=12.0
for arch in amd64 arm64; do
	case $arch in amd64) apple=x86_64 ;; *) apple=arm64 ;; esac
	GOARCH=$arch CC="clang -arch $apple" go build -trimpath -tags migrated_fynedo \
		-ldflags "-s -w -X main.version=$version" -o "$dir/aval-ui-$arch" ./cmd/aval-ui
done
lipo -create -output "$dir/aval-ui" "$dir/aval-ui-amd64" "$dir/aval-ui-arm64"
rm "$dir/aval-ui-amd64" "$dir/aval-ui-arm64"
