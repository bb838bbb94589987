package capture

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/record"
)

// Scope says whose programs belong to a session: a desktop (Display set) or a
// terminal login (Leader set). One of the two must be set.
type Scope struct {
	// UID is the desktop's or login's user.
	UID uint32
	// Display is the X display, ":10": programs of the user whose environment
	// names it, and everything that they start.
	Display string
	// Leader is the process that holds a terminal login open: its descendants,
	// and what bears the same audit session (proc_pid_sessionid, pam_loginuid).
	Leader int
}

func (s Scope) check() error {
	if (s.Display == "") == (s.Leader <= 0) {
		return fmt.Errorf("start capture of programs: a scope is a display or a login's leader, not %q and %d", s.Display, s.Leader)
	}
	return nil
}

// programKinds are what StartPrograms can emit.
var programKinds = []event.Kind{event.ProgramStarted, event.ProgramEnded, event.CommandRun, event.CommandEnded}

// StartPrograms captures the programs that are started within scope from now on.
// In a desktop each gives a program-started, with its command where the grants
// cover commands; in a login, and in a desktop where only commands are granted,
// a command-run. A command line that was gone before it could be read is left out.
//
// Told is what somebody does: what a shell, a panel or somebody's own script
// starts. How a program works inside is counted, and told with its end; so is
// the end of one that failed or ran long. Many alike are one event with a count.
// Kernel threads, Aval's own programs, the desktop's housekeeping (noise.go) and
// what a shell runs for its own start and prompt are left out. The commands are
// not redacted yet: whoever takes the events does that before anything is stored.
//
// It needs no rights for the user's own processes; those of others need root.
// Stop returns within 100 ms.
func StartPrograms(ctx context.Context, scope Scope, emit Emit, grants ...record.Verified) (*Running, error) {
	if err := scope.check(); err != nil {
		return nil, err
	}
	g, err := newGate(emit, grants, programKinds, time.Now())
	if err != nil {
		return nil, err // before anything is opened
	}
	w, err := newProgramWatch(scope,
		func(p program) { g.started(scope, p) }, func(e ending) { g.ended(scope, e) }, g.missed)
	if err != nil {
		return nil, fmt.Errorf("start capture of programs: %w", err)
	}
	return g.start(ctx, func(ctx context.Context, _ *gate) error { return w.run(ctx) }), nil
}

// started emits a program as the kind that the grants cover.
func (g *gate) started(scope Scope, p program) {
	f := map[string]string{"program": p.name, "command": commandLine(p.args)}
	if p.count > 1 {
		f["count"] = strconv.Itoa(p.count)
	}
	g.pass(g.kindOf(scope, event.ProgramStarted, event.CommandRun, p.at), p.at, f)
}

// ended emits the end of one.
func (g *gate) ended(scope Scope, e ending) {
	f := map[string]string{"program": e.name, "seconds": strconv.Itoa(int(e.ran / time.Second))}
	if e.code >= 0 {
		f["status"] = strconv.Itoa(e.code)
	}
	if e.inner > 0 {
		f["programs"] = strconv.Itoa(e.inner)
	}
	g.pass(g.kindOf(scope, event.ProgramEnded, event.CommandEnded, e.at), e.at, f)
}

func (g *gate) kindOf(scope Scope, desktop, login event.Kind, at time.Time) event.Kind {
	g.mu.Lock()
	defer g.mu.Unlock()
	if scope.Leader > 0 || !g.covers(desktop, at) {
		return login
	}
	return desktop
}

// missed tells of programs that were gone before they could be read; 0: the
// kernel had to drop announcements, of how many is not known.
func (g *gate) missed(n int) {
	f := map[string]string{"reason": "too-short", "count": strconv.Itoa(n)}
	if n == 0 {
		f = map[string]string{"reason": "dropped"}
	}
	g.pass(event.Gap, time.Now(), f)
}

// maxCommand bounds what is kept of a command line before redaction, in bytes.
const maxCommand = 4 << 10

// commandLine writes arguments as one line. An argument with blanks is quoted
// where its value begins (-p"a b", --password="a b"), so that what belongs
// together is redacted together.
func commandLine(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quoted(a))
		if b.Len() > maxCommand {
			break
		}
	}
	return b.String()
}

func quoted(a string) string {
	if a != "" && !strings.ContainsAny(a, " \t\r\n") {
		return a
	}
	head, value := "", a
	if name, v, ok := strings.Cut(a, "="); ok && !strings.ContainsAny(name, " \t\r\n\"'") {
		head, value = name+"=", v
	} else if len(a) > 2 && a[0] == '-' && a[1] != '-' && a[1] != ' ' {
		head, value = a[:2], a[2:]
	}
	if strings.Contains(value, `"`) && !strings.Contains(value, "'") {
		return head + "'" + value + "'"
	}
	return head + `"` + strings.ReplaceAll(value, `"`, "'") + `"`
}

// base is the last part of a path.
func base(file string) string { return path.Base(file) }
