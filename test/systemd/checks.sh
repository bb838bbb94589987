# What the scripts that run inside the container say of their checks, one line
# for each:
#
#   ok NAME    or    FAIL NAME: WHY
failed=0
ok() { echo "ok $1"; }
bad() { echo "FAIL $1: $2"; failed=1; }
# check NAME COMMAND...: the command's end decides; its output says why.
check() {
	local name=$1 out; shift
	if out=$("$@" 2>&1); then ok "$name"; else bad "$name" "$* gave: ${out:-nothing}"; fi
}
# until_ NAME SECONDS COMMAND...: waits for a condition.
until_() {
	local name=$1 end=$((SECONDS + $2)); shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { bad "$name" "not in time: $*: $("$@" 2>&1 | tail -3)"; return 1; }
		sleep 0.05
	done
	ok "$name"
}
is() { [ "$1" = "$2" ] || { echo "$1 instead of $2"; return 1; }; }
