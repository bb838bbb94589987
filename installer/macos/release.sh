#!/bin/sh
# On a Mac: builds, signs, packs and notarizes Aval.
#
#   installer/macos/release.sh OUT APPLICATION INSTALLER TEAM PROFILE
#
# APPLICATION and INSTALLER name two certificates in the keychain ("Developer ID
# Application: …" and "Developer ID Installer: …"), TEAM is their team, PROFILE what
# "xcrun notarytool store-credentials" has kept the account under.
#
# The names in the signatures are those that the profile of rights asks for
# (installer/mdm/rights.go).
set -eu
if [ $# != 5 ] || [ "$(uname)" != Darwin ]; then
	echo "usage, on a Mac: installer/macos/release.sh OUT APPLICATION INSTALLER TEAM PROFILE" >&2
	exit 2
fi
out=$1 application=$2 installer=$3 team=$4 profile=$5
version=$(sed -n 's/^Version = "\(.*\)"$/\1/p' FyneApp.toml)
programs=$out/macos
pkg=$out/aval-$version.pkg

go run -trimpath ./installer/build -macos "$out"
installer/macos/build-ui.sh "$programs" "$version"
for name in aval aval-desktop aval-ui; do
	codesign --force --timestamp --options runtime --identifier "aval.Aval.$name" --sign "$application" "$programs/$name"
	codesign --verify --strict --verbose=2 "$programs/$name"
done
go run -trimpath ./installer/build -macos "$out" -programs "$programs" -team "$team"
productsign --timestamp --sign "$installer" "$pkg" "$pkg.signed"
mv "$pkg.signed" "$pkg"
xcrun notarytool submit "$pkg" --keychain-profile "$profile" --wait
xcrun stapler staple "$pkg"
pkgutil --check-signature "$pkg"
spctl --assess --type install --verbose "$pkg"
