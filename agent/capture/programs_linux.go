package capture

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"aval/agent/session/watch"
)

const (
	// storm is how many programs in a beat are only counted, or nobody's business,
	// for the reader to rest for pause before each look in the next one: a build
	// starts thousands. A program of the session that begins and ends within the
	// first pause loses its arguments, as on a busy computer, and ends the resting.
	storm = 20
	pause = 4 * time.Millisecond
	// beat is how late the end of a program is read at the latest.
	beat = 100 * time.Millisecond
)

// programWatch is one capture of programs. All of it belongs to run's goroutine.
type programWatch struct {
	scanner
	scope Scope
	audit string       // the login's audit session; empty: none
	conn  *processConn // nil: the list is scanned
	ends  *statsConn   // nil: what was gone before it could be read has no name
	names []taskEnd    // read, and not yet given to the tree
	wake  *waker
	// In the last beat: programs that began, and those of them that were looked at.
	passed, looked int
	// strangers are programs that nothing of the session started; of those that
	// are of its desktop all the same, guests tells. To read what belongs to
	// another process may take as long as that one is busy, and what the session's
	// own programs are called must not wait for it.
	strangers, guests chan int
}

// newProgramWatch begins to listen and takes note of what is there: all that
// starts from its return on is seen.
func newProgramWatch(scope Scope, started func(program), ended func(ending), missed func(int)) (*programWatch, error) {
	scope.Display = watch.Display(scope.Display)
	w := &programWatch{scanner: newScanner(newTree(scope.Display, started, ended), missed), scope: scope, strangers: make(chan int, 1024), guests: make(chan int, 64)}
	w.list, w.same = processes, func(l listed) bool { return sameAs(l.pid, l.ppid) }
	w.mine = func(l listed) bool {
		st, err := procStat(l.pid)
		return err == nil && w.inScope(l.pid, st)
	}
	w.since = made
	w.look = func(l listed) (seen, bool) { return look(l.pid, w.scope.Display != "") }
	if scope.Leader > 0 {
		if _, err := procStat(scope.Leader); err != nil {
			return nil, fmt.Errorf("find the login's process: %w", err)
		}
		w.audit = auditSession(scope.Leader)
	}
	conn, err := listenProcesses()
	if err != nil {
		slog.Info("programs are found by reading the process list", "every", scanEvery, "err", err)
	} else {
		w.conn = conn
		if w.ends, err = listenEnds(); err != nil {
			slog.Info("programs that end at once have no name", "err", err)
		}
		if w.wake, err = newWaker(); err != nil {
			w.Close()
			return nil, err
		}
	}
	w.begin()
	return w, nil
}

// tell lets others know what the session's programs are doing.
func (w *programWatch) tell(to *work) { w.tree.looked, w.tree.gone = to.looked, to.gone }

// Close ends the listening. It is not called while run runs.
func (w *programWatch) Close() {
	if w.conn != nil {
		w.conn.Close()
	}
	if w.ends != nil {
		w.ends.Close()
	}
	if w.wake != nil {
		w.wake.Close()
	}
}

func (w *programWatch) run(ctx context.Context) error {
	defer w.Close()
	if w.conn != nil {
		clear(w.rest) // of the scan
		err := w.announced(ctx)
		if ctx.Err() != nil {
			return nil
		}
		slog.Warn("the kernel stopped announcing programs; reading the process list", "err", err)
	}
	return w.scanned(ctx)
}

// hurry lets this process be scheduled before others: a program may be gone in a
// millisecond, and whatever thread of Go's run time is made to wait may hold what
// the reading one needs. It does little, so it takes little from others. Best
// effort: the unit allows it (LimitNICE), root may.
func hurry() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			unix.Setpriority(unix.PRIO_PROCESS, tid, -15) // what it starts later inherits it
		}
	}
}

// atOnce lets the calling goroutine run, on a thread of its own, before every program
// of the usual kind, and returns what ends that. The kernel announces a program
// before that has run; on a busy computer it is over before a thread of the usual
// kind has its turn (sched(7)). Best effort, as hurry.
func atOnce() (end func()) {
	runtime.LockOSThread()
	err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, 0)
	if err != nil {
		slog.Info("the reader of announcements is scheduled like other threads", "err", err)
	}
	return func() {
		if err == nil {
			unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: -15}, 0)
		}
		runtime.UnlockOSThread()
	}
}

// announced follows the kernel's announcements until ctx ends or they fail.
func (w *programWatch) announced(ctx context.Context) error {
	defer context.AfterFunc(ctx, w.wake.wake)()
	hurry()
	defer atOnce()()
	if w.scope.Display != "" {
		var all sync.WaitGroup
		defer all.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		all.Go(func() { w.meet(ctx) })
	}
	// quiet: nothing happens on this computer. Then whatever is announced wakes the
	// reader; otherwise the begin of a program, and what else there was is read with
	// it, or a beat later.
	for quiet, stormy, due := true, false, time.Now(); ctx.Err() == nil; {
		fds, wait := []int{w.wake.fd, w.conn.bell, w.conn.fd}, flushEvery
		switch {
		case stormy:
			fds, wait = fds[:1], pause
		case !quiet && w.conn.owed > 0:
			wait = beat
		case !quiet:
			fds, wait = fds[:2], beat
		}
		ready, err := poll(wait, fds...)
		if err != nil {
			return err
		}
		if ready&1 != 0 {
			w.wake.slept()
		}
		w.greet()
		now := time.Now()
		if ready == 0 && wait >= beat {
			w.conn.owed = 0
		}
		ended := 0
		if quiet || !now.Before(due) {
			ended = w.ended()
			stormy = w.passed >= storm && w.passed >= 8*w.looked
			w.passed, w.looked = 0, 0
			due = now.Add(beat)
		}
		passed := w.passed
		n, err := w.hear(ctx)
		if err != nil {
			return err
		}
		w.named()
		if w.passed == passed || w.looked > 0 { // it is over, or somebody does something beside it
			stormy = false
		}
		quiet = ready == 0 && wait >= beat && n+ended == 0
		w.flush(now)
	}
	return nil
}

