#!/bin/bash
# Runs inside the container: installs the packages as an administrator does, in
# one silent run, uses the service, upgrades it while it records and while it asks,
# refuses to go back, removes and purges it. checks.sh says how it reports.
#
# What must be there: /roll-out.sh out of docs/mdm/script.md; /packages with aval and aval-summarizer of one version,
# and aval of a later one in /packages/next; the Debian packages of packages_test.go.
set -u
. /checks.sh
show() { systemctl show -P "$1" aval; }
status() { aval status --json | jq -r "$1"; }
connected() { is "$(status .link)" connected; }
said() { grep -q "$1" /root/said; }
newest() { aval consent list --json | jq -r "[.[] | select(.tool==\"ssh\")][0] | $1"; }
open_ssh() { is "$(aval session list --json | jq '[.[] | select(.tool=="ssh")] | length')" "$1"; }
version=$(dpkg-deb -f /packages/aval_*.deb Version)
next=$(dpkg-deb -f /packages/next/aval_*.deb Version)

# --- the server -----------------------------------------------------------------
check "the server's package" dpkg -i /packages/aval-summarizer_*.deb
check "it does not run before it is told where" bash -c '! systemctl is-active --quiet aval-summarizer'
sed -i 's|^AVAL_SUMMARIZER_OPTIONS=.*|AVAL_SUMMARIZER_OPTIONS="--company Example"|' /etc/default/aval-summarizer
check "it starts" systemctl enable --now aval-summarizer
first=/var/lib/aval-summarizer/first-start/enrolment-token
until_ "it has a token" 30 test -s $first
check "it runs as a user of its own" is "$(ps -o user:20= -p "$(systemctl show -P MainPID aval-summarizer)" | tr -d ' ')" _aval-summarizer
echo "server's exposure: $(systemd-analyze security --no-pager aval-summarizer 2>/dev/null | tail -1)"
install -m 600 $first /root/token.json

# --- one silent run --------------------------------------------------------------
mkdir -p /root/evil && printf '#!/bin/sh\ntouch /root/hijacked\n' >/root/evil/groupadd && chmod 755 /root/evil/groupadd
begin=$(date +%s%N)
check "dpkg -i with a token file, in a PATH that begins with somebody else's programs" \
	env PATH="/root/evil:$PATH" AVAL_TOKEN_FILE=/root/token.json DEBIAN_FRONTEND=noninteractive dpkg -i /packages/aval_*.deb
installed=$((($(date +%s%N) - begin) / 1000000))
check "which ran none of those" test ! -e /root/hijacked
until_ "a session is decided" 20 aval session begin --tool demo --id 1 --supporter Ana
echo "from dpkg to the first decision: $((($(date +%s%N) - begin) / 1000000)) ms, of which dpkg: $installed ms"
aval session end --tool demo --id 1 >/dev/null 2>&1 || aval session end --id 1 >/dev/null
until_ "enrolled and connected" 20 connected
device=$(status .device)
check "the token is used up and gone" bash -c '! ls /etc/aval/enroll.d/*.json'
check "the service is enabled" systemctl is-enabled --quiet aval
check "it is the unit of the package" is "$(show FragmentPath)" /lib/systemd/system/aval.service
check "it holds five capabilities" is "$(grep CapBnd "/proc/$(show MainPID)/status" | cut -f2)" 00000000000810c4
check "it cannot write to /etc" bash -c "! nsenter -t $(show MainPID) -m touch /etc/canary"
check "the programs that ask have the group" is "$(stat -c '%U:%G %a' /usr/bin/aval-desktop /usr/bin/aval-ui | sort -u)" "root:_aval 2755"
check "aval itself has none" is "$(stat -c '%U:%G %a' /usr/bin/aval)" "root:root 755"
check "doctor finds nothing wrong" aval doctor
echo "start to ready: $((($(show ActiveEnterTimestampMonotonic) - $(show ExecMainStartTimestampMonotonic)) / 1000)) ms"
check "aval install leaves the package alone" bash -c 'aval install 2>&1 | grep -q package'
check "files are as they were packed" dpkg --verify aval
man -w aval >/dev/null 2>&1 || true

