package capture

import (
	"sync"
	"time"
)

// Tools whose running says whose doing a change of the system is.
const (
	packagers = "packages"
	servicers = "services"
)

// named tells of a program by its own name or that of its script.
func named(names string) func(seen) bool {
	is := words(names)
	return func(s seen) bool { return is[s.title()] || is[s.name] }
}

// lingers is how long after the end of such a tool a change is still its doing:
// logs and signals come a moment later.
const lingers = 5 * time.Second

// place is where a step of the session works: files that change there are
// taken for its doing.
type place struct {
	cwd  string
	args []string
	at   time.Time
}

// work is what the session's programs are doing, as far as the other sources
// must know it to tell the session's changes from everybody else's. Its methods
// may be called by any goroutine.
type work struct {
	places chan place
	scope  Scope // set before anything starts

	mu    sync.Mutex
	tools map[int]string       // process: which sort of tool it is
	ended map[string]time.Time // when the last of a sort ended
}

func newWork() *work {
	return &work{places: make(chan place, 256), tools: map[int]string{}, ended: map[string]time.Time{}}
}

// looked notes a program of the session.
func (w *work) looked(pid int, s seen, within bool) {
	for sort, is := range toolsOf {
		if is(s) {
			w.mu.Lock()
			if len(w.tools) < maxProcs {
				w.tools[pid] = sort
			}
			w.mu.Unlock()
		}
	}
	if within {
		return
	}
	select {
	case w.places <- place{s.cwd, s.args, time.Now()}:
	default: // a storm: its places are known by now
	}
}

// gone notes the end of one.
func (w *work) gone(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sort, ok := w.tools[pid]; ok {
		delete(w.tools, pid)
		w.ended[sort] = time.Now()
	}
}

// did tells whether a tool of a sort runs in the session, or did a moment ago.
func (w *work) did(sort string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.tools {
		if s == sort {
			return true
		}
	}
	return time.Since(w.ended[sort]) < lingers
}
