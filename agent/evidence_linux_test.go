package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRealServer: the word of a desktop counts on Xorg alone, root's program, run
// by root or by the user of the session. A server that a supporter starts on the
// person's desktop (Xephyr, Xvfb, or a copy of one under Xorg's name) is none.
// Take any line out of realServer, and a case fails.
func TestRealServer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make programs that are root's, and run them as others")
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep to stand in for a server")
	}
	raw, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	const person, other = 4242, 4243
	for name, c := range map[string]struct {
		file  string
		mode  os.FileMode
		owner int
		runs  uint32
		want  bool
	}{
		"run by root":           {"Xorg", 0o755, 0, 0, true},
		"run by the person":     {"Xorg", 0o755, 0, person, true},
		"started by startx":     {"X", 0o755, 0, person, true},
		"run by another user":   {"Xorg", 0o755, 0, other, false},
		"nested":                {"Xephyr", 0o755, 0, person, false},
		"virtual":               {"Xvfb", 0o755, 0, 0, false},
		"a copy of the user's":  {"Xorg", 0o755, person, person, false},
		"anybody may change it": {"Xorg", 0o777, 0, person, false},
		"a group may change it": {"Xorg", 0o775, 0, person, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "aval-server-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			file := filepath.Join(dir, c.file)
			for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(file, raw, 0o700), os.Chown(file, c.owner, 0), os.Chmod(file, c.mode)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), file, "60")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.runs, Gid: c.runs}}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
			}()
			if got := realServer(cmd.Process.Pid, person); got != c.want {
				t.Errorf("it counts: %v", got)
			}
		})
	}
	for _, pid := range []int{0, -1, os.Getpid(), 1 << 30} {
		if realServer(pid, 0) {
			t.Errorf("process %d counts as a server", pid)
		}
	}
}
