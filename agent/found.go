package agent

import (
	"slices"
	"time"

	"aval/agent/event"
	"aval/agent/session"
	"aval/agent/session/watch"
)

// watcherTools is the name of the watcher of the tools that write logs.
const watcherTools = "tools"

// watchSink takes what a watcher has found into the loop.
type watchSink struct {
	a       *Agent
	watcher string
}

var _ watch.Sink = watchSink{}

// Begin implements watch.Sink.
func (s watchSink) Begin(f watch.Found) { s.a.post(func() { s.a.beginFound(s.watcher, f) }) }

// Kinds implements watch.Sink.
func (s watchSink) Kinds(tool, id string, kinds []string) {
	s.each(tool, id, func(l *live) {
		l.Kinds = slices.Clone(kinds)
		if err := s.a.keep(l); err != nil {
			s.a.log.Error("keep session", "session", l.Name, "err", err)
		}
	})
}

// Event implements watch.Sink. It counts as one that the tool reports.
func (s watchSink) Event(tool, id string, kind event.Kind, fields map[string]string) {
	now := time.Now().UTC()
	s.each(tool, id, func(l *live) {
		fields, err := checkFields(kind, fields)
		if err != nil { // which may repeat what the tool wrote: that is in no log
			s.a.log.Warn("a remote tool told of what is no event", "session", l.Name, "kind", kind)
			return
		}
		s.a.take(l, event.Event{Kind: kind, At: now, Fields: fields}, nil)
	})
}

// End implements watch.Sink.
func (s watchSink) End(tool, id, reason string) {
	s.each(tool, id, func(l *live) {
		s.a.log.Info("session is over", "session", l.Name, "how", reason)
		s.a.end(l, "ended")
	})
}

// each has f run with the watcher's session, if it is live.
func (s watchSink) each(tool, id string, f func(*live)) {
	s.a.post(func() {
		name, err := session.Name(tool, id)
		if err != nil {
			return
		}
		for _, l := range s.a.sessions {
			if l.Watcher == s.watcher && l.Tool+"/"+l.Asked == name {
				f(l)
				return
			}
		}
	})
}

// watchTools follows the tools that the service is to hear by itself.
func (a *Agent) watchTools() {
	if len(a.cfg.Tools) == 0 {
		a.post(a.confirmed)
		return
	}
	t := watch.NewTools(a.log, watchSink{a, watcherTools}, a.cfg.Tools)
	a.work.Go(func() {
		if err := t.Run(a.ctx, func() { a.post(a.confirmed) }); err != nil && a.ctx.Err() == nil {
			a.log.Error("watch remote tools", "err", err)
			a.post(a.confirmed)
		}
	})
}

// confirmed ends the sessions of before a restart that their tool has not told
// of again.
func (a *Agent) confirmed() {
	for _, l := range a.sessions {
		if l.Watcher == watcherTools && l.unconfirmed {
			a.end(l, "lost")
		}
	}
}

// beginFound begins a session that a watcher has found; one that was live
// before a restart goes on.
func (a *Agent) beginFound(watcher string, f watch.Found) {
	name, err := session.Name(f.Tool, f.ID)
	if err != nil {
		a.log.Error("session without a name", "tool", f.Tool, "err", err)
		return
	}
	if l := a.find(f.Owner, watcher, name); l != nil && l.lost {
		a.end(l, "lost") // whoever comes now comes anew
	} else if l != nil && l.unconfirmed {
		l.unconfirmed = false
		a.gateAll()
		a.askAgain(l)
		return
	}
	s := session.Session{
		Name: name, Asked: f.ID, Tool: f.Tool, Watcher: watcher, Owner: f.Owner, Started: f.StartedAt.UTC(), Kinds: slices.Clone(f.Kinds),
		Supporter: session.Clean(f.Supporter, session.MaxSupporter), Address: session.Clean(f.Address, session.MaxAddress),
		Desktop: f.Display, PID: f.Leader, PIDStart: f.LeaderStart,
	}
	if f.TTY != "" {
		s.Login = &session.Login{User: f.User, UID: f.UID, Leader: f.Leader}
	}
	if s.Supporter == "" {
		s.Supporter = f.Tool
	}
	if f.KeyFingerprint != "" {
		s.Identity = "ssh-key:" + f.KeyFingerprint
	}
	if f.TimeDerived {
		a.log.Info("beginning of the session is derived from this computer's clock", "session", name, "at", s.Started)
	}
	if _, err := a.begin(s); err != nil {
		a.log.Error("begin session", "session", name, "err", err)
	}
}
