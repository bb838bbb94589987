package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// programsThere are the kinds that the programs give on this system.
var programsThere = programKinds

// consoleDisplay stands for the desktop on the computer's screen: macOS has no
// name for it.
const consoleDisplay = "console"

// programWatch is one capture of programs: what the user of the desktop runs
// outside a login over the network, or what a login has started. All of it belongs
// to run's goroutine.
//
// The list of processes is read again and again (sysctl(3), KERN_PROC_ALL): what
// announces programs is Endpoint Security, for which Apple must sign a program.
type programWatch struct {
	scanner
	scope Scope
	all   map[int]listed // the list that was read last
	users map[int]uint32
}

func newProgramWatch(scope Scope, started func(program), ended func(ending), missed func(int)) (*programWatch, error) {
	if scope.Leader <= 0 && scope.Display != consoleDisplay {
		return nil, fmt.Errorf("programs: %w: %q is no desktop", ErrUnavailable, scope.Display)
	}
	w := &programWatch{scanner: newScanner(newTree("", started, ended), missed), scope: scope}
	w.list, w.mine, w.look = w.processes, w.inScope, w.read
	w.same = func(l listed) bool {
		file, args := processArguments(l.pid)
		above, aboveArgs := processArguments(l.ppid)
		return file == above && commandLine(args) == commandLine(aboveArgs)
	}
	w.moved = func(l listed, file string) bool { return !strings.HasPrefix(base(file), l.name) } // which may be cut off
	if w.processes() == nil {
		return nil, errors.New("programs: the list of processes cannot be read")
	}
	w.begin()
	return w, nil
}

func (w *programWatch) tell(to *work) { w.tree.looked, w.tree.gone = to.looked, to.gone }

func (w *programWatch) run(ctx context.Context) error { return w.scanned(ctx) }

// processes lists what runs, the oldest first. Nil: it cannot be read.
func (w *programWatch) processes() []listed {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	const zombie = 5 // SZOMB (sys/proc.h): it has ended and is only not yet asked for
	out := make([]listed, 0, len(all))
	w.all, w.users = make(map[int]listed, len(all)), make(map[int]uint32, len(all))
	for _, p := range all {
		if p.Proc.P_stat == zombie || p.Proc.P_pid <= 1 {
			continue
		}
		at := time.Unix(p.Proc.P_starttime.Sec, int64(p.Proc.P_starttime.Usec)*1000)
		l := listed{pid: int(p.Proc.P_pid), ppid: int(p.Eproc.Ppid), start: uint64(at.UnixMicro()), name: unix.ByteSliceToString(p.Proc.P_comm[:])}
		out = append(out, l)
		w.all[l.pid], w.users[l.pid] = l, p.Eproc.Ucred.Uid
	}
	oldestFirst(out)
	return out
}

// inScope tells whether a process belongs to the session, by itself or by the
// nearest above it that says so.
func (w *programWatch) inScope(l listed) bool {
	if w.scope.Leader <= 0 && w.users[l.pid] != w.scope.UID {
		return false // somebody else's, unless one of the session has started it
	}
	for cur, depth := l, 0; depth < 64; depth++ {
		switch {
		case own(cur.name):
			return false
		case w.scope.Leader > 0 && cur.pid == w.scope.Leader:
			return true
		case w.scope.Leader <= 0 && (cur.name == "sshd" || cur.name == "sshd-session"):
			return false // a login over the network is no work at the desktop
		}
		above, there := w.all[cur.ppid]
		if !there {
			break
		}
		cur = above
	}
	return w.scope.Leader <= 0
}

// read reads what a process runs. The folder that it works in is told to programs
// with C code alone (libproc).
func (w *programWatch) read(l listed) (seen, bool) {
	file, args := processArguments(l.pid)
	if file == "" {
		if _, err := unix.SysctlKinfoProc("kern.proc.pid", l.pid); err != nil {
			return seen{}, false // gone
		}
		return seen{name: l.name, file: l.name, start: l.start}, true // not this user's
	}
	return seen{name: base(file), file: file, args: args, start: l.start, tty: true}, true
}

// processArguments are a process's file and arguments (KERN_PROCARGS2).
func processArguments(pid int) (file string, args []string) {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return "", nil
	}
	return parseProcArgs(raw)
}
