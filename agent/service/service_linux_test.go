package service_test

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/agent/service"
)

var update = flag.Bool("update", false, "write the golden files")

func TestUnit(t *testing.T) {
	for name, c := range map[string]struct {
		exe string
		o   service.Options
	}{
		"default": {"/usr/bin/aval", service.Options{StateDir: service.DefaultStateDir, Socket: service.DefaultSocket}},
		"spaces":  {"/opt/my apps/100% $HOME/aval", service.Options{StateDir: "/srv/my state", Socket: "/run/other/agent.sock", PolicyDir: `/etc/pol"icies`}},
	} {
		got, err := service.Unit(c.exe, c.o)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".service")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from its golden file:\n%s", name, got)
		}
		verify(t, got, c.exe)
	}
	for _, bad := range []string{"/opt/a\nExecStart=/bin/sh", "/opt/{{Name}}", "/opt/\x00"} {
		if _, err := service.Unit(bad, service.Options{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := service.Unit("/usr/bin/aval", service.Options{StateDir: "/tmp/x"}); err == nil || !strings.Contains(err.Error(), "/tmp") {
		t.Errorf("a folder that the service cannot see: %v", err)
	}
}

// verify lets systemd read the unit, where its tool is there.
func verify(t *testing.T, unit, exe string) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: the unit was not read by it")
		return
	}
	file := filepath.Join(t.TempDir(), "aval.service")
	// The program must be there for the tool: any will do.
	text := strings.Replace(unit, "ExecStart=", "ExecStart=/bin/true ", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "verify", "--man=no", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, filepath.Base(file)) {
			t.Errorf("systemd: %s", line)
		}
	}
	if err != nil && len(out) == 0 {
		t.Errorf("systemd-analyze: %v", err)
	}
}

// TestRequiredDirectives: whatever becomes of the unit, these stay.
func TestRequiredDirectives(t *testing.T) {
	got, err := service.Unit("/usr/bin/aval", service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Type=notify", "Restart=always", "RestartSec=1", "LimitCORE=0", "UMask=0077", "StateDirectoryMode=0700",
		"NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "RestrictNamespaces=yes", "SystemCallFilter=@system-service",
		"CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SETUID CAP_SETGID"} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := service.New(func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil }, service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestRunReturnsItsError(t *testing.T) {
	want := errors.New("the store is closed")
	s, err := service.New(func(context.Context) error { return want }, service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsOnSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		started := make(chan struct{})
		s, err := service.New(func(ctx context.Context) error { close(started); <-ctx.Done(); return nil }, service.Options{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		<-started
		// Run listens a moment after its function has begun: ask until it does.
		for end := time.Now().Add(10 * time.Second); ; {
			signals(t, sig)
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Millisecond):
				if time.Now().Before(end) {
					continue
				}
				t.Fatal("still running")
			}
			break
		}
	}
}

func TestReady(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	service.Ready()
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 64)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
