#!/bin/bash
# Runs inside the container: installs, kills and removes the service, logs in
# over SSH, and says what came of it, as checks.sh does.
#
# What must be there: aval, aval-desktop and aval-summarizer in /usr/bin;
# openssh-server, openssh-client, xvfb, x11-utils, zenity, jq.
set -u
. /checks.sh
show() { systemctl show -P "$1" aval; }
newest() { aval consent list --json | jq -r "[.[] | select(.tool==\"ssh\")][0] | $1"; }
count_ssh() { aval consent list --json | jq '[.[] | select(.tool=="ssh")] | length'; }
open_ssh() { aval session list --json | jq '[.[] | select(.tool=="ssh")] | length'; }
is_open() { is "$(open_ssh)" "$1"; }
pid_is_new() { local p; p=$(show MainPID); [ "$p" != 0 ] && [ "$p" != "$old" ] && [ "$(show ActiveState)" = active ]; }

# --- the unit ---------------------------------------------------------------
check "install" aval install
check "install makes the unit" test -f /etc/systemd/system/aval.service
check "install enables it" systemctl is-enabled aval
check "systemd reads the unit without complaint" bash -c '! systemd-analyze verify --man=no /etc/systemd/system/aval.service 2>&1 | grep aval.service'
check "aval-desktop runs with the group" is "$(stat -c '%U:%G %a' /usr/bin/aval-desktop)" "root:_aval 2755"
check "install twice is refused" bash -c '! aval install'
check "start" aval start
check "it is active once start returns" is "$(show ActiveState)" active
check "status answers" aval status --json
check "its socket may be connected by all" is "$(stat -c %a /run/aval/agent.sock)" 666
check "its state is closed" is "$(stat -c %a /var/lib/aval)" 700
pid=$(show MainPID)
check "it holds five capabilities" is "$(grep CapBnd "/proc/$pid/status" | cut -f2)" 00000000000810c4
check "it writes no core" is "$(grep 'Max core file size' "/proc/$pid/limits" | awk '{print $5}')" 0
check "it gains no rights" is "$(grep NoNewPrivs "/proc/$pid/status" | cut -f2)" 1
check "system calls are filtered" is "$(grep -w Seccomp "/proc/$pid/status" | cut -f2)" 2
check "it cannot write to /etc" bash -c "! nsenter -t $pid -m touch /etc/canary"
echo "exposure: $(systemd-analyze security --no-pager aval 2>/dev/null | tail -1)"

old=$pid
kill -9 "$old"
until_ "killed with -9, it is back" 10 pid_is_new
check "systemd restarted it once" is "$(show NRestarts)" 1
check "and it answers" aval status --json

# --- a company, so that there is somebody who asks ----------------------------
mkdir -p /root/summarizer
aval-summarizer serve --data /root/summarizer --company "Example Support" >/root/summarizer.log 2>&1 &
summarizer=$!
until_ "the summarizer is ready" 30 test -s /root/summarizer/first-start/enrolment-token
until_ "enrol" 20 aval enroll --token-file /root/summarizer/first-start/enrolment-token
connected() { is "$(aval status --json | jq -r .link)" connected; }
until_ "connected" 20 connected

# --- logins -------------------------------------------------------------------
useradd -m -s /bin/bash maria
useradd -m -s /bin/bash joao
for u in maria joao; do
	install -d -m 700 -o $u -g $u /home/$u/.ssh
	[ -f /root/key ] || ssh-keygen -q -t ed25519 -N '' -f /root/key
	install -m 600 -o $u -g $u /root/key.pub /home/$u/.ssh/authorized_keys
