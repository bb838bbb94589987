package capture

import (
	"path"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
)

// programKinds are what the programs give.
var programKinds = []event.Kind{event.ProgramStarted, event.ProgramEnded, event.CommandRun, event.CommandEnded}

// started emits a program as the kind that the grants cover: in a desktop a
// program-started, with its command where the grants cover commands; in a
// login, and in a desktop where only commands are granted, a command-run. A
// command line that was gone before it could be read is left out.
//
// Told is what somebody does: what a shell, a panel or somebody's own script
// starts (tree.go). How a program works inside is counted, and told with its
// end; so is the end of one that failed or ran long. Kernel threads, Aval's own
// programs, the desktop's housekeeping (noise.go) and what a shell runs for its
// own start and prompt are left out.
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
// kernel had to drop announcements, of programs or of files, of how many is not known.
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

// base is the last part of a path, of any system's.
func base(file string) string {
	if len(file) > 2 && file[1] == ':' || strings.HasPrefix(file, `\\`) {
		file = strings.ReplaceAll(file, `\`, "/")
	}
	return path.Base(file)
}
