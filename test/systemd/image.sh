#!/bin/bash
# Runs inside a container that was booted with the agent's package already in it,
# as an image is: how soon it is ready; and what an ordinary user of the computer,
# or a careless set-up, could do to the installation. checks.sh says how it reports.
#
# What must be there: /packages with the packages of two versions, the later in
# /packages/next; jq.
set -u
. /checks.sh
show() { systemctl show -P "$1" aval; }
status() { aval status --json | jq -r "$1"; }
note_has() { status '[.notes[]?] | join(" ")' | grep -q "$1"; }
said() { grep -q "$1" /root/said; }
answers() { aval status --json >/dev/null; }
decided() { aval session begin --tool demo --id "$1" --supporter Ana --json | jq -r '.verdict + " " + .reason'; aval session end --id "$1" >/dev/null 2>&1; }
install_() { env "$@" DEBIAN_FRONTEND=noninteractive dpkg -i /packages/aval_*.deb >/root/said 2>&1; }

# --- from the boot to the first answer ----------------------------------------------
until_ "it came up with the system" 30 answers
check "enabled by the package, in a system that was not running" systemctl is-enabled --quiet aval
manager() { systemctl show -P "$1"; }
ms() { echo $((($1 - $2) / 1000)); }
echo "boot to ready: $(ms "$(show ActiveEnterTimestampMonotonic)" "$(manager UserspaceTimestampMonotonic)") ms after the system's own start, of which aval: $(ms "$(show ActiveEnterTimestampMonotonic)" "$(show InactiveExitTimestampMonotonic)") ms from the start of its unit until its socket answers"
systemctl restart aval
echo "a second start: $(ms "$(show ActiveEnterTimestampMonotonic)" "$(show InactiveExitTimestampMonotonic)") ms"
check "its socket answers as soon as systemd says that it runs" answers
useradd -m -s /bin/bash maria
as_maria() { runuser -u maria -- "$@"; }

# --- programs with the names of the system's, first in the caller's PATH ----------------
mkdir -p /root/evil
for tool in getent groupadd groupdel install systemctl deb-systemd-helper deb-systemd-invoke chmod cat rmdir aval service update-rc.d; do
	printf '#!/bin/sh\necho %s >>/root/hijacked\n' $tool >/root/evil/$tool
	chmod 755 /root/evil/$tool
done
check "installed again in a PATH that begins with somebody else's programs" install_ PATH="/root/evil:$PATH"
check "removed in it" env PATH="/root/evil:$PATH" dpkg -r aval
check "and installed" install_ PATH="/root/evil:$PATH"
check "none of those ran" test ! -e /root/hijacked
until_ "the service runs" 20 answers

# --- an older version ----------------------------------------------------------------
dpkg -i /packages/next/aval_*.deb >/root/said 2>&1
dpkg -r aval >/root/said 2>&1
check "an older version than the one that was removed is refused" bash -c '! dpkg -i /packages/aval_*.deb >/root/said 2>&1'
check "and says so" said "is older"
check "nothing of it was unpacked" test ! -e /usr/bin/aval
check "unless somebody insists" install_ AVAL_ALLOW_DOWNGRADE=1
until_ "the service runs" 20 answers

# --- token files that somebody else could have laid -------------------------------------
real='{"server": "https://127.0.0.1:8443", "pin": "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "token": "example"}'
none_taken() { bash -c '! ls /etc/aval/enroll.d/*.json'; }
echo "$real" >/root/token.json; chmod 600 /root/token.json
as_maria sh -c "umask 077; echo '$real' >/tmp/hers.json; ln -s /root/token.json /tmp/link.json"
check "installed with a token file of an ordinary user" install_ AVAL_TOKEN_FILE=/tmp/hers.json
check "which is not taken" none_taken
check "and it says why" said "belongs to user id"
check "installed with a link of hers to a token file" install_ AVAL_TOKEN_FILE=/tmp/link.json
check "which is not taken either" none_taken
check "and it says that it is a link" said "symbolic link"
install -m 644 /root/token.json /tmp/open.json
check "installed with a token file that all can read" install_ AVAL_TOKEN_FILE=/tmp/open.json
check "which is not taken, too" none_taken
check "and it says that others can read it" said "can be read by other users"
check "nobody can ask there" is "$(status .company)" null

# --- folders that everybody may write to ---------------------------------------------------
chmod 1777 /etc/aval/enroll.d
as_maria sh -c "echo '$real' >/etc/aval/enroll.d/hers.json"
until_ "a folder of token files that all may change is not read" 20 note_has "can be written by others"
check "the package closes it" install_ A=B
check "again" is "$(stat -c '%U %a' /etc/aval/enroll.d)" "root 700"
until_ "her file in it is not read either" 20 note_has "belongs to user id"
rm /etc/aval/enroll.d/hers.json
check "policies as the package has them can be read" is "$(aval policy show --json | jq -r .state)" none
chmod 777 /etc/aval/policies/managed
as_maria sh -c "echo '{\"AccessControl\": \"allowed\"}' >/etc/aval/policies/managed/hers.json"
unreadable() { is "$(aval policy show --json | jq -r .state)" unreadable; }
until_ "a policy in a folder that all may change counts as unreadable" 20 unreadable
check "so that nothing is recorded" bash -c "! grep -q allow <<<'$(decided 1)'"
chmod 755 /etc/aval/policies/managed
until_ "as does a policy of hers" 20 unreadable
rm /etc/aval/policies/managed/hers.json
readable() { is "$(aval policy show --json | jq -r .state)" none; }
until_ "without it all is well" 20 readable

# --- links in the place of its own folders -----------------------------------------------------
# Only root can put them there; then nothing may be written where they lead.
for dir in /var/lib/aval /run/aval; do
	systemctl stop aval
	[ ! -e $dir ] || mv $dir $dir.real
	as_maria mkdir -p /home/maria/trap
	ln -s /home/maria/trap $dir
	systemctl start aval >/root/said 2>&1
	check "with a link for $dir nothing is written where it leads" is "$(ls -A /home/maria/trap)" ""
	check "and its owner stays" is "$(stat -c %U /home/maria/trap)" maria
	systemctl stop aval
	rm $dir
	[ ! -e $dir.real ] || mv $dir.real $dir
	systemctl reset-failed aval 2>/dev/null
	systemctl start aval
	until_ "with its own folder again it runs" 30 answers
done
systemctl stop aval
chmod 777 /var/lib/aval
systemctl start aval
until_ "with a state folder open to all it starts" 30 answers
check "and has closed it" is "$(stat -c '%U %a' /var/lib/aval)" "root 700"

# --- a program among somebody else's files ---------------------------------------------------------
install -D -o maria -g maria -m 755 /usr/bin/aval /home/maria/bin/aval
cp /usr/bin/aval-desktop /usr/bin/aval-ui /home/maria/bin/
check "purge" dpkg -P aval
check "nothing is left of it" bash -c '! ls -d /var/lib/aval /etc/aval/enroll.d /usr/bin/aval 2>/dev/null | grep .'
check "aval install from a folder of an ordinary user is refused" bash -c '! /home/maria/bin/aval install >/root/said 2>&1'
check "and says that others could change it" said "can be changed by others than root"
check "no unit was made" test ! -e /etc/systemd/system/aval.service
check "and no program got a group" is "$(stat -c '%G %a' /home/maria/bin/aval-ui | grep -c _aval)" 0
if [ $failed != 0 ]; then
	echo "--- journal"; journalctl -u aval --no-pager -n 60
	echo "--- said"; tail -15 /root/said
fi
exit $failed
