package agent

import (
	"strconv"
	"sync"
	"time"

	"aval/agent/prompt/launch"
)

// helpers are the aval-desktop processes that the service has started, one in each
// desktop session, by the session's id. The loop owns them; others ask started.
type helpers struct {
	mu      sync.Mutex // guards running, which the loop alone changes
	running map[string]*launch.Process
	waiting map[string]*time.Timer // those that ended, and are started again
	tries   map[string]int
}

// The waiting before a helper that ended is started again, longer each time.
const (
	helperAgain = time.Second
	helperLater = time.Minute
)

// started tells whether a process is one of them, or was started by one. Each is
// held by its handle, so that its id belongs to nobody else.
func (h *helpers) started(pid int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.running {
		select {
		case <-p.Done():
			continue
		default:
		}
		if p.PID() == pid || launch.StartedBy(pid, p) {
			return true
		}
	}
	return false
}

// set makes p the helper of a session; nil: it has none.
func (h *helpers) set(id string, p *launch.Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p == nil {
		delete(h.running, id)
		return
	}
	h.running[id] = p
}

// tendHelpers starts a helper in each desktop session that has none.
func (a *Agent) tendHelpers() {
	if !a.cfg.StartHelpers {
		return
	}
	h := &a.helpers
	if h.running == nil {
		h.mu.Lock()
		h.running, h.waiting, h.tries = map[string]*launch.Process{}, map[string]*time.Timer{}, map[string]int{}
		h.mu.Unlock()
	}
	there := map[string]bool{}
	for _, s := range a.graphical {
		there[s.ID] = true
		if h.running[s.ID] == nil && h.waiting[s.ID] == nil {
			a.startHelper(s.ID)
		}
	}
	for id, p := range h.running {
		if !there[id] {
			h.set(id, nil)
			a.work.Go(p.Kill)
		}
	}
	for id, t := range h.waiting {
		if !there[id] {
			t.Stop()
			delete(h.waiting, id)
			delete(h.tries, id)
		}
	}
}

// startHelper starts the helper of one session, and again whenever it ends.
func (a *Agent) startHelper(id string) {
	again := func() {
		wait := min(helperAgain<<min(a.helpers.tries[id], 6), helperLater)
		a.helpers.tries[id]++
		a.helpers.waiting[id] = a.after(wait, func() {
			delete(a.helpers.waiting, id)
			a.refreshLogind()
		})
	}
	session, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return
	}
	path, err := launch.Find("aval-desktop")
	if err != nil {
		a.log.Error("start aval-desktop", "session", id, "err", err)
		again()
		return
	}
	p, err := launch.StartIn(uint32(session), launch.Program{Path: path, Args: []string{"--socket", a.cfg.Socket}})
	if err != nil {
		a.log.Error("start aval-desktop", "session", id, "err", err)
		again()
		return
	}
	a.log.Info("aval-desktop started", "session", id, "pid", p.PID())
	a.helpers.set(id, p)
	began := time.Now()
	a.work.Go(func() {
		<-p.Done()
		a.post(func() {
			if a.helpers.running[id] != p {
				return
			}
			a.helpers.set(id, nil)
			a.log.Warn("aval-desktop ended", "session", id, "status", p.Exit().Code)
			if time.Since(began) > helperLater {
				a.helpers.tries[id] = 0
			}
			again()
		})
	})
}

// endHelpers ends them with the service.
func (a *Agent) endHelpers() {
	for _, p := range a.helpers.running {
		p.Kill()
	}
	for _, t := range a.helpers.waiting {
		t.Stop()
	}
}
