package capture

import (
	"context"
	"slices"
	"time"
)

const (
	// scanEvery is how often the process list is read where the kernel does not
	// announce programs. Only while something is recorded; programs that live
	// shorter than that are missed.
	scanEvery = 250 * time.Millisecond
	// flushEvery is how often what was held back is looked through.
	flushEvery = 10 * time.Second
)

// listed is one process of the system's list.
type listed struct {
	pid, ppid int
	start     uint64 // in the system's own unit; with pid it names one process
	name      string
}

// oldestFirst sorts, so that parents come before what they started.
func oldestFirst(list []listed) {
	slices.SortStableFunc(list, func(a, b listed) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return a.pid - b.pid
	})
}

// scanner finds the session's programs by reading the list of processes again and
// again. It belongs to the goroutine that reads.
type scanner struct {
	tree *tree
	rest map[int]uint64 // processes that are not in scope, by start
	// list is the system's list, the oldest first; nil: it could not be read.
	list func() []listed
	// mine tells whether a process belongs to the session.
	mine func(listed) bool
	// look reads what a process runs; false: it is gone already.
	look func(listed) (seen, bool)
	// same tells whether a process runs only what its parent runs: it has been
	// forked. Nil: on this system a process is made with its own program.
	same func(listed) bool
	// moved tells by the list alone whether a process that ran file runs something
	// else by now; nil: that must be looked at.
	moved func(l listed, file string) bool
	// code is the exit status of a process that is no longer in the list, -1 if it
	// is not known; nil: it never is.
	code func(pid int) int
	// since is when a process was made; nil: that is not known.
	since func(listed) time.Time
	// missed is told how many programs could not be told whole.
	missed  func(n int)
	flushed time.Time
	read    time.Time // when the list was read last
}

func newScanner(t *tree, missed func(int)) scanner {
	return scanner{tree: t, rest: map[int]uint64{}, missed: missed, flushed: time.Now()}
}

// begin takes note of what is there: what starts later is told.
func (s *scanner) begin() {
	for _, l := range s.list() {
		if !s.mine(l) {
			s.rest[l.pid] = l.start
			continue
		}
		p, _ := s.look(l)
		p.start = l.start
		if p.name == "" {
			p.name = l.name
		}
		s.tree.adopt(l.pid, p)
	}
}

// scanned reads the process list until ctx ends.
func (s *scanner) scanned(ctx context.Context) error {
	t := time.NewTicker(scanEvery)
	defer t.Stop()
	for {
		s.scan()
		s.flush(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (s *scanner) flush(now time.Time) {
	if now.Sub(s.flushed) < flushEvery {
		return
	}
	s.flushed = now
	if n := s.tree.flush(now); n > 0 {
		s.missed(n)
	}
}

// scan looks at every process once.
func (s *scanner) scan() {
	now, before := time.Now(), s.read
	list := s.list()
	if list == nil {
		return
	}
	s.read = now
	there := make(map[int]uint64, len(list))
	for _, l := range list {
		there[l.pid] = l.start
	}
	for pid, p := range s.tree.procs {
		if start, ok := there[pid]; !ok || p.start != 0 && start != p.start {
			code := -1
			if s.code != nil {
				code = s.code(pid)
			}
			s.tree.exit(pid, code, now)
		}
	}
	for pid, start := range s.rest {
		if there[pid] != start {
			delete(s.rest, pid)
		}
	}
	for _, l := range list {
		p := s.tree.procs[l.pid]
		switch {
		case p != nil:
		case s.rest[l.pid] == l.start:
			continue
		case s.tree.procs[l.ppid] != nil:
			s.tree.fork(l.pid, l.ppid)
		case s.mine(l):
			s.tree.outside(l.pid)
		default:
			s.rest[l.pid] = l.start
			continue
		}
		if p != nil && p.file != "" && s.moved != nil && !s.moved(l, p.file) {
			continue
		}
		if p == nil || p.file == "" {
			if p = s.tree.procs[l.pid]; p != nil && p.start == 0 {
				p.start = l.start
			}
			if s.same != nil && s.same(l) {
				continue // later, once it runs something of its own
			}
		}
		// It began to run this between two readings, and not before it was made.
		at := before
		if s.since != nil {
			if made := s.since(l); made.After(at) {
				at = made
			}
		}
		if at.IsZero() || at.After(now) {
			at = now
		}
		s.tree.exec(l.pid, at, func() (seen, bool) { return s.look(l) })
	}
}
