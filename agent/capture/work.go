package capture

import (
	"slices"
	"sync"
	"time"

	"aval/agent/event"
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

// heardOf is how long after a change a tool may be heard of that made it: on a busy
// computer the system tells of the change first, and the name of a tool that was
// gone at once comes with the next beat.
const heardOf = 2 * time.Second

// noticed is by how much a tool may seem to begin after its own work: a process's
// time is told in hundredths of a second.
const noticed = 20 * time.Millisecond

// place is where a step of the session works: files that change there are
// taken for its doing.
type place struct {
	cwd  string
	args []string
	at   time.Time
}

// toolRun is a tool of the session that runs or ran, or several without a pause
// between them in which a change would be nobody's.
type toolRun struct {
	began time.Time
	ended time.Time // the last of them
}

// work is what the session's programs are doing, as far as the other sources
// must know it to tell the session's changes from everybody else's. Its methods
// may be called by any goroutine.
type work struct {
	places chan place
	scope  Scope // set before anything starts

	mu    sync.Mutex // guards what follows
	tools map[int]runningTool
	ended map[string]toolRun     // by sort, the last
	later map[*time.Timer]func() // what is told if its tool is heard of; nil: nothing is any more
}

type runningTool struct {
	sort  string
	began time.Time
}

func newWork() *work {
	return &work{places: make(chan place, 256), tools: map[int]runningTool{}, ended: map[string]toolRun{}, later: map[*time.Timer]func(){}}
}

// looked notes a program of the session.
func (w *work) looked(pid int, s seen, within bool) {
	for sort, is := range toolsOf {
		if is(s) {
			w.mu.Lock()
			if len(w.tools) < maxProcs {
				w.tools[pid] = runningTool{sort, s.at}
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
	t, ok := w.tools[pid]
	if !ok {
		return
	}
	delete(w.tools, pid)
	run := toolRun{began: t.began, ended: time.Now()}
	if last := w.ended[t.sort]; t.began.Sub(last.ended) < lingers && last.began.Before(run.began) {
		run.began = last.began
	}
	w.ended[t.sort] = run
}

// did tells whether a tool of one of the sorts ran in the session at the time at,
// or had ended a moment before.
func (w *work) did(at time.Time, sorts ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tools {
		if slices.Contains(sorts, t.sort) && !t.began.After(at.Add(noticed)) {
			return true
		}
	}
	return slices.ContainsFunc(sorts, func(sort string) bool {
		run, ok := w.ended[sort]
		return ok && !run.began.After(at.Add(noticed)) && at.Sub(run.ended) < lingers
	})
}

// mine calls tell if the session did what was heard of at the time at with a tool
// of one of the sorts: at once, or as soon as it must have been heard of the tool.
func (w *work) mine(at time.Time, tell func(), sorts ...string) {
	if w.did(at, sorts...) {
		tell()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.later == nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(heardOf, func() {
		w.mu.Lock() // t is set
		tell := w.later[t]
		delete(w.later, t)
		w.mu.Unlock()
		if tell != nil && w.did(at, sorts...) {
			tell()
		}
	})
	w.later[t] = tell
}

// forget drops what waits for its tool to be heard of.
func (w *work) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later = nil
}

// packages tells of packages that the session changed.
func (g *gate) packages(w *work, changes ...packageChange) {
	at := time.Now()
	for _, c := range changes {
		w.mine(at, func() {
			g.pass(event.PackageChanged, at, map[string]string{"action": c.action, "name": c.name, "version": c.version, "before": c.before})
		}, packagers)
	}
}
