package agent

import (
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/session"
)

// maxAnnounced bounds the announcements that wait for their session.
const maxAnnounced = 16

// takeRequest takes the company's signed word that one of its people is about to
// connect, or is connected already. It says who that is and whether their
// sessions are to be summarised; it begins nothing by itself.
func (a *Agent) takeRequest(c *company, envelope []byte) {
	if a.company != c {
		return
	}
	r, err := record.OpenRequest(envelope, c.ServerKey, c.Company, c.Device)
	now := time.Now()
	if err != nil || !now.Before(r.Expires) {
		a.log.Error("announced session refused", "err", err, "until", r.Expires)
		return
	}
	a.announced = slices.DeleteFunc(a.announced, func(o record.Request) bool { return o.ID == r.ID || !now.Before(o.Expires) })
	if len(a.announced) >= maxAnnounced || slices.Contains(a.taken, r.ID) {
		return
	}
	a.log.Info("session announced", "id", r.ID, "until", r.Expires)
	if l := a.unannounced(); l != nil {
		a.announce(l, r)
		l.asks, l.ending = 0, consent.EndingNone
		a.decide(l)
		return
	}
	a.announced = append(a.announced, r)
}

// unannounced is the one open session of which nothing was decided but that
// nobody wants it recorded; nil: there is none, or more than one. A question or a
// recording stays as it was said to the person.
func (a *Agent) unannounced() *live {
	var found *live
	for _, l := range a.sessions {
		switch {
		case l.Guest != "" || l.Request != "" || l.unconfirmed || l.Watcher == "" && l.confined():
			continue
		case found != nil:
			return nil
		}
		found = l
	}
	if found == nil || found.decided == nil || found.outcome != consent.OutcomeNotRequested {
		return nil
	}
	return found
}

// announce has a session be the announced one.
func (a *Agent) announce(l *live, r record.Request) {
	l.Request, l.Unlogged = r.ID, !r.LogSessions
	l.vouch(r.Supporter)
	a.taken = append(a.taken, r.ID)
	if n := len(a.taken); n > 10*maxAnnounced {
		a.taken = slices.Clone(a.taken[n-maxAnnounced:])
	}
}

// vouch gives a session the name that a company's signature vouches for. What the
// tool said in its place stays to be seen where it says from where.
func (l *live) vouch(supporter string) {
	if l.Address == "" {
		l.Address = l.Supporter
	}
	l.Supporter, l.Verified = session.Clean(supporter, session.MaxSupporter), true
}

// announcedNow gives a session that begins the one announcement that waits. With
// more than one it is not known whose it is, and none counts for it. A session
// that an ordinary user's program tells of is never the announced one.
func (a *Agent) announcedNow(l *live) {
	if l.Guest != "" || l.Watcher == "" && l.confined() {
		return
	}
	now := time.Now()
	a.announced = slices.DeleteFunc(a.announced, func(o record.Request) bool { return !now.Before(o.Expires) })
	if len(a.announced) == 1 {
		r := a.announced[0]
		a.announced = nil
		a.announce(l, r)
	}
}

// asAnnounced applies to an input what was announced of the session's supporter.
func (l *live) asAnnounced(in *consent.Input) {
	if l.Request != "" && l.Unlogged {
		in.LogSessions = false
	}
}
