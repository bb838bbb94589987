#!/bin/bash
# Runs inside the container: installs, upgrades and erases the rpm packages, whose
# scripts run with bash as /bin/sh, as where rpm is at home. checks.sh says how it
# reports.
#
# What must be there: /packages with the packages of two versions, the later in
# /packages/next; /scripts, those of the agent's rpm; rpm and jq.
set -u
. /checks.sh
show() { systemctl show -P "$1" aval; }
status() { aval status --json | jq -r "$1"; }
connected() { is "$(status .link)" connected; }
said() { grep -q "$1" /root/said; }
rpm_() { rpm "$@" --nodeps --define '_pkgverify_level digest' >/root/said 2>&1; }
ln -sf bash /bin/sh
version=$(rpm -qp --qf '%{VERSION}' /packages/aval-[0-9]*.rpm 2>/dev/null)
next=$(rpm -qp --qf '%{VERSION}' /packages/next/aval-[0-9]*.rpm 2>/dev/null)

# --- the server -------------------------------------------------------------------
check "the server's package" rpm_ -i /packages/aval-summarizer-[0-9]*.rpm
check "it does not run before it is told where" bash -c '! systemctl is-active --quiet aval-summarizer'
sed -i 's|^AVAL_SUMMARIZER_OPTIONS=.*|AVAL_SUMMARIZER_OPTIONS="--company Example"|' /etc/default/aval-summarizer
check "it starts" systemctl enable --now aval-summarizer
first=/var/lib/aval-summarizer/first-start/enrolment-token
until_ "it has a token" 60 test -s $first
install -m 600 $first /root/token.json

# --- one silent run ------------------------------------------------------------------
mkdir -p /etc/aval/policies/managed /root/evil
echo '{"AccessControl": "allowed"}' >/etc/aval/policies/managed/company.json
for tool in getent groupadd install systemctl chmod aval rm; do
	printf '#!/bin/sh\necho %s >>/root/hijacked\n' $tool >/root/evil/$tool
	chmod 755 /root/evil/$tool
done
begin=$(date +%s%N)
check "rpm -i with a token file, in a PATH that begins with somebody else's programs" \
	env PATH="/root/evil:$PATH" AVAL_TOKEN_FILE=/root/token.json /usr/bin/rpm -i --nodeps /packages/aval-[0-9]*.rpm
check "which ran none of those" test ! -e /root/hijacked
until_ "a session is decided" 20 aval session begin --tool demo --id 1 --supporter Ana
echo "from rpm to the first decision: $((($(date +%s%N) - begin) / 1000000)) ms"
aval session end --id 1 >/dev/null
until_ "enrolled and connected" 40 connected
device=$(status .device)
check "the token is used up and gone" bash -c '! ls /etc/aval/enroll.d/*.json'
check "the preset has enabled the service" systemctl is-enabled --quiet aval
check "it is the unit of the package" is "$(basename "$(show FragmentPath)")" aval.service
check "it holds five capabilities" is "$(grep CapBnd "/proc/$(show MainPID)/status" | cut -f2)" 00000000000810c4
check "the programs that ask have the group" is "$(stat -c '%U:%G %a' /usr/bin/aval-desktop /usr/bin/aval-ui | sort -u)" "root:_aval 2755"
check "the folder of token files is closed" is "$(stat -c '%U %a' /etc/aval/enroll.d)" "root 700"
check "doctor finds nothing wrong" aval doctor
check "files are as they were packed" rpm -V --nodeps aval
echo "start to ready: $((($(show ActiveEnterTimestampMonotonic) - $(show ExecMainStartTimestampMonotonic)) / 1000)) ms"
check "the scripts go through under sh -e as well" bash -c 'for sh in bash dash; do
	$sh -e /scripts/pre 2 && $sh -e /scripts/post 2 && $sh -e /scripts/preun 1 && $sh -e /scripts/postun 1 || exit 1; done'
until_ "which started it anew" 20 connected

