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
	a.logs = watch.NewLogs(a.log, watchSink{a, watcherLogs}, files, watch.Feeds(a.cfg.Tools, a.cfg.SessionChanges))
	a.work.Go(func() {
		if err := a.logs.Run(a.ctx); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow logs of remote tools", "err", err)
		}
	})
}

// hint passes on what the company's server was told of a connection. It is a hint
// that a session is there: the tool's own log must know the connection, nothing is
// decided by it, and the name in it is as unverified as any.
func (a *Agent) hint(h *wire.Hint) {
	a.logs.Hint(watch.Hint{Tool: h.GetTool(), Connection: h.GetConnection(), Closed: h.GetState() == wire.Hint_CLOSED,
		Supporter: supporterOf(h.GetName(), h.GetPeer()), Kinds: kindsOf(h.GetKinds()), At: time.Now()})
}

// supporterOf joins a name and an id that the other side gave.
func supporterOf(name, id string) string {
	switch {
	case name == "" || id == "":
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
