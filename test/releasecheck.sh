#!/bin/sh
# Makes the release of the last commit twice, in two clones in two folders of
# different names, and compares every byte of what comes out. With COLD=1 each has
# an empty build cache of its own, which takes about ten minutes.
#
# What differs stays in out/release-check, to be looked at with diffoscope(1).
set -eu
cd "$(dirname "$0")/.."
root=$PWD
[ -z "$(git status --porcelain)" ] || echo "release-check: what is not committed is not looked at" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one a-folder-of-another-name/two; do
	mkdir -p "$work/$(dirname "$name")"
	git clone -q --no-hardlinks "$root" "$work/$name"
	(
		[ -z "${COLD:-}" ] || export GOCACHE="$work/cache-$(basename "$name")"
		make -s -C "$work/$name" release OUT=out
	)
done
if diff -r "$work/one/out/release" "$work/a-folder-of-another-name/two/out/release"; then
	echo "the same bytes twice:"
	cat "$work/one/out/release/SHA256SUMS"
else
	rm -rf out/release-check
	mkdir -p out/release-check
	mv "$work/one/out/release" out/release-check/one
	mv "$work/a-folder-of-another-name/two/out/release" out/release-check/two
	exit 1
fi
