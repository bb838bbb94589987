package ipc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/ipc"
)

// echo answers every request with the caller's identity.
type echo struct {
	mu     sync.Mutex
	closed int
	hold   chan struct{} // status waits for it
}

type who struct {
	UID  uint32   `json:"uid"`
	PID  int      `json:"pid"`
	Role ipc.Role `json:"role"`
}

func (e *echo) Handle(ctx context.Context, c *ipc.Conn, m ipc.Method, params json.RawMessage) (any, error) {
	if m == ipc.MethodStatus && e.hold != nil {
		select {
		case <-e.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m == ipc.MethodSessionList {
		for i := range 200 { // more than the peer's queue: it is the peer that goes
			c.Push("flood", i)
		}
	}
	return who{c.Peer().UID, c.Peer().PID, c.Peer().Role()}, nil
}

func (e *echo) Closed(*ipc.Conn) { e.mu.Lock(); e.closed++; e.mu.Unlock() }

func serve(t *testing.T, h *echo) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s.sock")
	s, err := ipc.Listen(socket, ipc.HelloResult{Build: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(h) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket
}

func dial(t *testing.T, socket string) *ipc.Client {
	t.Helper()
	c, err := ipc.Dial(context.Background(), socket, ipc.Hello{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestIdentityComesFromTheKernel(t *testing.T) {
	socket := serve(t, &echo{})
	var me who
	if err := dial(t, socket).Call(context.Background(), ipc.MethodSettingsGet, nil, &me); err != nil {
		t.Fatal(err)
	}
	if int(me.UID) != os.Getuid() || me.PID != os.Getpid() || me.Role != ipc.RoleAdmin {
		t.Errorf("the service takes this process for %+v", me)
	}
}

func TestDefaultIsToRefuse(t *testing.T) {
	for _, r := range []ipc.Role{ipc.RoleNone, ipc.RoleUser, ipc.RoleAdmin} {
		if ipc.May(r, "session.allow") {
			t.Errorf("role %d may call a method that is not in the table", r)
		}
	}
	if ipc.May(ipc.RoleNone, ipc.MethodStatus) || ipc.May(ipc.RoleUser, ipc.MethodEnroll) || !ipc.May(ipc.RoleAdmin, ipc.MethodEnroll) {
		t.Error("the table does not hold")
	}
	if (ipc.Peer{}).Role() != ipc.RoleNone {
		t.Error("nobody has a role")
	}
}

func TestHelloFirst(t *testing.T) {
	socket := serve(t, &echo{})
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, `{"id":1,"method":"status"}`)
	line, _ := bufio.NewReader(conn).ReadString('\n')
	if !strings.Contains(line, "hello") {
		t.Errorf("answer without hello: %q", line)
	}
	_, err = ipc.Dial(context.Background(), filepath.Join(t.TempDir(), "none"), ipc.Hello{})
	var e *ipc.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("no service: %v", err)
	}
}

// TestBadFrames: a line that is not exactly a request is answered, and the connection
// ends; one that names something twice is none of the two that it may be. Leave Once
// out of readFrame, and the status is given.
func TestBadFrames(t *testing.T) {
	socket := serve(t, &echo{})
	for _, line := range []string{
		`{"id":2,"method":"status","x":1}`, `{"id":2,"method":"status"} {}`, `{"id":-1,"method":"status"}`, `\0`,
		`{"id":2,"method":"session.list","method":"status"}`, `{"id":2,"method":"session.list","METHOD":"status"}`,
		`{"id":2,"method":"status","params":{"a":{"b":1,"b":2}}}`,
	} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write([]byte(`{"id":1,"method":"hello","params":{"version":1,"program":"x"}}` + "\n" + line + "\n"))
		said, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || strings.Contains(string(said), `"id":2`) || !strings.Contains(string(said), "this is not a request of the Aval service") {
			t.Errorf("%s: %s, %v", line, said, err)
		}
	}
}

// TestGarbage: whatever is written to the socket, the service answers the next
// caller.
func TestGarbage(t *testing.T) {
	h := &echo{}
	socket := serve(t, h)
	for _, g := range []string{"", "\n", "{}\n", "null\n", "[]\n", strings.Repeat("x", 2*ipc.MaxFrame), `{"id":1,"method":"hello","params":{"version":1,"program":"x"}}` + "\n" + `{"id":2,"method":"status","params":{"a":1}}` + "\n\x00\xff\n",
		`{"id":1,"method":"hello","params":{"version":99}}` + "\n", `{"id":1,"id":2,"metod":"hello"}` + "\n"} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write([]byte(g))
		if u, ok := conn.(*net.UnixConn); ok {
			_ = u.CloseWrite()
		}
		buf := make([]byte, 1<<20)
		for {
			if _, err := conn.Read(buf); err != nil {
				break
			}
		}
		conn.Close()
	}
	if err := dial(t, socket).Call(context.Background(), ipc.MethodStatus, nil, nil); err != nil {
		t.Errorf("after garbage: %v", err)
	}
}

// TestSlowPeer: who does not read loses the connection, and nobody else waits.
func TestSlowPeer(t *testing.T) {
	h := &echo{}
	socket := serve(t, h)
	slow := dial(t, socket) // never reads its pushes
	for range 5 {
		_ = slow.Call(context.Background(), ipc.MethodSessionList, nil, nil)
	}
	if err := dial(t, socket).Call(context.Background(), ipc.MethodStatus, nil, nil); err != nil {
		t.Errorf("another peer: %v", err)
	}
	end := time.Now().Add(10 * time.Second)
	for {
		h.mu.Lock()
		n := h.closed
		h.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the slow peer is still connected")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestHeldCallEndsWithItsPeer: the service notices the end of a peer that waits.
func TestHeldCallEndsWithItsPeer(t *testing.T) {
	h := &echo{hold: make(chan struct{})}
	socket := serve(t, h)
	c := dial(t, socket)
	go func() { _ = c.Call(context.Background(), ipc.MethodStatus, nil, nil) }()
	time.AfterFunc(50*time.Millisecond, func() { c.Close() })
	end := time.Now().Add(10 * time.Second)
	for {
		h.mu.Lock()
		n := h.closed
		h.mu.Unlock()
		if n == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the held call outlives its peer")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ipc.Listen(file, ipc.HelloResult{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if raw, _ := os.ReadFile(file); string(raw) != "mine" {
		t.Error("the file was touched")
	}
	socket := serve(t, &echo{})
	if _, err := ipc.Listen(socket, ipc.HelloResult{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a living socket: %v", err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s, err := ipc.Listen(dead, ipc.HelloResult{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("a dead socket: %v", err)
	}
	s.Close()
}