# --- an upgrade while it is recorded -----------------------------------------------------
sleep infinity &
tool=$!
aval session begin --tool demo --id 2 --supporter Ana --pid $tool --json >/root/begun
check "a session is allowed by policy" is "$(jq -r '.verdict + " " + .reason' /root/begun)" "allow allowed-by-policy"
id=$(jq -r .session /root/begun)
noted() { aval sent "$id" --json | jq -e --arg n "$1" '[.[] | select(.text == $n)] | length == 1' >/dev/null; }
note() { aval session event --id 2 --kind note --text "$1" 2>/dev/null; noted "$1"; }
until_ "and recorded" 20 note before
old=$(show MainPID)
check "rpm -U of the next version" rpm_ -U /packages/next/aval-[0-9]*.rpm
new_runs() { [ "$(status .build)" = "$next" ] && [ "$(show MainPID)" != "$old" ]; }
until_ "the next version runs" 20 new_runs
check "what was recorded is still there" noted before
until_ "the same session goes on" 40 note after
until_ "everything arrives" 40 bash -c 'aval status --json | jq -e ".waiting == 0" >/dev/null'
check "it is still enrolled as it was" is "$(status .device)" "$device"
check "files are as the next version packed them" rpm -V --nodeps aval
kill $tool

# --- back, and away ------------------------------------------------------------------------
rpm_ -U /packages/aval-[0-9]*.rpm
check "an older version is refused" test $? -ne 0
check "and says so" said "newer than"
check "nothing was changed" is "$(rpm -q --qf '%{VERSION}' aval)" "$next"
check "the service runs on" connected
systemctl stop aval-summarizer
aval session begin --tool demo --id 3 --supporter Ana --json >/root/begun
id=$(jq -r .session /root/begun)
note() { aval session event --id 3 --kind note --text "$1" 2>/dev/null; noted "$1"; }
until_ "a session is recorded while the server is away" 20 note unsent
check "erase" rpm_ -e aval
check "it says how much waits to be sent" said 'wait to be sent: [1-9]'
check "nothing runs" bash -c '! pgrep -x aval'
check "no program and no unit is left" bash -c '! ls -d /usr/bin/aval /usr/bin/aval-desktop /usr/bin/aval-ui /usr/lib/systemd/system/aval.service /etc/systemd/system/multi-user.target.wants/aval.service 2>/dev/null | grep .'
check "state and policies stay" test -s /var/lib/aval/store.db -a -s /etc/aval/policies/managed/company.json
check "and it says how to delete them" said "/var/lib/aval/purge-with purge"
/var/lib/aval/purge-with purge >/root/said 2>&1
check "which keeps what waits" is "$?" 3
check "and says why" said 'events wait to be sent'
check "so it is still there" test -s /var/lib/aval/store.db
check "installed again" rpm_ -i /packages/next/aval-[0-9]*.rpm
systemctl start aval-summarizer
until_ "it is connected, enrolled as before" 60 connected
check "as the same device" is "$(status .device)" "$device"
key=$(status .key_id)
until_ "and what waited has left" 40 bash -c 'aval status --json | jq -e ".waiting == 0" >/dev/null'
check "erase, with nothing that waits" rpm_ -e aval
check "and purge" /var/lib/aval/purge-with purge
check "leave no state" test ! -e /var/lib/aval
check "installed once more" rpm_ -i /packages/next/aval-[0-9]*.rpm
until_ "it is another computer now" 20 bash -c "now=\$(aval status --json | jq -r .key_id) && [ \"\$now\" != $key ]"
check "purge before the erasure: stop" aval stop
check "purge" aval purge
check "erase" rpm_ -e aval
check "leaves no state and says nothing of any" bash -c '! test -e /var/lib/aval && ! grep -q /var/lib/aval /root/said'
check "erase of the server's package" rpm_ -e aval-summarizer
check "keeps its data" test -d /var/lib/aval-summarizer
if [ $failed != 0 ]; then
	echo "--- journal"; journalctl -u aval --no-pager -n 60
	for f in /root/said /root/begun; do echo "--- $f"; tail -15 $f 2>/dev/null; done
fi
exit $failed
