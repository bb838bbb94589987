package agent

import (
	"aval/agent/session"
	"aval/agent/session/watch"
)

// watcherLogs is the name of the watcher of the tools' log files.
const watcherLogs = "logs"

// logSink takes what the log files tell of into the loop.
type logSink struct{ a *Agent }

var _ watch.Sink = logSink{}

// Begin implements watch.Sink.
func (s logSink) Begin(f watch.Found) { s.a.post(func() { s.a.beginLogged(f) }) }

// End implements watch.Sink.
func (s logSink) End(tool, id, reason string) {
	s.a.post(func() {
		for _, l := range s.a.sessions {
			if l.Watcher == watcherLogs && l.Tool == tool && l.Asked == id {
				s.a.log.Info("session of a log ended", "session", l.Name, "how", reason)
				s.a.end(l, "ended")
				return
			}
		}
	})
}

// watchLogs follows the logs of the tools that announce nothing.
func (a *Agent) watchLogs() {
	w := watch.NewLogs(a.log, logSink{a}, watch.LogFiles())
	a.work.Go(func() {
		if err := w.Run(a.ctx); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow logs of remote tools", "err", err)
		}
	})
}

// beginLogged begins a session that a log tells of. The desktop is not in any of
// these logs: every unlocked one is asked. The log of an ordinary user speaks of
// that user's desktops alone. The name in it is the other side's own word, so it
// never counts as the same supporter.
func (a *Agent) beginLogged(f watch.Found) {
	name, err := session.Name(f.Tool, f.ID)
	if err != nil {
		a.log.Error("session of a log without a name", "err", err)
		return
	}
	s := session.Session{
		Name: name, Asked: f.ID, Tool: f.Tool, Watcher: watcherLogs, Owner: f.Owner, Started: f.StartedAt.UTC(),
		Supporter: session.Clean(f.Supporter, session.MaxSupporter), Address: session.Clean(f.Address, session.MaxAddress),
	}
	if s.Supporter == "" {
		s.Supporter = f.Tool
	}
	if start, ok := watch.ProcStart(f.Leader); f.Leader > 0 && ok {
		s.PID, s.PIDStart = f.Leader, start // where no line tells of the end, this does
	}
	if f.TimeDerived {
		a.log.Info("time of a session is derived", "session", name, "at", s.Started)
	}
	if _, err := a.begin(s); err != nil {
		a.log.Error("begin session of a log", "session", name, "err", err)
	}
}
