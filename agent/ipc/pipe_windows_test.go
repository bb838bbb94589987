package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/windows"

	"aval/agent/ipc"
)

func servePipe(t *testing.T) (name string, h *echo) {
	t.Helper()
	h = &echo{}
	name = fmt.Sprintf(`\\.\pipe\aval-test-%d-%s`, os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
	s, err := ipc.Listen(name, ipc.HelloResult{Build: "test"}, slog.New(slog.DiscardHandler))
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
	return name, h
}

// TestPipe: many clients at once get their answers, each with the identity that
// the system gives it. Leave the retry on a busy pipe out of dial, and some fail.
func TestPipe(t *testing.T) {
	name, _ := servePipe(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			c, err := ipc.Dial(context.Background(), name, ipc.Hello{Program: "test"})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for range 50 {
				var me who
				if err := c.Call(context.Background(), ipc.MethodSettingsGet, nil, &me); err != nil {
					t.Error(err)
					return
				}
				if me.PID != os.Getpid() || me.Role != ipc.RoleAdmin || me.UID == 0 {
					t.Errorf("the service takes this process for %+v", me)
				}
			}
		})
	}
	all.Wait()
}

// TestPipeIsTaken: a second service, or an impostor, does not get an instance of
// the same pipe. Leave the look at isThere out, and under Wine 8 it does, which
// does not know FILE_FLAG_FIRST_PIPE_INSTANCE.
func TestPipeIsTaken(t *testing.T) {
	name, _ := servePipe(t)
	if s, err := ipc.Listen(name, ipc.HelloResult{}, slog.New(slog.DiscardHandler)); err == nil {
		s.Close()
		t.Error("a pipe that was taken was served twice")
	} else if !strings.Contains(err.Error(), "in use") {
		t.Errorf("it does not say what to do: %v", err)
	}
}

func TestNoPipe(t *testing.T) {
	for _, name := range []string{`\\.\pipe\aval-test-none`, `C:\aval\agent.sock`, `\\.\pipe\`, ``} {
		_, err := ipc.Dial(context.Background(), name, ipc.Hello{})
		var e *ipc.Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestGarbageInPipe: whatever is written, the next caller is answered.
func TestGarbageInPipe(t *testing.T) {
	name, _ := servePipe(t)
	p, _ := windows.UTF16PtrFromString(name)
	for _, g := range []string{"", "\n", "{}\n", "null\n", strings.Repeat("x", 2*ipc.MaxFrame), `{"id":1,"method":"status"}` + "\n"} {
		h, err := windows.CreateFile(p, 0x0012019b, 0, nil, windows.OPEN_EXISTING, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var n uint32
		_ = windows.WriteFile(h, []byte(g), &n, nil)
		windows.CloseHandle(h)
		c, err := ipc.Dial(context.Background(), name, ipc.Hello{Program: "test"})
		if err != nil {
			t.Fatalf("after %q: %v", g[:min(len(g), 9)], err)
		}
		c.Close()
	}
}

// TestAnonymousClient: a client that does not let the service learn who it is gets
// no answer. Wine 8 tells the service of every client, whatever it asks for.
func TestAnonymousClient(t *testing.T) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine has no anonymous clients: this needs Windows")
	}
	name, _ := servePipe(t)
	p, _ := windows.UTF16PtrFromString(name)
	h, err := windows.CreateFile(p, 0x0012019b, 0, nil, windows.OPEN_EXISTING, windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(h), name)
	defer f.Close()
	if _, err := f.WriteString(`{"id":1,"method":"hello","params":{"version":1,"program":"x"}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	if n, err := f.Read(buf); err == nil {
		t.Errorf("it was answered: %s", buf[:n])
	}
}
