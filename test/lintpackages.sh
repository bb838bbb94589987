#!/bin/bash
# Has lintian and rpmlint look at packages: test/lintpackages.sh FILE...
#
# rpmlint unpacks a package with cpio -id, and the names in packages made by
# rpmpack are absolute: it would write over this computer's own files. So it is
# given a cpio that makes every name relative, which is also what it expects.
# What is accepted of rpmlint stands in test/rpmlint.toml, each with its reason.
set -euo pipefail
debs=() rpms=()
for f in "$@"; do
	case $f in
	*.deb) debs+=("$(realpath "$f")") ;;
	*.rpm) rpms+=("$(realpath "$f")") ;;
	esac
done
rc=0
if [ ${#debs[@]} -gt 0 ]; then
	lintian --allow-root --tag-display-limit 0 --fail-on error,warning "${debs[@]}" || rc=1
fi
if [ ${#rpms[@]} -gt 0 ]; then
	config=$(realpath "$(dirname "$0")/rpmlint.toml")
	safe=$(mktemp -d)
	trap 'rm -rf "$safe"' EXIT
	printf '#!/bin/sh\nexec %s --no-absolute-filenames "$@"\n' "$(command -v cpio)" >"$safe/cpio"
	chmod 755 "$safe/cpio"
	out=$(PATH="$safe:$PATH" rpmlint -c "$config" "${rpms[@]}" 2>&1) || rc=1
	echo "$out"
	grep -q ' 0 errors, 0 warnings' <<<"$out" || rc=1
fi
exit $rc
