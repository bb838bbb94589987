package launch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// alive tells whether pid runs; what has ended and is not reaped yet does not.
func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func run(t *testing.T, p Program) (*Process, string) {
	t.Helper()
	var out Output
	p.Output = &out
	proc, err := Start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	<-proc.Done()
	return proc, out.String()
}

func TestNonceIsOnThreeAlone(t *testing.T) {
	_, out := run(t, Program{Path: "/bin/sh", Args: []string{"-c", "cat <&3; tr '\\0' '\\n' </proc/self/environ; tr '\\0' '\\n' </proc/$$/cmdline"}, Nonce: "secret-5512"})
	if strings.Count(out, "secret-5512") != 1 || !strings.HasPrefix(out, "secret-5512\n") {
		t.Errorf("%q", out)
	}
}

func TestExitCodes(t *testing.T) {
	if p, _ := run(t, Program{Path: "/bin/sh", Args: []string{"-c", "exit 75"}}); p.Exit() != (Exit{Code: 75}) {
		t.Errorf("%+v", p.Exit())
	}
	if p, _ := run(t, Program{Path: "/bin/sh", Args: []string{"-c", "kill -9 $$"}}); p.Exit() != (Exit{Code: -1}) {
		t.Errorf("%+v", p.Exit())
	}
	if _, err := Start(t.Context(), Program{Path: "/no/such/program"}); err == nil {
		t.Error("no error for a program that is not there")
	}
	if _, err := Start(t.Context(), Program{Path: "sh"}); err == nil {
		t.Error("no error for a name without a path")
	}
}

// Kill ends the whole group, children included, and so does the end of the context.
// Planted bug: leave the minus out of the kill, and the child lives on.
func TestKillEndsTheGroup(t *testing.T) {
	for _, byContext := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "child")
		ctx, cancel := context.WithCancel(t.Context())
		proc, err := Start(ctx, Program{Path: "/bin/sh", Args: []string{"-c", "sleep 600 & echo $! >" + file + "; wait"}})
		if err != nil {
			t.Fatal(err)
		}
		var child int
		wait(t, "the child", func() bool {
			raw, _ := os.ReadFile(file)
			child, err = strconv.Atoi(strings.TrimSpace(string(raw)))
			return err == nil
		})
		if byContext {
			cancel()
			<-proc.Done()
		} else {
			proc.Kill()
			proc.Kill()
		}
		cancel()
		if !proc.Exit().Killed {
			t.Errorf("%+v", proc.Exit())
		}
		wait(t, "the end of the child", func() bool { return !alive(child) })
	}
}

// What a program leaves behind does not outlive it.
func TestLeftoversEnd(t *testing.T) {
	_, out := run(t, Program{Path: "/bin/sh", Args: []string{"-c", "sleep 600 >/dev/null 2>&1 & echo $!"}})
	child, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the end of what was left", func() bool { return !alive(child) })
}

// The program dies with us, even when we are killed.
// Planted bug: leave out Pdeathsig or the locked thread, and it lives on.
func TestDiesWithUs(t *testing.T) {
	if file := os.Getenv("LAUNCH_TEST_CHILD"); file != "" {
		proc, err := Start(context.Background(), Program{Path: "/bin/sleep", Args: []string{"600"}})
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(file, []byte(strconv.Itoa(proc.PID())), 0o600)
		select {}
	}
	file := filepath.Join(t.TempDir(), "pid")
	us := exec.Command(os.Args[0], "-test.run=^TestDiesWithUs$")
	us.Env = append(os.Environ(), "LAUNCH_TEST_CHILD="+file)
	if err := us.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	wait(t, "the program", func() bool {
		raw, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(string(raw))
		return pid > 0 && alive(pid)
	})
	us.Process.Signal(syscall.SIGKILL)
	us.Wait()
	wait(t, "the end of the program", func() bool { return !alive(pid) })
}
