#!/bin/bash
# Runs inside the container: rolls the package out by Ansible, takes it away, and
# rolls it out by Puppet, each by what its page in docs/mdm says. checks.sh says how it reports.
#
# What must be there: /roll-out/playbook.yml and /roll-out/aval.pp out of the
# pages; /packages with the deb packages; ansible-core, python3-apt, puppet, jq.
set -u
. /checks.sh
status() { aval status --json | jq -r "$1"; }
connected() { is "$(status .link)" connected; }
check "the server's package" dpkg -i /packages/aval-summarizer_*.deb
sed -i 's|^AVAL_SUMMARIZER_OPTIONS=.*|AVAL_SUMMARIZER_OPTIONS="--company Example"|' /etc/default/aval-summarizer
systemctl enable --now aval-summarizer 2>/dev/null
until_ "the server is ready" 60 test -s /var/lib/aval-summarizer/first-start/enrolment-token
token() { runuser -u _aval-summarizer -- aval-summarizer token create --data /var/lib/aval-summarizer; }
# The page's own name of the package's file.
file=$(grep -o '/var/cache/packages/aval_[^ ]*\.deb' /roll-out/playbook.yml | head -1)
mkdir -p /var/cache/packages
cp /packages/aval_*.deb "$file"
in_force() { is "$(aval policy show --json | jq -r '.keys[].value | select(.key=="QuestionSeconds") | .number')" "$1"; }

# --- Ansible ------------------------------------------------------------------------
cd /roll-out
mkdir -p tokens
(umask 077; token >tokens/computer.json)
echo '{"QuestionSeconds": 61}' >policy.json
printf '[desktops]\ncomputer ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n' >inventory
play() { ANSIBLE_NOCOLOR=1 ansible-playbook -i inventory playbook.yml >/root/said 2>&1 || { tail -30 /root/said; return 1; }; }
begin=$SECONDS
check "ansible-playbook" play
until_ "the computer is enrolled and connected" 40 connected
echo "by Ansible: $((SECONDS - begin)) s"
check "under the policy" in_force 61
device=$(status .device)
until_ "the token is used up and gone" 20 bash -c '! ls /etc/aval/enroll.d/*.json'
check "a second run" play
check "changes nothing" grep -q 'changed=0 ' /root/said
check "the token is not in what it said" bash -c "! grep -q '$(jq -r .token tokens/computer.json)' /root/said"
check "the computer is the same" is "$(status .device)" "$device"
check "it can be taken away" env AVAL_PURGE=state dpkg -P aval
rm -rf /etc/aval

# --- Puppet --------------------------------------------------------------------------
cat aval.pp - >site.pp <<END
class { 'aval':
  source => '$file',
  policy => '{"QuestionSeconds": 62}',
  token  => file('/root/token.json'),
}
END
(umask 077; token >/root/token.json)
apply() { puppet apply --detailed-exitcodes --color=false site.pp >/root/said 2>&1; is $? "$1" || { tail -30 /root/said; return 1; }; }
begin=$SECONDS
check "puppet apply" apply 2
until_ "the computer is enrolled and connected by it" 40 connected
echo "by Puppet: $((SECONDS - begin)) s"
check "under its policy" in_force 62
until_ "its token is used up and gone" 20 bash -c '! ls /etc/aval/enroll.d/*.json'
check "a second run changes nothing" apply 0
check "no token is in what it said" bash -c "! grep -q '$(jq -r .token /root/token.json)' /root/said"
if [ $failed != 0 ]; then
	echo "--- journal"; journalctl -u aval --no-pager -n 40
	echo "--- said"; tail -40 /root/said
fi
exit $failed
