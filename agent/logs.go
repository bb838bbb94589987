package agent

import (
	"slices"
	"time"

	"aval/agent/session/watch"
	"aval/agent/wire"
)

// watcherLogs is the name of the watcher of the tools whose logs are all that
// tells of their sessions. The desktop is in none of them, so every unlocked one
// is asked; the log of an ordinary user speaks of that user's desktops alone.
const watcherLogs = "logs"

// watchLogs follows the logs of those tools that the service is to hear by itself.
func (a *Agent) watchLogs() {
	files := slices.DeleteFunc(watch.LogFiles(), func(f watch.LogFile) bool { return !slices.Contains(a.cfg.Tools, f.Tool) })
	a.logs = watch.NewLogs(a.log, watchSink{a, watcherLogs}, files, watch.Feeds(a.cfg.Tools, a.sessionChanges()))
	a.work.Go(func() {
		if err := a.logs.Run(a.ctx); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow logs of remote tools", "err", err)
		}
	})
}

// hintOf reads what a company's server was told of a connection. It is a hint that
// a session is there: the tool's own log must know the connection, nothing is
// decided by it, and the name in it is as unverified as any. Only the company whose
// device this is may give one.
func (a *Agent) hintOf(c *company, h *wire.Hint) (watch.Hint, bool) {
	if a.company == nil || c != a.company || c.Account != nil || h.GetState() != wire.Hint_LOGGED_IN && h.GetState() != wire.Hint_CLOSED {
		return watch.Hint{}, false
	}
	return watch.Hint{Tool: h.GetTool(), Connection: h.GetConnection(), Closed: h.GetState() == wire.Hint_CLOSED,
		Supporter: supporterOf(h.GetName(), h.GetPeer()), Kinds: kindsOf(h.GetKinds()), At: time.Now()}, true
}

// supporterOf joins a name and an id that the other side gave.
func supporterOf(name, id string) string {
	if name == "" || id == "" {
		return name + id
	}
	return name + " (" + id + ")"
}

// kindsOf leaves out what is no kind of a session.
func kindsOf(all []string) []string {
	var out []string
	for _, k := range []string{watch.View, watch.Control, watch.Terminal, watch.Files} {
		if slices.Contains(all, k) {
			out = append(out, k)
		}
	}
	return out
}

// sessionChanges tells of changes of the desktop sessions, each caller for itself;
// nil: nobody tells.
func (a *Agent) sessionChanges() <-chan struct{} {
	if a.cfg.SessionChanges == nil {
		return nil
	}
	return a.cfg.SessionChanges()
}
