package agent

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"aval/agent/ipc"
)

// settleFor is how long changes are gathered before watchers are told: a window
// need not draw more than that often.
const settleFor = 250 * time.Millisecond

// watcher is a window that is told of changes; seen is what it could see when it
// was told last, as hashes.
type watcher struct {
	conn   *ipc.Conn
	seen   map[ipc.What][32]byte
	window uint32 // its X id; 0: none of which presses could count
}

// watch has a connection be told of changes from now on, and the desktop follow
// its window.
func (a *Agent) watch(c *ipc.Conn, r ipc.Watching) (ipc.Empty, error) {
	w := &watcher{conn: c, seen: a.visible(c.Peer()), window: r.Window}
	a.watchers[c] = w
	if d := a.pressedOn(c, nil); d != nil && w.window != 0 {
		a.listenOn(d)
		d.follow(w)
	}
	return ipc.Empty{}, nil
}

// follow has the desktop follow a watcher's window.
func (d *desktop) follow(w *watcher) {
	d.conn.Push(ipc.PushWatch, ipc.Watch{PID: w.conn.Peer().PID, Window: w.window})
}

// windowsOn are the watchers with a window on a desktop.
func (a *Agent) windowsOn(d *desktop) (out []*watcher) {
	for c, w := range a.watchers {
		if w.window != 0 && a.pressedOn(c, nil) == d {
			out = append(out, w)
		}
	}
	return out
}

// touched is called whenever the loop has done something: soon everybody who
// watches is told what of it they can see. Nobody watching costs nothing.
func (a *Agent) touched() {
	if a.told { // telling itself changes nothing
		a.told = false
		return
	}
	if len(a.watchers) == 0 || a.telling {
		return
	}
	a.telling = true
	time.AfterFunc(settleFor, func() {
		a.post(func() {
			for _, w := range a.watchers {
				a.tell(w)
			}
			a.telling, a.told = false, true
		})
	})
}

func (a *Agent) tell(w *watcher) {
	now := a.visible(w.conn.Peer())
	var what []ipc.What
	for _, part := range []ipc.What{ipc.WhatStatus, ipc.WhatSettings, ipc.WhatSessions, ipc.WhatRecords} {
		if now[part] != w.seen[part] {
			what = append(what, part)
		}
	}
	if len(what) > 0 {
		w.seen = now
		w.conn.Push(ipc.PushChanged, ipc.Changed{What: what})
	}
}

// visible is what a peer can see now, as a hash of each part: compared, not kept,
// so that nothing that changes can be forgotten here.
func (a *Agent) visible(p ipc.Peer) map[ipc.What][32]byte {
	status, err := a.status(p)
	pol := a.policyShow()
	pol.GoodAt = time.Time{} // changes with each reading
	out := map[ipc.What][32]byte{}
	for part, v := range map[ipc.What]any{
		ipc.WhatStatus:   []any{status, err != nil},
		ipc.WhatSettings: []any{a.settings(p.UID), pol},
		ipc.WhatSessions: a.listSessions(p),
		ipc.WhatRecords:  []any{a.store.LogSize(), a.summaries},
	} {
		if raw, err := json.Marshal(v); err == nil {
			out[part] = sha256.Sum256(raw)
		}
	}
	return out
}
