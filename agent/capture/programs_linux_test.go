package capture_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/capture"
	"aval/agent/event"
)

var grantFor = capture.GrantFor

// shell is a shell whose environment is that of a desktop, run by the test.
type shell struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startShell(t *testing.T, env ...string) *shell {
	t.Helper()
	cmd := exec.Command("/bin/sh")
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &shell{t, cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return s
}

// run gives the shell a line and waits until it has been carried out.
func (s *shell) run(line string) {
	s.t.Helper()
	fmt.Fprintf(s.in, "%s\necho done-$$\n", line)
	for {
		got, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(got, "done-") {
			return
		}
	}
}

// emitted collects what a capture of programs emits.
type emitted struct {
	mu   sync.Mutex
	list []string
}

func (s *emitted) emit(kind event.Kind, at time.Time, f map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf("%s %s|%s", kind, f["program"], f["command"]))
}

func (s *emitted) has(want string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.list {
		if l == want {
			return true
		}
	}
	return false
}

func (s *emitted) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.list, "\n")
}

func (s *emitted) wait(t *testing.T, want string) { s.waitAny(t, want) }

func (s *emitted) waitAny(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !slices.ContainsFunc(want, s.has); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", want, s.all())
		}
	}
}

// Displays of this run alone: the same test may run twice on one computer.
var here, elsewhere = fmt.Sprintf(":%d", 1_000_000+2*os.Getpid()), fmt.Sprintf(":%d", 1_000_001+2*os.Getpid())

func desktop() capture.Scope {
	return capture.Scope{UID: uint32(os.Getuid()), Display: here}
}

func TestProgramsOfADesktop(t *testing.T) {
	mine, other, bare := startShell(t, "DISPLAY="+here+".0"), startShell(t, "DISPLAY="+elsewhere), startShell(t)
	mine.run(`sleep 301 & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done`) // before the grant
	var got emitted
	r, err := capture.Start(t.Context(), desktop(), got.emit, grantFor(t, "g", time.Hour, event.Windows, event.Commands))
	if err != nil {
		t.Fatal(err)
	}
	other.run("sleep 302 & :")
	bare.run("sleep 303 & :")
	mine.run("env DISPLAY=" + elsewhere + " sleep 304 & :")
	mine.run("RFB_X11VNC_PID=1 sleep 305 & :")
	mine.run("env -u DISPLAY sleep 306 & :")   // by what started it
	mine.run("sh -c 'sleep 307; :' 'a b' & :") // one step: its line says what it does
	mine.run("setsid setsid sleep 308 & :")    // and so is this
	got.wait(t, "program-started env|env -u DISPLAY sleep 306")
	got.wait(t, `program-started dash|sh -c "sleep 307; :" "a b"`)
	got.waitAny(t, "program-started setsid|setsid setsid sleep 308", "program-started setsid|", "program-started setsid|setsid sleep 308", "program-started sleep|sleep 308") // as soon as it was read
	for _, no := range []string{"301", "302", "303", "304", "305", "307"} {
		if got.has("program-started sleep|sleep " + no) {
			t.Errorf("sleep %s is not of this desktop:\n%s", no, got.all())
		}
	}
	begin := time.Now()
	r.Stop()
	if d := time.Since(begin); d > 100*time.Millisecond {
		t.Errorf("stopping took %s", d)
	}
	before := got.all()
	mine.run("sleep 309 & :")
	mine.run("/bin/true")
	if got.all() != before {
		t.Errorf("emitted after Stop:\n%s", strings.TrimPrefix(got.all(), before))
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestProgramsByGrant(t *testing.T) {
	// Not that of the test before: what it started last may only begin now.
	display := fmt.Sprintf(":%d", 3_000_000+os.Getpid())
	desktop := capture.Scope{UID: uint32(os.Getuid()), Display: display}
	sh := startShell(t, "DISPLAY="+display)
	for _, c := range []struct {
		groups []event.Group
		scope  capture.Scope
		want   string
	}{
		{[]event.Group{event.Windows}, desktop, "program-started sleep|"},
		{[]event.Group{event.Commands}, desktop, "command-run sleep|sleep 311"},
		{[]event.Group{event.Commands}, capture.Scope{Leader: sh.cmd.Process.Pid}, "command-run sleep|sleep 311"},
	} {
		var got emitted
		r, err := capture.Start(t.Context(), c.scope, got.emit, grantFor(t, "g", time.Hour, c.groups...))
		if err != nil {
			t.Fatal(err)
		}
		sh.run("sleep 311 & :")
		got.wait(t, c.want)
		r.Stop()
		if strings.Count(got.all(), "sleep|") != 1 {
			t.Errorf("%v: not once:\n%s", c.groups, got.all())
		}
	}
	// Nothing without a grant that covers it, nor without a scope.
	var none emitted
	for _, groups := range [][]event.Group{{event.Chat}} {
		if _, err := capture.Start(t.Context(), desktop, none.emit, grantFor(t, "g", time.Hour, groups...)); !errors.Is(err, capture.ErrNoGrant) {
			t.Errorf("%v: %v", groups, err)
		}
	}
	if _, err := capture.Start(t.Context(), desktop, none.emit); !errors.Is(err, capture.ErrNoGrant) {
		t.Errorf("no grant: %v", err)
	}
	g := grantFor(t, "g", time.Hour, event.Windows)
	for _, s := range []capture.Scope{{}, {Display: ":1", Leader: 1}, {Leader: 1 << 30}} {
		if _, err := capture.Start(t.Context(), s, none.emit, g); err == nil {
			t.Errorf("scope %+v was taken", s)
		}
	}
	// A login gives commands: a grant for windows alone covers none of it.
	r, err := capture.Start(t.Context(), capture.Scope{Leader: sh.cmd.Process.Pid}, none.emit, g)
	if err == nil {
		defer r.Stop()
		sh.run("sleep 312 & :")
		var marker emitted
		m, err := capture.Start(t.Context(), desktop, marker.emit, g)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		sh.run("sleep 313 & :")
		marker.wait(t, "program-started sleep|")
	}
	if none.all() != "" {
		t.Errorf("emitted without a grant: %s", none.all())
	}
}
