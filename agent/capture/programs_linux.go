package capture

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// scanEvery is how often the process list is read where the kernel does not
// announce programs. Only while something is recorded; programs that live
// shorter than that are missed.
const scanEvery = 250 * time.Millisecond

// programWatch is one capture of programs. All of it belongs to run's goroutine.
type programWatch struct {
	scope Scope
	begun time.Time
	since uint64 // clock ticks since boot: only processes that started later count
	audit string // the login's audit session; empty: none
	mine  map[int]*process
	rest  map[int]uint64 // scan: processes that are not in scope, by start
	// fresh are processes of the same tick as since whose fork was announced
	// after the beginning.
	fresh map[int]bool
	conn  *processConn // nil: the list is scanned
	found func(program)
}

// process is a process in scope that started after the capture did.
type process struct {
	start uint64
	exe   string // what it was last reported as; empty: only forked so far
	args  string
}

func newProgramWatch(scope Scope) (*programWatch, error) {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return nil, fmt.Errorf("read clock: %w", err)
	}
	w := &programWatch{
		scope: scope, begun: time.Now(), since: uint64(boot.Nano() / int64(tick)),
		mine: map[int]*process{}, rest: map[int]uint64{}, fresh: map[int]bool{},
	}
	w.scope.Display = display(scope.Display)
	if scope.Leader > 0 {
		if _, err := procStat(scope.Leader); err != nil {
			return nil, fmt.Errorf("find the login's process: %w", err)
		}
		w.audit = auditSession(scope.Leader)
	}
	conn, err := listenProcesses()
	if err != nil {
		slog.Info("programs are found by reading the process list", "every", scanEvery, "err", err)
	}
	w.conn = conn
	return w, nil
}

func (w *programWatch) Close() {
	if w.conn != nil {
		w.conn.Close()
	}
}

func (w *programWatch) run(ctx context.Context, found func(program)) error {
	w.found = found
	if w.conn != nil {
		defer w.conn.Close()
		err := w.announced(ctx)
		if ctx.Err() != nil {
			return nil
		}
		slog.Warn("the kernel stopped announcing programs; reading the process list", "err", err)
	}
	return w.scanned(ctx)
}

// announced follows the kernel's announcements until ctx ends or they fail.
func (w *programWatch) announced(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { w.conn.Close() })()
	w.scan() // what started before the announcements did
	for {
		events, err := w.conn.read()
		if err == errLost {
			w.scan() // what is still there of what was not announced
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			switch {
			case e.what == procFork:
				w.forked(e.pid, e.parent)
			case e.what == procExec:
				w.exec(e.pid)
			case e.what == procExit:
				delete(w.mine, e.pid)
				delete(w.rest, e.pid)
				delete(w.fresh, e.pid)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
}

// forked notes a new process: it stays in scope when its parent goes first.
func (w *programWatch) forked(pid, parent int) {
	_, inherits := w.mine[parent]
	if !inherits && time.Since(w.begun) > 4*tick {
		return
	}
	st, err := procStat(pid)
	if err != nil {
		return
	}
	if st.start == w.since {
		w.fresh[pid] = true
	}
	if inherits {
		w.mine[pid] = &process{start: st.start}
	}
}

// later tells whether a process started after the capture did.
func (w *programWatch) later(pid int, st procStatus) bool {
	return st.start > w.since || st.start == w.since && w.fresh[pid]
}

// scanned reads the process list until ctx ends.
func (w *programWatch) scanned(ctx context.Context) error {
	t := time.NewTicker(scanEvery)
	defer t.Stop()
	for {
		w.scan()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// scan looks at every process once.
func (w *programWatch) scan() {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return
	}
	now := make(map[int]bool, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			now[pid] = true
			w.looked(pid)
		}
	}
	for pid := range w.mine {
		if !now[pid] {
			delete(w.mine, pid)
		}
	}
	for pid := range w.rest {
		if !now[pid] {
			delete(w.rest, pid)
		}
	}
}

// looked is exec for a scan: it knows processes that it has seen, and takes a
// process that still looks like its parent for one that has only forked.
func (w *programWatch) looked(pid int) {
	st, err := procStat(pid)
	if err != nil || !w.later(pid, st) {
		return
	}
	if start, ok := w.rest[pid]; ok && start == st.start {
		return
	}
	if p := w.mine[pid]; p == nil || p.exe == "" {
		if sameAs(pid, st.ppid) {
			return // later, once it runs something of its own
		}
	}
	if !w.exec(pid) {
		w.rest[pid] = st.start
	}
}

// exec reports what a process runs now, unless that was reported before. It
// tells whether the process is in scope.
func (w *programWatch) exec(pid int) bool {
	st, err := procStat(pid)
	if err != nil || !w.later(pid, st) {
		return false
	}
	env := procStrings(pid, "environ")
	if !w.inScope(pid, st, env) {
		delete(w.mine, pid)
		return false
	}
	p := w.mine[pid]
	if p == nil || p.start != st.start {
		p = &process{start: st.start}
		w.mine[pid] = p
	}
	name, path := executable(pid, st)
	if name == "" {
		return true // a kernel thread, or ending
	}
	args := procStrings(pid, "cmdline")
	line := commandLine(args)
	if path == p.exe && (line == p.args || line == "") {
		return true
	}
	p.exe, p.args = path, line
	// x11vnc's hooks run Aval; they are no work of anybody.
	if !skipped(name, args) && lookup(env, "RFB_X11VNC_PID") == "" {
		w.found(program{name: name, args: args, at: time.Now().UTC()})
	}
	return true
}

// inScope tells whether a process belongs to the session: by its own
// environment or audit session, or by the nearest ancestor that does. Whatever
// Aval starts itself, such as the dialog that asks, does not.
func (w *programWatch) inScope(pid int, st procStatus, env []string) bool {
	if w.audit != "" && auditSession(pid) == w.audit && !own(st.name) {
		return true
	}
	for cur, depth := pid, 0; cur > 1 && depth < 64; depth++ {
		if own(st.name) {
			return false
		}
		if w.scope.Leader > 0 && cur == w.scope.Leader {
			return true
		}
		if w.scope.Display != "" {
			if d := lookup(env, "DISPLAY"); d != "" {
				if display(d) != w.scope.Display {
					return false
				}
				if uid, ok := owner(cur); ok && uid == w.scope.UID {
					return true
				} // somebody else's, as after sudo: by who started it
			}
		}
		if p := w.mine[cur]; p != nil && p.start == st.start {
			return true
		}
		cur = st.ppid
		var err error
		if st, err = procStat(cur); err != nil {
			return false
		}
		if w.scope.Display != "" {
			env = procStrings(cur, "environ")
		}
	}
	return false
}

// sameAs tells whether a process runs what its parent runs, with the same words.
func sameAs(pid, ppid int) bool {
	a, err1 := os.Readlink(procPath(pid, "exe"))
	b, err2 := os.Readlink(procPath(ppid, "exe"))
	if err1 != nil || err2 != nil || a != b {
		return false
	}
	return commandLine(procStrings(pid, "cmdline")) == commandLine(procStrings(ppid, "cmdline"))
}
