package capture

import (
	"context"
	"fmt"
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
var programKinds = []event.Kind{event.ProgramStarted, event.CommandRun}

// StartPrograms captures the programs that are started within scope from now on.
// In a desktop each gives a program-started, with its command where the grants
// cover commands; in a login, and in a desktop where only commands are granted,
// a command-run. A command line that was gone before it could be read is left out.
//
// Seen are processes that did not exist at the start, and a later exec of a
// different program in one that is in scope. Kernel threads, Aval's own programs
// and the desktop's housekeeping (noise.go) are left out. The commands are not
// redacted yet: whoever takes the events does that before anything is stored.
//
// It needs no rights for the user's own processes; those of others need root.
// Stop returns within 100 ms.
func StartPrograms(ctx context.Context, scope Scope, emit Emit, grants ...record.Verified) (*Running, error) {
	if err := scope.check(); err != nil {
		return nil, err
	}
	if _, err := newGate(emit, grants, programKinds, time.Now()); err != nil {
		return nil, err // before anything is opened
	}
	w, err := newProgramWatch(scope)
	if err != nil {
		return nil, fmt.Errorf("start capture of programs: %w", err)
	}
	r, err := start(ctx, emit, grants, programKinds, func(ctx context.Context, g *gate) error {
		return w.run(ctx, func(p program) { g.started(scope, p) })
	})
	if err != nil {
		w.Close()
	}
	return r, err
}

// program is one exec that was seen.
type program struct {
	name string // base name of the executable
	args []string
	at   time.Time
}

// started emits a program as the kind that the grants cover.
func (g *gate) started(scope Scope, p program) {
	kind := event.ProgramStarted
	if scope.Leader > 0 || !g.covers(kind, p.at) {
		kind = event.CommandRun
	}
	g.pass(kind, p.at, map[string]string{"program": p.name, "command": commandLine(p.args)})
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
