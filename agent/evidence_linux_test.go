package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"aval/agent/ipc"
	"aval/agent/session/watch"
)

// TestRealServer: the word of a desktop counts on Xorg alone, root's program, run
// by root or by the user of the session. A server that a supporter starts on the
// person's desktop (Xephyr, Xvfb, or a copy of one under Xorg's name) is none.
// Take any line out of realServer, and a case fails.
func TestRealServer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make programs that are root's, and run them as others")
	}
	raw := sleeper(t)
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
			pid := asServer(t, raw, c.file, c.mode, c.owner, c.runs)
			if got := realServer(pid, person); got != c.want {
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

// sleeper is a program that stands in for a server.
func sleeper(t *testing.T) []byte {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep to stand in for a server")
	}
	raw, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// asServer runs it under a name, with an owner and as a user, until the test ends.
func asServer(t *testing.T, raw []byte, name string, mode os.FileMode, owner int, uid uint32) (pid int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "aval-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, name)
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(file, raw, 0o700), os.Chown(file, owner, 0), os.Chmod(file, mode)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(file, "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// TestSeated: a press counts with the server that was heard, on the display that
// logind names for the desktop. A desktop that is proven with another server than
// the one of the press is not: let seated ask the computer for any Xorg on that
// display, and the proxy counts.
func TestSeated(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make programs that are root's, and run them as others")
	}
	const person = 4242
	xorg := asServer(t, sleeper(t), "Xorg", 0o755, 0, person)
	seat := watch.LogindSession{ID: "c2", UID: person, Type: "x11", Display: ":0", Seat: "seat0"}
	for name, c := range map[string]struct {
		server int
		change func(*watch.LogindSession)
		want   bool
	}{
		"heard on Xorg":         {xorg, nil, true},
		"heard through a proxy": {os.Getpid(), nil, false},
		"not heard":             {0, nil, false},
		"another display":       {xorg, func(g *watch.LogindSession) { g.Display = ":1" }, false},
		"no display":            {xorg, func(g *watch.LogindSession) { g.Display = "" }, false},
		"another user":          {xorg, func(g *watch.LogindSession) { g.UID++ }, false},
		"another session":       {xorg, func(g *watch.LogindSession) { g.ID = "c3" }, false},
		"from elsewhere":        {xorg, func(g *watch.LogindSession) { g.Remote = true }, false},
		"no seat":               {xorg, func(g *watch.LogindSession) { g.Seat = "" }, false},
		"under Wayland":         {xorg, func(g *watch.LogindSession) { g.Type = "wayland" }, false},
	} {
		g := seat
		if c.change != nil {
			c.change(&g)
		}
		a := &Agent{graphical: []watch.LogindSession{g}}
		d := &desktop{id: "c2", uid: person, reg: ipc.DesktopRegister{Display: seat.Display}}
		if got := a.seated(d, c.server); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