done
systemctl start ssh 2>/dev/null || systemctl start sshd
SSH=(ssh -F none -i /root/key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
# login USER: a shell with a terminal in the background, open until logout.
# Descriptor 8 is its standard input: closing it ends the shell.
login() {
	rm -f /root/in; mkfifo /root/in
	"${SSH[@]}" -tt "$1@127.0.0.1" </root/in >/root/out 2>&1 &
	client=$!
	exec 8>/root/in
}
logout() { echo exit >&8; exec 8>&-; wait "$client" 2>/dev/null; }
logind_has() { loginctl list-sessions --no-legend | grep -qw "$1"; }

mkdir -p /etc/aval/policies/managed
echo '{"SSHAccounts": ["maria"]}' >/etc/aval/policies/managed/ssh.json
check "the policy is read" aval policy validate /etc/aval/policies/managed/ssh.json

login joao
until_ "logind announces a login that no policy names" 20 logind_has joao
"${SSH[@]}" maria@127.0.0.1 true
check "a named account's login without a terminal" is "$?" 0
logout
login maria
until_ "a named account's login is a session" 20 is_open 1
check "it is decided: nobody to ask" is "$(newest '.verdict + " " + .reason')" "deny nobody-there"
check "and named as ssh with the address" is "$(newest '.supporter')" 127.0.0.1
check "only that one was decided" is "$(count_ssh)" 1
id=$(newest .session)
leader=$(loginctl show-session -P Leader "$(loginctl list-sessions --no-legend | awk '/maria/{print $1; exit}')")
check "its id is that of logind's leader" is "${id%-*}" "ssh/$leader"
logout
until_ "its end is heard" 20 is_open 0
check "nothing was recorded" is "$(aval sent --json | jq length)" 0

# --- the same with the PAM hook: still one session ------------------------------
echo "session optional pam_exec.so quiet /usr/bin/aval session pam-hook" >>/etc/pam.d/sshd
# By the key alone, which only the hook knows.
echo "{\"SSHKeys\": [\"$(ssh-keygen -lf /root/key.pub | cut -d' ' -f2)\"]}" >/etc/aval/policies/managed/ssh.json
before=$(count_ssh)
login joao
until_ "a login by a named key is a session" 20 is_open 1
check "logind and hook make one" is "$(($(count_ssh) - before))" 1
logout
until_ "its end is heard, with the hook" 20 is_open 0
check "with the service away, a login goes on" bash -c "systemctl stop aval && ${SSH[*]@Q} maria@127.0.0.1 true; r=\$?; systemctl start aval; exit \$r"
echo '{"SSHAccounts": ["maria"], "QuestionSeconds": 10}' >/etc/aval/policies/managed/ssh.json

# --- a tool in the journal: lines of the host of Chrome Remote Desktop ---------------
# The service reads the journal with the rights of its unit, once the tool is there.
crd() { aval session list --json | jq -r "[.[] | select(.tool==\"chrome-remote-desktop\")] | $1"; }
crd_is() { is "$(crd length)" "$1"; }
# host USER LINE: a process of USER that writes LINE, and again each second until it is killed.
host() { runuser -u "$1" -- systemd-cat -t chromoting bash -c 'while echo "$1"; do sleep 1; done' - "$2" & }
says() { runuser -u "$1" -- logger -t chromoting "$2"; }
install -D -m 755 /bin/true /opt/google/chrome-remote-desktop/chrome-remote-desktop-host
host maria "Client connected: helper@example.com/1"
until_ "a login in the journal is a session" 30 crd_is 1
check "of the one who connected" is "$(crd '.[0].supporter')" helper@example.com
host joao "Client connected: other@example.com/1"
until_ "another user's line is another session" 30 crd_is 2
pkill -u joao -f 'Client connected'
until_ "its program's end ends it" 30 crd_is 1
says joao "Client disconnected: helper@example.com/1"
sleep 2 # what must not happen would have
check "nobody else's word ends a session" is "$(crd 'map(.supporter) | index("helper@example.com") != null')" true
pkill -u maria -f 'Client connected'
until_ "hers ends with its program" 30 crd_is 0

# --- a desktop ------------------------------------------------------------------
if [ -x /usr/bin/aval-desktop ]; then
	runuser -u maria -- Xvfb :7 -screen 0 1024x768x24 >/root/xvfb.log 2>&1 &
	xvfb=$!
	until_ "maria's X server" 20 test -S /tmp/.X11-unix/X7
	runuser -u maria -- env DISPLAY=:7 LANG=C.UTF-8 HOME=/home/maria aval-desktop >/root/desktop.log 2>&1 &
	desktop=$!
	helped() { is "$(aval status --json | jq '[.desktops[] | select(.user=="maria" and .helper)] | length')" 1; }
	until_ "her desktop is known" 20 helped
	login maria
	until_ "a login while somebody is there" 20 is_open 1
	asked() { [ "$(newest '.verdict + " " + .reason')" = "ask must-confirm" ]; }
	until_ "is asked" 20 asked
	ended() { [ "$(newest .outcome)" != asking ]; }
	shown() { runuser -u maria -- env DISPLAY=:7 xwininfo -root -tree | grep -qi zenity; }
	until_ "the question is on her screen" 20 shown
	until_ "without an answer it ends" 60 ended
	check "as no answer, which is no refusal" is "$(newest '.outcome + " " + .ending')" "no-answer timed-out"
	check "nothing was recorded of it" is "$(aval sent --json | jq length)" 0
	logout
	until_ "its end is heard, on a desktop" 20 is_open 0

	# She allows it for good: commands of a login are recorded, without secrets,
	# by a service that holds no more rights than its unit gives.
	check "she allows sessions" runuser -u maria -- aval settings set session-insights allowed
	login maria
	recording() { is "$(aval session list --json | jq '[.[] | select(.tool=="ssh" and .recording)] | length')" 1; }
	until_ "a login is recorded" 20 recording
	echo "sh -c 'sleep 3; : --password Gato2024' & sleep 7.25 &" >&8
	ran() { aval sent --json | jq -e '[.[] | select(.kind=="command-run" and .command=="sleep 7.25")] | length == 1' >/dev/null; }
	until_ "its commands are recorded" 20 ran
	removed() { aval sent --json | jq -r '.[].command // empty' | grep -q -- '--password \[secret\]'; }
	until_ "without the password" 20 removed
	# Services, by systemd itself: what her login restarts is told; what somebody
	# else restarts meanwhile is not, but a failure is, whoever's it is. So are errors
	# of the journal.
	# (To see it fail: leave became out of units.signal: most jobs end before their
	# type can be asked.)
	for unit in mine theirs broken; do
		printf '[Service]\nExecStart=%s\n' "$([ $unit = broken ] && echo /bin/false || echo '/bin/sleep infinity')" >/etc/systemd/system/demo-$unit.service
	done
	# In a container programs are known by the list of processes alone, in which a
	# systemctl that has nothing to wait for is not seen.
	echo 'ExecStartPre=/bin/sleep 2' >>/etc/systemd/system/demo-mine.service
	systemctl daemon-reload
	install -m 4755 /usr/bin/setpriv /usr/local/bin/as-root # there is no sudo
	told() { aval sent --json | jq -e "[.[] | select($1)] | length > 0" >/dev/null; }
	systemctl start demo-mine demo-theirs
	systemctl restart demo-theirs
	systemctl restart demo-broken
	until_ "a service that fails is told" 20 told '.kind=="service-changed" and .action=="failed" and .name=="demo-broken"'
	echo "as-root --reuid 0 --regid 0 --clear-groups systemctl restart demo-mine" >&8
	until_ "a service that she restarts is told" 20 told '.kind=="service-changed" and .action=="restarted" and .name=="demo-mine"'
	echo "of services: $(aval sent --json | jq -c '[.[] | select(.kind=="service-changed") | .action + " " + .name]')"
	check "one that another restarted is not" bash -c '! aval sent --json | grep -q demo-theirs'
	logger -p user.err -t demo-disk "cannot read sector 7, --password Gato2024"
	until_ "an error of the journal is told" 20 told '.kind=="error-logged" and .program=="demo-disk" and (.text | contains("sector 7"))'
	systemctl stop demo-mine demo-theirs
	rm /usr/local/bin/as-root /etc/systemd/system/demo-*.service
	check "which is nowhere" bash -c '! grep -rqs Gato2024 /var/lib/aval /root/summarizer && ! journalctl -u aval --no-pager | grep -q Gato2024'
	logout
	until_ "the recording ends with the login" 20 is_open 0
	kill $desktop $xvfb
else
	bad "a desktop" "aval-desktop is not in /usr/bin"
fi

# --- the end --------------------------------------------------------------------
kill "$summarizer"
pid=$(show MainPID)
begin=$(date +%s%N)
check "stop" aval stop
took=$((($(date +%s%N) - begin) / 1000000))
check "within 5 s" test $took -lt 5000
check "its process is gone" bash -c "! test -d /proc/$pid"
check "it ended in peace" is "$(show Result)" success
check "start after stop" aval start
check "uninstall" aval uninstall
check "the unit is gone" bash -c '! test -e /etc/systemd/system/aval.service'
check "nothing runs" bash -c '! pgrep -x aval'
check "the data stays" test -d /var/lib/aval
check "uninstall twice says so" bash -c 'aval uninstall 2>&1 | grep -q "not installed"'
if [ $failed != 0 ]; then
	echo "--- journal"; journalctl -u aval --no-pager -n 40; loginctl list-sessions --no-pager
	for f in /root/desktop.log /root/summarizer.log /root/out; do echo "--- $f"; tail -5 $f 2>/dev/null; done
fi
exit $failed
