package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// SSHD is a real OpenSSH server with Aval's line in a PAM service of its own.
type SSHD struct {
	Server *Proc
	User   string // the account that is logged into: this one

	r    *Rig
	port int
	key  string
}

// StartSSHD starts OpenSSH on the loopback for the account that this runs as. Its
// PAM service is that of the name by which the program was called, so that this
// computer's own logins stay as they are. It needs root.
func (r *Rig) StartSSHD(a *Agent) (*SSHD, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &SSHD{User: me.Username, r: r, port: port, key: r.Path("ssh-key")}
	for _, k := range []string{r.Path("ssh-host"), s.key} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", k).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make a key: %w: %s", err, out)
		}
	}
	name := fmt.Sprintf("sshd-aval-%d", os.Getpid())
	// The service hears logins of "sshd" alone, and this is one.
	pam := "account required pam_permit.so\nsession required pam_permit.so\n" +
		"session optional pam_exec.so quiet /usr/bin/env PAM_SERVICE=sshd " + r.Program("aval") + " session pam-hook --socket " + a.Socket + "\n"
	service := filepath.Join("/etc/pam.d", name)
	r.Defer(func() { os.Remove(service) })
	if err := errors.Join(os.WriteFile(service, []byte(pam), 0o644), os.Symlink("/usr/sbin/sshd", r.Path(name)), os.MkdirAll("/run/sshd", 0o755)); err != nil {
		return nil, err
	}
	s.Server, err = r.Start(Cmd{Name: "sshd", Path: r.Path(name), Args: []string{"-D", "-e", "-f", "/dev/null", "-h", r.Path("ssh-host"),
		"-o", "ListenAddress=127.0.0.1:" + strconv.Itoa(port), "-o", "AuthorizedKeysFile=" + s.key + ".pub", "-o", "StrictModes=no",
		"-o", "PidFile=none", "-o", "UsePAM=yes", "-o", "PermitRootLogin=yes"}})
	if err != nil {
		return nil, err
	}
	return s, r.listens(s.Server, port)
}

// Login logs in with a terminal and runs a command in it.
func (s *SSHD) Login(command string) (*Proc, error) {
	return s.r.Start(Cmd{Name: "ssh", Path: "ssh", Args: []string{"-F", "none", "-tt", "-i", s.key, "-p", strconv.Itoa(s.port),
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", s.User + "@127.0.0.1", command}})
}
