package watch

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"aval/agent/ipc"
)

// HookLine is the line that an administrator adds to /etc/pam.d/sshd, after the
// line with pam_systemd. It is optional: our fault locks nobody out.
const HookLine = "session optional pam_exec.so quiet /usr/bin/aval session pam-hook"

// maxPAM is the longest value taken out of the hook's environment, in bytes.
const maxPAM = 16 << 10

// FromPAMEnv reads what pam_exec(8) puts into the environment of a hook, and
// what OpenSSH adds to it. ppid is the hook's parent: the process that opens or
// closes the session. A call for another purpose than a session (auth, account,
// password) or without a user is an error.
func FromPAMEnv(getenv func(string) string, ppid int) (ipc.SessionPAM, error) {
	get := func(name string) string {
		if v := getenv(name); len(v) <= maxPAM {
			return v
		}
		return ""
	}
	m := ipc.SessionPAM{
		Type:       get("PAM_TYPE"),
		User:       get("PAM_USER"),
		RHost:      get("PAM_RHOST"),
		Service:    get("PAM_SERVICE"),
		TTY:        get("PAM_TTY"),
		AuthInfo:   get("SSH_AUTH_INFO_0"),
		Connection: get("SSH_CONNECTION"),
		LogindID:   get("XDG_SESSION_ID"),
		ParentPID:  ppid,
	}
	switch {
	case m.Type == "":
		return ipc.SessionPAM{}, errors.New("read PAM environment: PAM_TYPE is not set: this command is for the line of pam_exec.so in /etc/pam.d/sshd")
	case m.Type != "open_session" && m.Type != "close_session":
		return ipc.SessionPAM{}, fmt.Errorf("read PAM environment: %q is no session call: use it in a line that begins with session", m.Type)
	case m.User == "" || ppid <= 1:
		return ipc.SessionPAM{}, errors.New("read PAM environment: no user or no parent process")
	}
	return m, nil
}

// fingerprint finds the key in SSH_AUTH_INFO_0, whose lines are "METHOD" or
// "publickey TYPE BLOB" (sshd_config(5), ExposeAuthInfo), and writes it as
// ssh-keygen -l does: SHA256 in base64 without padding.
func fingerprint(info string) string {
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "publickey" {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil {
			continue
		}
		sum := sha256.Sum256(blob)
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
	}
	return ""
}

// peer is the client's address out of SSH_CONNECTION: address, port, own
// address, own port (ssh(1)).
func peer(connection string) string {
	f := strings.Fields(connection)
	if len(f) != 4 {
		return ""
	}
	return f[0]
}
