#!/bin/sh
# Renders the icon in every size that the programs and packages use.
# Needs rsvg-convert (Debian: librsvg2-bin). Up to 48 pixels the simpler drawing
# is used: the pen stroke of the large one would be a blur.
set -eu
cd "$(dirname "$0")"
command -v rsvg-convert >/dev/null || {
	echo "rsvg-convert is missing: install librsvg2-bin" >&2
	exit 1
}
mkdir -p icons
for size in 16 22 24 32 48 64 128 256 512; do
	source=brand/icon.svg
	[ "$size" -le 48 ] && source=brand/icon-small.svg
	rsvg-convert -w "$size" -h "$size" "$source" -o "icons/$size.png"
done
