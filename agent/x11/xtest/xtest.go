// Package xtest gives tests an X server of their own, with or without a window
// manager, and the tools of a person's hand and eye on it.
//
// The one rule that must not be broken: what a test started ends with the test,
// by its process id, and nothing else is touched.
package xtest

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a running X server.
type Server struct {
	Display string
	cmd     *exec.Cmd
}

// Options of Start.
type Options struct {
	Screen string // "1280x800"; empty: that
	WM     bool   // with openbox
	Args   []string
}

// Start runs Xvfb on a free display until the test ends. The test is skipped
// where a program is missing: Debian's xvfb, openbox, xdotool and x11-utils.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	Need(t, "Xvfb", "xdotool", "xprop", "xwininfo")
	if o.Screen == "" {
		o.Screen = "1280x800"
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	args := append([]string{"-screen", "0", o.Screen + "x24", "-nolisten", "tcp", "-noreset", "-displayfd", "3"}, o.Args...)
	cmd := exec.Command("Xvfb", args...)
	cmd.ExtraFiles = []*os.File{w}
	spawn(t, cmd)
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	number, err := bufio.NewReader(r).ReadString('\n') // the server writes it in pieces
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	s := &Server{Display: ":" + strings.TrimSpace(number), cmd: cmd}
	Wait(t, "the X server", func() bool {
		_, err := s.Try("xprop", "-root", "_NET_SUPPORTED")
		return err == nil
	})
	if o.WM {
		s.StartWM(t)
	}
	return s
}

// Need skips the test when a program is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed, and this test looks at a real X server", p)
		}
	}
}

// StartWM runs openbox and waits until it manages the display.
func (s *Server) StartWM(t testing.TB) *exec.Cmd {
	t.Helper()
	Need(t, "openbox")
	cmd := s.Spawn(t, "openbox")
	Wait(t, "the window manager", func() bool {
		out, _ := s.command("xprop", "-root", "_NET_SUPPORTING_WM_CHECK").Output()
		return bytes.Contains(out, []byte("0x"))
	})
	return cmd
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.Display, "WAYLAND_DISPLAY=", "LC_ALL=C.UTF-8", "NO_AT_BRIDGE=1")
	return cmd
}

// Spawn starts a program on the display; it is ended with the test.
func (s *Server) Spawn(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := s.command(name, args...)
	spawn(t, cmd)
	return cmd
}

func spawn(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		thaw(cmd.Process)
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(3 * time.Second):
			cmd.Process.Kill()
			<-done
		}
	})
}

// PID is the server's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Freeze stops the server with SIGSTOP, as a hang does; Thaw lets it go on.
func (s *Server) Freeze() { freeze(s.cmd.Process) }

// Thaw ends Freeze.
func (s *Server) Thaw() { thaw(s.cmd.Process) }

// Kill ends the server at once.
func (s *Server) Kill() { s.cmd.Process.Kill() }

// Run runs a tool on the display and returns what it printed.
func (s *Server) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := s.Try(name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// Try is Run for what may fail.
func (s *Server) Try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := s.command(name, args...)
	cmd := exec.CommandContext(ctx, c.Path, args...)
	cmd.Env = c.Env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Shot saves a picture of the whole screen when the environment variable
// AVAL_SHOTS names a folder for it, so that a person can look at it.
func (s *Server) Shot(t testing.TB, name string) {
	t.Helper()
	dir := os.Getenv("AVAL_SHOTS")
	if dir == "" {
		return
	}
	s.Run(t, "import", "-window", "root", filepath.Join(dir, name+".png"))
}

// waiting is how long Wait waits: a minute, for a busy machine starts programs slowly.
const waiting = time.Minute

// Wait waits for a condition, generously, and fails the test when it does not come.
func Wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(waiting)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", waiting, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
