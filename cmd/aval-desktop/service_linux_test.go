package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/x11/xtest"
)

// program is the binary under test, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aval-desktop-test")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "aval-desktop")
	build := exec.Command("go", "build", "-trimpath", "-tags", "x11,migrated_fynedo,no_emoji", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// service is the other end of the local API: the real server and protocol, with
// a test in the place of the agent.
type service struct {
	t      *testing.T
	socket string
	build  string // empty: the helper's
	key    ed25519.PrivateKey
	server *ipc.Server

	mu    sync.Mutex // guards what follows
	desk  *ipc.Conn
	calls []called
	gone  int
	ask   ipc.Question
}

type called struct {
	method ipc.Method
	raw    json.RawMessage
	at     time.Time
}

func newService(t *testing.T) *service {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, socket: filepath.Join(t.TempDir(), "run", "agent.sock"), key: key}
	t.Cleanup(s.stop)
	return s
}

func (s *service) start() {
	s.t.Helper()
	server, err := ipc.Listen(s.socket, ipc.HelloResult{Build: cmp.Or(s.build, version), DeviceKey: s.key.Public().(ed25519.PublicKey)}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = server
	go server.Serve(s)
}

func (s *service) stop() {
	if s.server != nil {
		s.server.Close()
		s.server = nil
	}
}

func (s *service) Handle(_ context.Context, c *ipc.Conn, m ipc.Method, params json.RawMessage) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, called{m, params, time.Now()})
	switch m {
	case ipc.MethodDesktopRegister:
		s.desk = c
		return ipc.DesktopRegisterResult{Desktop: "test"}, nil
	case ipc.MethodSettingsGet:
		return ipc.SettingsResult{SessionInsights: consent.AccessUnset, Effective: consent.AccessAfterConfirmation, Origin: "default"}, nil
	case ipc.MethodQuestionClaim:
		var q ipc.QuestionClaim
		if json.Unmarshal(params, &q) != nil || q.Nonce != "nonce-1" {
			return nil, &ipc.Error{Code: ipc.CodeRefused, Message: "wrong nonce"}
		}
		return s.ask, nil
	case ipc.MethodQuestionShown:
		return ipc.QuestionShownResult{Deadline: time.Now().Add(time.Minute)}, nil
	}
	return ipc.Empty{}, nil
}

func (s *service) Closed(c *ipc.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone++
	if s.desk == c {
		s.desk = nil
	}
}

func (s *service) push(name string, data any) {
	s.t.Helper()
	s.mu.Lock()
	c := s.desk
	s.mu.Unlock()
	if c == nil {
		s.t.Fatal("no desktop is registered")
	}
	c.Push(name, data)
}

// all returns the calls of one method.
func all[T any](s *service, m ipc.Method) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, c := range s.calls {
		if c.method != m {
			continue
		}
		var v T
		if err := json.Unmarshal(c.raw, &v); err != nil {
			s.t.Errorf("%s: %v", m, err)
		}
		out = append(out, v)
	}
	return out
}

func (s *service) registered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desk != nil
}

// grant signs a grant for groups.
func (s *service) grant(id string, key ed25519.PrivateKey, groups ...event.Group) json.RawMessage {
	s.t.Helper()
	now := time.Now()
	raw, err := record.Sign(key, record.TypeGrant, record.Grant{
		Head: record.Head{V: 1, ID: id, At: now, Company: "c", Device: "d", Session: "test/1"},
		Decided: record.Decided{
			Tool: "test", Supporter: "Example Support", Outcome: consent.OutcomeAllowed,
			Decision: consent.Decision{Verdict: consent.Allow, Basis: consent.BasisStandingSetting, Reason: consent.ReasonAllowedBySetting},
		},
		Basis: consent.BasisStandingSetting, Groups: groups,
		NotBefore: now.Add(-time.Second), Expires: now.Add(time.Hour), Engine: "rules",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// desk is a running aval-desktop.
type desk struct {
	cmd  *exec.Cmd
	done chan error

	mu  sync.Mutex // guards log
	log strings.Builder
}

// runDesk starts the program (a copy at path, if given) in a clean environment.
func runDesk(t *testing.T, x *xtest.Server, path, socket string, env ...string) *desk {
	t.Helper()
	if path == "" {
		path = program
	}
	d := &desk{cmd: exec.Command(path, "--socket", socket), done: make(chan error, 1)}
	d.cmd.Env = append([]string{"HOME=" + t.TempDir(), "XDG_RUNTIME_DIR=" + t.TempDir(), "DISPLAY=" + x.Display, "LANG=pt_BR.UTF-8", "PATH=/usr/bin:/bin"}, env...)
	r, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			d.mu.Lock()
			d.log.WriteString(lines.Text() + "\n")
			d.mu.Unlock()
		}
	}()
	ended := make(chan struct{})
	go func() { <-read; d.done <- d.cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		d.cmd.Process.Signal(syscall.SIGCONT)
		d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			d.cmd.Process.Kill()
			<-ended
			t.Error("aval-desktop did not end within 5 s of SIGTERM")
		}
		if t.Failed() {
			t.Logf("its log:\n%s", d.text())
		}
	})
	return d
}

func (d *desk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}
