package watch

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"aval/agent/event"
)

// founds notes what a sink is told.
type founds []Found

func (f *founds) Begin(x Found)                                       { *f = append(*f, x) }
func (f *founds) Kinds(string, string, []string)                      {}
func (f *founds) Event(string, string, event.Kind, map[string]string) {}
func (f *founds) End(string, string, string)                          {}

// pretend runs a shell under the name of a tool's program, as a user, until the
// test ends. The script's last line must wait.
func pretend(t *testing.T, uid uint32, name, script string, args ...string) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("to run a program as another user needs root")
	}
	raw, err := os.ReadFile("/bin/bash")
	if err != nil {
		t.Skip("there is no bash to stand in for a program")
	}
	dir, err := os.MkdirTemp("", "aval-pretend-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file, text := filepath.Join(dir, name), filepath.Join(dir, "script")
	for _, err := range []error{os.WriteFile(file, raw, 0o700), os.Chmod(file, 0o755), os.WriteFile(text, []byte(script), 0o600), os.Chmod(text, 0o644), os.Chmod(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(file, append([]string{text}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	stdin, err := cmd.StdinPipe() // the script reads it, and waits
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

const (
	nobody = 65534
	wait   = "\nread x\n"
)

// TestOwnServer: what a server of an ordinary user writes is that user's word, and
// its sessions are about that user's desktops alone; root's is the system's.
// (Without Owner in server or in the Found, anybody's program of that name begins
// sessions on somebody else's desktop, as many as it likes.)
func TestOwnServer(t *testing.T) {
	for _, uid := range []uint32{nobody, 0} {
		t.Run(fmt.Sprint(uid), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := l.Addr().(*net.TCPAddr).Port
			pid := pretend(t, uid, "Xtigervnc", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d", port)+wait, ":0")
			c, err := l.Accept() // the kernel will confirm the connection
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			// What server reads of a real one is in TestVNCServer; this one's first
			// argument is a script, so its place among the arguments is given here.
			got, ok := server(pid)
			if !ok {
				t.Fatal("it is not taken for a server")
			}
			if got.Owner != uid || got.Display != ":0" {
				t.Errorf("%+v", got)
			}
			var told founds
			line := NewTools(slog.New(slog.DiscardHandler), &told, ToolNames).reader(t.Context(), got)
			line(fmt.Sprintf(" Connections: accepted: 127.0.0.1::%d", port+1)) // of another program
			line(" VNCSConnST:  Server default pixel format depth 24")
			line(fmt.Sprintf(" Connections: accepted: 127.0.0.1::%d", port))
			line(" VNCSConnST:  Server default pixel format depth 24")
			if len(told) != 1 || told[0].Owner != uid || told[0].Display != ":0" || told[0].Leader != pid {
				t.Errorf("%+v", told)
			}
		})
	}
}

// TestOwnXrdp: the same of xrdp, whose daemon runs as root or with an account of
// its own. A connection must be the daemon's own process, and the desktop that of
// the user whom the line names. (Without Owner, the first case is the system's;
// without the line of the account, the last is nobody's desktop; with any process
// for the daemon's, or any desktop for the user's, the others are told too.)
func TestOwnXrdp(t *testing.T) {
	type daemon struct{ uid, owner uint32 }
	cases := map[string]daemon{"an ordinary user": {nobody, nobody}, "root": {0, 0}}
	for uid := uint32(1); uid < 1000; uid++ {
		if userName(uid) == "xrdp" {
			cases["its own account"] = daemon{uid, 0}
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "xrdp.log")
			ini := filepath.Join(t.TempDir(), "xrdp.ini")
			if err := os.WriteFile(ini, []byte("[Logging]\nLogFile="+log+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			pid := pretend(t, c.uid, "xrdp", wait, "--config", ini)
			other := pretend(t, c.uid, "xrdp", wait)
			desktop := pretend(t, nobody, "Xorg", wait, ":77")
			got, ok := server(pid)
			if !ok || got.Owner != c.owner || got.UID != c.uid || got.Log != log {
				t.Fatalf("%+v, %v", got, ok)
			}
			var told founds
			line := NewTools(slog.New(slog.DiscardHandler), &told, ToolNames).reader(t.Context(), got)
			say := func(pid, desktop int, uid uint32) {
				line(fmt.Sprintf("[2024-05-05T12:34:56.789+0100] [INFO ] lib_mod_log_peer: xrdp_pid=%d connected to Xorg_pid=%d Xorg_uid=%d Xorg_gid=0 client=x", pid, desktop, uid))
			}
			say(other, desktop, nobody)       // not this daemon's
			say(os.Getpid(), desktop, nobody) // no xrdp
			say(pid, desktop, 0)              // not that user's desktop
			say(pid, other, c.uid)            // no desktop
			say(pid, 1<<30, nobody)           // gone
			if len(told) != 0 {
				t.Fatalf("%+v", told)
			}
			say(pid, desktop, nobody)
			if len(told) != 1 || told[0].Owner != c.owner || told[0].UID != nobody || told[0].Display != ":77" || told[0].Leader != pid || !slices.Equal(told[0].Kinds, []string{View, Control}) {
				t.Errorf("%+v", told)
			}
		})
	}
}
