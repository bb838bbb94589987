package rig

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SSH is a real OpenSSH server on the loopback that lets in whoever holds the
// rig's key, with Aval's line of PAM.
type SSH struct {
	Server *Proc
	Port   int
	key    string
	r      *Rig
}

// StartSSH starts it as root. What sshd reads of /etc is put over in a mount
// name space of its own: the computer's own PAM is not touched.
func (r *Rig) StartSSH(a *Agent) (*SSH, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &SSH{Port: port, key: r.Path("ssh", "key"), r: r}
	if err := os.MkdirAll(r.Path("ssh"), 0o700); err != nil {
		return nil, err
	}
	for _, k := range []string{"key", "host"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", r.Path("ssh", k)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make a key: %w: %s", err, out)
		}
	}
	if err := os.Rename(s.key+".pub", r.Path("ssh", "authorized")); err != nil {
		return nil, err
	}
	hook := fmt.Sprintf("account required pam_permit.so\nsession required pam_loginuid.so\nsession optional pam_exec.so quiet %s session pam-hook --socket %s\n", r.absolute("aval"), a.Socket)
	for name, text := range map[string]string{
		"pam": hook,
		"config": fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nUsePAM yes\nPermitRootLogin yes\nStrictModes no\nPasswordAuthentication no\nAuthorizedKeysFile %s\nPrintMotd no\nPidFile none\nSetEnv HOME=%s\n",
			port, r.Path("ssh", "host"), r.Path("ssh", "authorized"), r.Path("home")), // nobody's own start-up files
	} {
		if err := os.WriteFile(r.Path("ssh", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(r.Path("home"), 0o700); err != nil {
		return nil, err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where its unprivileged part lives
		return nil, err
	}
	s.Server, err = r.Start(Cmd{Name: "sshd", Path: "unshare", Args: []string{"--mount", "sh", "-c",
		`mount --bind "$1" /etc/pam.d/sshd && exec /usr/sbin/sshd -D -e -f "$2"`, "sh", r.Path("ssh", "pam"), r.Path("ssh", "config")}})
	if err != nil {
		return nil, err
	}
	return s, r.listens(s.Server, port)
}

// absolute is the path of one of the programs.
func (r *Rig) absolute(name string) string {
	p, err := filepath.Abs(r.Program(name))
	if err != nil {
		return r.Program(name)
	}
	return p
}

// Shell is a login with a terminal.
type Shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	r   *Rig

	mu  sync.Mutex
	out strings.Builder
}

// prompt is what the shell says when it waits; nothing else says it.
const shellPrompt = "@ready@ "

// Login logs in as root and gives its shell a prompt of its own.
func (s *SSH) Login() (*Shell, error) {
	cmd := exec.Command("ssh", "-tt", "-F", "none", "-i", s.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-p", strconv.Itoa(s.Port), "root@127.0.0.1")
	sh := &Shell{cmd: cmd, r: s.r}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	sh.in = in
	cmd.Stdout = sh
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.r.Defer(func() { sh.Logout() })
	_, err = fmt.Fprintf(in, "stty -echo; PS1='%s'; PS2=; PROMPT_COMMAND=; export PAGER=cat\n", strings.Replace(shellPrompt, "@r", "@''r", 1))
	if err != nil {
		return nil, err
	}
	return sh, sh.ready(1)
}

// Write takes what the shell says.
func (sh *Shell) Write(b []byte) (int, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.out.Write(b)
}

// Said is all that the shell has said.
func (sh *Shell) Said() string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.out.String()
}

func (sh *Shell) ready(n int) error {
	return sh.r.Wait("the shell's prompt", 5*time.Minute, func() (bool, error) {
		said := sh.Said()
		return strings.Count(said, shellPrompt) >= n, fmt.Errorf("it said %.300q", said[max(0, len(said)-300):])
	})
}

// Run types one line and waits until the shell waits again.
func (sh *Shell) Run(line string) error {
	n := strings.Count(sh.Said(), shellPrompt)
	if _, err := io.WriteString(sh.in, line+"\n"); err != nil {
		return err
	}
	return sh.ready(n + 1)
}

// Logout ends the shell.
func (sh *Shell) Logout() {
	sh.in.Close()
	done := make(chan struct{})
	go func() { sh.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		sh.cmd.Process.Kill()
	}
}
