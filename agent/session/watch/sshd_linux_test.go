package watch_test

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session/watch"
)

// heard passes on what a sink is told.
type heard struct {
	begin chan watch.Found
	end   chan string
}

func (h heard) Begin(f watch.Found)                                 { h.begin <- f }
func (h heard) Kinds(_, id string, k []string)                      { h.end <- fmt.Sprint("kinds of a login ", id, k) }
func (h heard) Event(string, string, event.Kind, map[string]string) {}
func (h heard) End(tool, id, reason string)                         { h.end <- tool + "/" + id + " " + reason }

// TestSSHD follows a real login over a real sshd on loopback. The messages of
// the hook are made by the test, since installing it would change this
// computer's own logins; test/systemd runs the hook itself, and logind.
func TestSSHD(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("sshd with logins needs root")
	}
	for _, p := range []string{"/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%s is not installed (openssh-server, openssh-client)", p)
		}
	}
	if _, err := os.Stat("/run/sshd"); err != nil { // its privilege separation folder
		if err := os.Mkdir("/run/sshd", 0o755); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.Remove("/run/sshd") })
	}
	dir := t.TempDir()
	for _, k := range []string{"host", "key"} {
		if out, err := exec.Command("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, k)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	pub, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "authorized"), pub, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	sshd := launch(t, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", filepath.Join(dir, "host"),
		"-o", "ListenAddress=127.0.0.1:"+port, "-o", "AuthorizedKeysFile="+filepath.Join(dir, "authorized"), "-o", "StrictModes=no",
		"-o", "PidFile=none", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes")
	until(t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	h := heard{make(chan watch.Found, 4), make(chan string, 4)}
	s := watch.NewSSH(slog.New(slog.DiscardHandler), h, func(f watch.Found) bool { return f.User == "root" })
	go s.Run(t.Context(), nil)

	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	login := func(args ...string) (*exec.Cmd, int) {
		t.Helper()
		before := childrenOf(sshd.Process.Pid)
		cmd := exec.Command("/usr/bin/ssh", append([]string{"-F", "none", "-i", filepath.Join(dir, "key"), "-p", port, "-o", "IdentitiesOnly=yes",
			"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}, args...)...)
		in, err := cmd.StdinPipe() // kept open
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
		leader := 0
		until(t, "the login's process", func() bool {
			for pid := range childrenOf(sshd.Process.Pid) {
				if !before[pid] {
					leader = pid
				}
			}
			// The rest of a login is over when its command runs below it.
			return leader != 0 && len(childrenOf(leader)) > 0
		})
		return cmd, leader
	}
	open := func(leader int) {
		s.PAM(ipc.SessionPAM{Type: "open_session", User: me.Username, Service: "sshd", TTY: "ssh", RHost: "127.0.0.1", ParentPID: leader,
			AuthInfo: "publickey " + strings.Join(strings.Fields(string(pub))[:2], " "), Connection: "127.0.0.1 40000 127.0.0.1 " + port})
	}

	// Without a terminal: no session, however long it goes on.
	_, bare := login("root@127.0.0.1", "sleep 300")
	open(bare)
	cmd, leader := login("-tt", "root@127.0.0.1", "sleep 300")
	open(leader)
	opened := time.Now()
	var f watch.Found
	select {
	case f = <-h.begin:
		t.Logf("found %s after the hook", time.Since(opened).Round(time.Millisecond))
	case <-time.After(20 * time.Second):
		t.Fatal("the login was not found")
	}
	start, _ := watch.ProcStart(leader)
	if want := fmt.Sprintf("%d-%d", leader, start); f.ID != want || f.Tool != watch.ToolSSH || f.User != "root" || f.UID != 0 || f.Address != "127.0.0.1" {
		t.Errorf("found %+v, want id %s", f, want)
	}
	if !strings.HasPrefix(f.TTY, "pts/") || time.Since(f.StartedAt) > time.Minute || time.Since(f.StartedAt) < 0 {
		t.Errorf("terminal %q, started %s", f.TTY, f.StartedAt)
	}
	out, err := exec.Command("/usr/bin/ssh-keygen", "-lf", filepath.Join(dir, "key.pub")).Output()
	if err != nil || f.KeyFingerprint != strings.Fields(string(out))[1] {
		t.Errorf("key %q, ssh-keygen says %s, %v", f.KeyFingerprint, out, err)
	}
	cmd.Process.Kill()
	select {
	case got := <-h.end:
		if got != "ssh/"+f.ID+" "+watch.Exited {
			t.Errorf("ended with %q", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the end was not heard")
	}
	select {
	case f := <-h.begin:
		t.Errorf("a login without a terminal began a session: %+v", f)
	default:
	}
}

func childrenOf(pid int) map[int]bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	out := map[int]bool{}
	for f := range strings.FieldsSeq(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			out[n] = true
		}
	}
	return out
}
