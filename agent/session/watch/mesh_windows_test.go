package watch

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// TestWindowsExit: a process is known by its start, and its end is told; another one
// with its number counts as ended. Planted and seen caught: the start not compared.
func TestWindowsExit(t *testing.T) {
	cmd := exec.Command("cmd", "/c", "set /p x=")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, ok := ProcStart(cmd.Process.Pid)
	if d := time.Since(started(start)); !ok || d < -time.Minute || d > time.Hour {
		t.Fatalf("started %v ago: %v", d, ok)
	}
	select {
	case <-WaitExit(t.Context(), cmd.Process.Pid, start+1):
	case <-time.After(30 * time.Second):
		t.Error("another process is waited for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	left, done := WaitExit(ctx, cmd.Process.Pid, start), WaitExit(t.Context(), cmd.Process.Pid, start)
	cancel()
	<-left
	select {
	case <-done:
		t.Error("it has not ended")
	default:
	}
	in.Close()
	cmd.Wait()
	<-done
	if _, ok := ProcStart(cmd.Process.Pid); ok {
		t.Error("it has ended")
	}
}

// TestWindowsMesh: the agent of MeshCentral is found by what its installer wrote, and
// heard by its pipe: a user at the desktop, who leaves, and the agent's own end.
func TestWindowsMesh(t *testing.T) {
	node := make([]byte, 48)
	copy(node, fmt.Sprintf("%048d", os.Getpid()))
	text := strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString(node))
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, meshNodes+`\Aval Test`, registry.ALL_ACCESS|registry.WOW64_64KEY)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.Close()
		_ = registry.DeleteKey(registry.LOCAL_MACHINE, meshNodes+`\Aval Test`)
	})
	if err := k.SetStringValue("NodeId", text); err != nil {
		t.Fatal(err)
	}
	pipe, ok := meshPipe(text)
	if !ok {
		t.Fatal(text)
	}
	conns := make(chan io.ReadWriteCloser, 8)
	go serveMesh(t, pipe, conns)
	told := make(chan string, 64)
	s := newStory(t)
	s.each = func(l string) { told <- l }
	tools := NewTools(slog.New(slog.DiscardHandler), s, []string{ToolMeshCentral})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() { done <- tools.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() { cancel(); <-done })

	// The first connection only looks who is there.
	say := func(c io.Writer, body string) {
		t.Helper()
		n := uint32(len(body) + 4)
		if _, err := c.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, body...)); err != nil {
			t.Error(err)
		}
	}
	var c io.ReadWriteCloser
	for c == nil {
		got := <-conns
		b, err := readMeshFrame(got)
		if err != nil { // it has left
			got.Close()
			continue
		}
		if !strings.Contains(string(b), `"register"`) {
			t.Fatalf("%s", b)
		}
		c = got
	}
	say(c, `{"cmd":"serverstate","value":1}`)
	if b, err := readMeshFrame(c); err != nil || !strings.Contains(string(b), `"sessions"`) {
		t.Fatalf("%s, %v", b, err)
	}
	say(c, `{"cmd":"sessions","sessions":{"terminal":{},"files":{}}}`)
	<-ready
	say(c, `{"cmd":"sessions","sessions":{"desktop":{"user//ana":1},"terminal":{},"files":{}}}`)
	if got := <-told; !strings.HasPrefix(got, "begin meshcentral/") || !strings.Contains(got, `"ana"`) {
		t.Fatal(got)
	}
	say(c, `{"cmd":"sessions","sessions":{"desktop":{"user//ana":1},"terminal":{},"files":{"user//ana":1}}}`)
	if got := <-told; !strings.HasSuffix(got, "view+control+files") {
		t.Fatal(got)
	}
	say(c, `{"cmd":"sessions","sessions":{"desktop":{},"terminal":{},"files":{}}}`)
	if got := <-told; !strings.HasPrefix(got, "end ") || !strings.HasSuffix(got, Left) {
		t.Fatal(got)
	}
	say(c, `{"cmd":"sessions","sessions":{"desktop":{"user//bea":1},"terminal":{},"files":{}}}`)
	if got := <-told; !strings.Contains(got, `"bea"`) {
		t.Fatal(got)
	}
	c.Close()
	if got := <-told; !strings.HasPrefix(got, "end ") || !strings.HasSuffix(got, Unheard) {
		t.Fatal(got)
	}
}

// serveMesh is a pipe as the agent opens it, for anybody, five at most.
func serveMesh(t *testing.T, pipe string, conns chan<- io.ReadWriteCloser) {
	name, err := windows.UTF16PtrFromString(pipe)
	if err != nil {
		t.Error(err)
		return
	}
	for t.Context().Err() == nil {
		h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED, windows.PIPE_TYPE_BYTE, 5, 64<<10, 64<<10, 0, nil)
		if err != nil {
			if t.Context().Err() == nil {
				t.Error(err)
			}
			return
		}
		ev, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			t.Error(err)
			return
		}
		o := windows.Overlapped{HEvent: ev}
		if err := windows.ConnectNamedPipe(h, &o); err == windows.ERROR_IO_PENDING {
			var n uint32
			err = windows.GetOverlappedResult(h, &o, &n, true)
			if err != nil {
				return
			}
		} else if err != nil && err != windows.ERROR_PIPE_CONNECTED {
			return
		}
		windows.CloseHandle(ev)
		conns <- os.NewFile(uintptr(h), pipe)
	}
}