# --- a login, asked about and recorded ------------------------------------------
useradd -m -s /bin/bash maria
install -d -m 700 -o maria -g maria /home/maria/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/key
install -m 600 -o maria -g maria /root/key.pub /home/maria/.ssh/authorized_keys
systemctl start ssh
SSH=(ssh -F none -i /root/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
login() {
	rm -f /root/in; mkfifo /root/in
	"${SSH[@]}" -tt maria@127.0.0.1 </root/in >/root/out 2>&1 &
	client=$!
	exec 8>/root/in
}
logout() { echo exit >&8; exec 8>&-; wait "$client" 2>/dev/null; }
echo '{"SSHAccounts": ["maria"], "AcceptUnproven": "on", "QuestionSeconds": 120}' >/etc/aval/policies/managed/ssh.json
# Without OpenGL the question comes as a dialog, whose answers count here by
# policy. (In the window only a press of a real device does.)
runuser -u maria -- Xvfb :7 -screen 0 1024x768x24 -extension GLX >/root/xvfb.log 2>&1 &
until_ "maria's X server" 40 test -S /tmp/.X11-unix/X7
as_maria() { runuser -u maria -- env DISPLAY=:7 LANG=C.UTF-8 HOME=/home/maria "$@"; }
as_maria aval-desktop >/root/desktop.log 2>&1 &
helped() { is "$(aval status --json | jq '[.desktops[] | select(.user=="maria" and .helper)] | length')" 1; }
until_ "her desktop is known" 20 helped
# The dialog's window; GTK has small ones beside it that are never seen.
dialog() { as_maria xwininfo -root -tree 2>/dev/null | grep -i '"zenity"' | grep -vE ' 1?[01]x1?[01]\+' | grep -oE '0x[0-9a-f]+' | head -1; }
shown() { [ -n "$(dialog)" ]; }
# A person reads first: answers that come too soon are discarded, and the second
# such counts as a no.
say_yes() {
	local id WIDTH HEIGHT
	id=$(dialog) && [ -n "$id" ] || return 1
	sleep 5
	eval "$(as_maria xdotool getwindowgeometry --shell "$id" | grep -E '^(WIDTH|HEIGHT)=[0-9]+$')"
	as_maria xdotool mousemove --window "$id" $((WIDTH - 60)) $((HEIGHT - 22)) click 1 # the one at the right
	sleep 2
	recording
}
recording() { is "$(aval session list --json | jq '[.[] | select(.tool=="ssh" and .recording)] | length')" 1; }
login
until_ "a login is a session" 20 open_ssh 1
until_ "the question is on her screen" 60 shown
until_ "after her yes it is recorded" 60 say_yes
ran() { aval sent --json | jq -e "[.[] | select(.kind==\"command-run\" and .command==\"$1\")] | length == 1" >/dev/null; }
echo "sleep 7.25 &" >&8
until_ "its commands are recorded" 20 ran "sleep 7.25"

# --- an upgrade while it is recorded ------------------------------------------------
old=$(show MainPID)
begun=$(newest .session)
check "dpkg -i of the next version" dpkg -i /packages/next/aval_*.deb
new_runs() { [ "$(status .build)" = "$next" ] && [ "$(show MainPID)" != "$old" ]; }
until_ "the next version runs" 20 new_runs
until_ "her desktop's helper is of the next version too" 30 bash -c "as=\$(pgrep -u maria -x aval-desktop) && [ \"\$(readlink /proc/\$as/exe)\" = /usr/bin/aval-desktop ]"
until_ "her desktop is known again" 30 helped
until_ "the session goes on, recorded" 30 recording
check "it is the same session" is "$(newest .session)" "$begun"
check "what was recorded is still there" ran "sleep 7.25"
echo "sleep 8.25 &" >&8
until_ "and what comes now too" 20 ran "sleep 8.25"
until_ "everything arrives" 30 bash -c 'aval status --json | jq -e ".waiting == 0" >/dev/null'
check "it is still enrolled as it was" is "$(status .device)" "$device"
check "the log is whole" bash -c 'aval doctor'
logout
until_ "its end is heard" 20 open_ssh 0

# --- an upgrade while it is asked ------------------------------------------------------
login
until_ "another login is asked about" 60 shown
check "the same package once more" dpkg -i /packages/next/aval_*.deb
asked_again() { [ "$(aval consent list --json | jq '[.[] | select(.tool=="ssh" and .outcome=="asking")] | length')" = 1 ]; }
until_ "the open question ended: could not ask" 20 bash -c 'aval consent list --json | jq -e "[.[] | select(.tool==\"ssh\" and .outcome==\"could-not-ask\" and .ending==\"agent-stopped\")] | length >= 1" >/dev/null'
until_ "and she is asked again" 30 asked_again
check "nothing was recorded of it" is "$(aval sent --json "$(newest .session)" 2>/dev/null | jq length)" 0
logout
until_ "its end is heard, after the question" 20 open_ssh 0

# --- back, and away ------------------------------------------------------------------------
dpkg -i /packages/aval_*.deb >/root/said 2>&1
check "an older version is refused" test $? -ne 0
check "and says so" said "is older"
check "nothing was changed" is "$(dpkg-query -W -f '${Version} ${Status}' aval)" "$next install ok installed"
until_ "the service runs on" 20 connected

cp /etc/machine-id /root/machine-id
systemctl stop aval
tr 0-9a-f 1-9a-f0 </root/machine-id >/etc/machine-id
systemctl start aval
cloned() { status '.notes | join(" ")' | grep -q cloned; }
until_ "on a clone the enrolment has ended, and it says so" 20 cloned
check "nobody can ask there" is "$(status .company)" null
runuser -u _aval-summarizer -- aval-summarizer token create --data /var/lib/aval-summarizer >/root/token2.json
install -m 600 /root/token2.json /etc/aval/enroll.d/clone.json
until_ "a token file laid down later enrols it anew" 20 connected
check "as another device" bash -c "[ \"\$(aval status --json | jq -r .device)\" != $device ]"

systemctl stop aval-summarizer
login
until_ "a login while the server is away" 60 shown
until_ "is recorded after her yes" 60 say_yes
echo "sleep 9.25 &" >&8
until_ "its commands wait" 20 ran "sleep 9.25"
logout
until_ "it has ended" 20 open_ssh 0
echo '{}' >/etc/aval/policies/managed/ssh.json
check "remove" dpkg -r aval
check "nothing runs" bash -c '! pgrep -x aval'
check "state and configuration stay" test -s /var/lib/aval/store.db -a -e /etc/xdg/autostart/aval-desktop.desktop -a -e /etc/aval/policies/managed/ssh.json
dpkg -P aval >/root/said 2>&1
check "purge keeps what waits" test -s /var/lib/aval/store.db
check "and says how much" said "[1-9][0-9]* events wait to be sent"
systemctl start aval-summarizer
mkdir -p /root/folder
cp /packages/next/aval_*.deb /root/folder/
echo '{"SSHAccounts": ["maria"]}' >/root/folder/policy.json
runuser -u _aval-summarizer -- aval-summarizer token create --data /var/lib/aval-summarizer >/root/folder/token.json
check "installed again, by the script of docs/mdm/script.md" sh /roll-out.sh /root/folder
check "which may run again" sh /roll-out.sh /root/folder
until_ "it is connected, enrolled as before" 30 connected
until_ "and what waited has left" 30 bash -c 'aval status --json | jq -e ".waiting == 0" >/dev/null'
check "purge at once" dpkg -P aval
check "nothing is left of it" bash -c '! ls -d /var/lib/aval /etc/aval/enroll.d /usr/bin/aval* /usr/share/doc/aval /etc/systemd/system/multi-user.target.wants/aval.service 2>/dev/null | grep -v aval-summarizer'
check "not even the group" bash -c '! getent group _aval'
if [ $failed != 0 ]; then
	echo "--- journal"; journalctl -u aval --no-pager -n 60
	for f in /root/desktop.log /root/said /root/out; do echo "--- $f"; tail -15 $f 2>/dev/null; done
fi
exit $failed