// hear takes what was announced, and tells how much it was.
func (w *programWatch) hear(ctx context.Context) (all int, err error) {
	err = w.conn.heard()
	for n := atOnceMost; n == atOnceMost && err == nil && ctx.Err() == nil; all += n {
		n, err = w.conn.read(w.announce)
	}
	if err == errLost {
		w.conn.owed = 0
		w.scan() // what is still there of what was not announced
		clear(w.rest)
		w.missed(0)
		return all + 1, nil
	}
	return all, err
}

func (w *programWatch) announce(e procEvent, at time.Time) {
	switch e.what {
	case procFork:
		w.tree.fork(e.pid, e.parent)
	case procExec:
		w.passed++
		if w.scope.Display != "" && w.tree.procs[e.pid] == nil {
			select {
			case w.strangers <- e.pid:
			default: // a storm of others
			}
			return
		}
		w.exec(e.pid, at)
	case procExit:
		code := int(e.code>>8) & 0xff
		if sig := int(e.code) & 0x7f; sig != 0 {
			code = 128 + sig
		}
		w.tree.exit(e.pid, code, at)
	}
}

// ended takes the names of tasks that have ended, and tells how many. They are
// given to the tree by named, once it knows what these had begun.
func (w *programWatch) ended() (all int) {
	if w.ends == nil {
		return 0
	}
	for n := atOnceMost; n == atOnceMost; all += n {
		var err error
		if n, err = w.ends.read(func(e taskEnd) { w.names = append(w.names, e) }); err == errLost {
			n = atOnceMost
		}
	}
	return all
}

func (w *programWatch) named() {
	for _, e := range w.names {
		w.tree.named(e.pid, e.name)
	}
	w.names = w.names[:0]
}

// processes lists what runs, the oldest first, so that parents come before
// what they started.
func processes() []listed {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var out []listed
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if st, err := procStat(pid); err == nil {
			out = append(out, listed{pid: pid, ppid: st.ppid, start: st.start, name: st.name})
		}
	}
	oldestFirst(out)
	return out
}

// ticks is the unit of a process's start in /proc/PID/stat, which is sysconf's
// _SC_CLK_TCK: 100 a second on every architecture (linux/asm-generic/param.h).
const ticks = time.Second / 100

// made is when a process was made (proc_pid_stat(5): ticks since boot).
func made(l listed) time.Time {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(l.start)*ticks - time.Duration(boot.Nano()))
}

// look reads what a process runs, what goes first: a program may last for less
// than a millisecond. env: its environment too.
func look(pid int, env bool) (seen, bool) {
	var s seen
	s.args = procStrings(pid, "cmdline")
	st, err := procStat(pid)
	s.name, s.file = executable(pid, st)
	if err != nil && s.args == nil {
		return s, false
	}
	if s.name == "" || s.name == "busybox" || s.name == "coreutils" || s.name == "toybox" { // many in one file
		if len(s.args) > 0 {
			s.name = base(s.args[0])
		} else {
			s.name = st.name
		}
	}
	if s.name == "" {
		return s, false
	}
	if s.file == "" {
		s.file = s.name
	}
	s.start, s.group, s.tty = st.start, st.group, st.tty != 0
	s.cwd, _ = os.Readlink(procPath(pid, "cwd"))
	if env {
		vars := procStrings(pid, "environ")
		s.display = watch.Display(lookup(vars, "DISPLAY"))
		s.hidden = lookup(vars, "RFB_X11VNC_PID") != "" // x11vnc's hooks run Aval
	}
	return s, true
}

func (w *programWatch) exec(pid int, at time.Time) {
	w.tree.exec(pid, at, func() (seen, bool) {
		w.looked++
		return look(pid, w.scope.Display != "")
	})
}

// meet looks at strangers: a program is of the desktop all the same if its own
// environment says so, such as one that the bus started.
func (w *programWatch) meet(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case pid := <-w.strangers:
			if watch.Display(lookup(procStrings(pid, "environ"), "DISPLAY")) != w.scope.Display {
				continue
			}
			select {
			case w.guests <- pid:
				w.wake.wake()
			default:
			}
		}
	}
}

// greet takes in the guests that have come.
func (w *programWatch) greet() {
	for {
		select {
		case pid := <-w.guests:
			if st, err := procStat(pid); err == nil && w.tree.procs[pid] == nil && w.inScope(pid, st) {
				w.tree.outside(pid)
				w.exec(pid, time.Now())
			}
		default:
			return
		}
	}
}

// inScope tells whether a process belongs to the session: by its own
// environment or audit session, or by the nearest ancestor that does. Whatever
// Aval starts itself, such as the dialog that asks, does not.
func (w *programWatch) inScope(pid int, st procStatus) bool {
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
			if d := lookup(procStrings(cur, "environ"), "DISPLAY"); d != "" {
				if watch.Display(d) != w.scope.Display {
					return false
				}
				if uid, ok := owner(cur); ok && uid == w.scope.UID {
					return true
				} // somebody else's, as after sudo: by who started it
			}
		}
		if p := w.tree.procs[cur]; p != nil && p.start == st.start {
			return p.gives != stranger
		}
		cur = st.ppid
		var err error
		if st, err = procStat(cur); err != nil {
			return false
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
