package agent

import (
	"os"
	"strconv"
	"time"

	"aval/agent/session"
	"aval/agent/session/watch"
)

// findRunning looks once, when the service starts, for sessions that go on
// already and whose tool tells of the beginning alone: x11vnc with our hook
// lines. Their people are asked now; what was before was not seen by anybody.
// Terminal logins are told by their own watcher.
func (a *Agent) findRunning() {
	a.work.Go(func() {
		for _, s := range watch.X11VNCServers() {
			start, ok := watch.ProcStart(s.PID)
			if s.Socket != "" && s.Socket != a.cfg.Socket { // it tells another service
				continue
			}
			if !s.Hooked || !ok || (os.Geteuid() != 0 && int(s.UID) != os.Geteuid()) {
				continue
			}
			clients, err := watch.X11VNCClients(a.ctx, s)
			if err != nil {
				a.log.Warn("clients that were there before", "pid", s.PID, "err", err)
			}
			for _, c := range clients {
				a.post(func() { a.adopt(s, start, c) })
			}
		}
	})
}

// adopt begins the session of a client that was there before, as its hook would
// have: the same name and owner, so that its end is heard.
func (a *Agent) adopt(s watch.X11VNCServer, start uint64, c watch.X11VNCClient) {
	id := c.ID
	if s.UID != 0 && int(s.UID) != os.Geteuid() {
		id = "u" + strconv.Itoa(int(s.UID)) + ":" + id
	}
	name, err := session.Name(watch.ToolX11VNC, id)
	if err != nil || a.find(s.UID, "", name) != nil || a.used[name] {
		return // it is known, or was when it was decided
	}
	a.log.Info("session found running", "session", name)
	if _, err := a.begin(session.Session{Name: name, Asked: c.ID, Tool: watch.ToolX11VNC, Owner: s.UID, Supporter: c.Address, Address: c.Address,
		Desktop: s.Display, PID: s.PID, PIDStart: start, Started: time.Now().UTC()}); err != nil {
		a.log.Error("begin running session", "session", name, "err", err)
	}
}
